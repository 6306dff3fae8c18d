"""The bus between processes of one machine, over a Unix socket.

`LocalBroker` listens (in a process of its own or inside one of the clients); each process
has a `LocalBus`. Sinks of the publishing process get messages by reference, before
`publish` returns; the broker passes them to the others. When the broker goes away, clients
come back by themselves and subscribe again; what was published meanwhile is lost and
counted, and `publish_durable` waits.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

from vms.bus import metrics
from vms.bus.frames import HEAD, HEAD_SIZE, MILLISECONDS, FrameType
from vms.bus.local_broker import BrokerExists, LocalBroker
from vms.bus.local_link import Link
from vms.bus.local_readers import DurableReader, answer_there
from vms.bus.patterns import check_pattern, check_subject
from vms.bus.port import DurableHandler, Handler, Sink, Subscription
from vms.bus.routing import Reader, Router
from vms.bus.serving import (
    MAX_MESSAGE_BYTES,
    Server,
    Servers,
    Tasks,
    is_oversize,
    nobody,
    reply_in,
    timed_out,
    too_large,
)
from vms.common.errors import BusError
from vms.common.model.messages import Command, Message, Reply
from vms.common.retry import Backoff
from vms.common.secret import redact
from vms.proto.codec import decode, encode, encode_parts

__all__ = ["LocalBroker", "LocalBus"]

log = structlog.get_logger(__name__)

_WRITE_LIMIT = 16 * 1024 * 1024
_KEEP_LIMIT_S = 30.0
_CONFIRM_LIMIT_S = 5.0
_MAX_CACHED = 20_000


class LocalBus:
    """`start` before use. All calls belong to the thread of one event loop.

    With `host`, the first process that finds no broker becomes it, and another one takes
    over when that process ends.
    """

    def __init__(self, path: str | Path, *, host: bool = False) -> None:
        self.path = Path(path)
        self._host = host
        self._broker: LocalBroker | None = None
        self._router = Router()
        self._servers = Servers()
        self._durable: dict[int, DurableReader] = {}
        self._tasks = Tasks()
        self._closed = False
        self._link = Link(self._on_frame)
        self._names: dict[str, bytes] = {}
        self._published = metrics.published.labels("local")
        self._slow = metrics.dropped.labels("local", "slow")
        self._oversize = metrics.dropped.labels("local", "oversize")
        self._disconnected = metrics.dropped.labels("local", "disconnected")

    async def start(self, timeout: float = 10.0) -> None:
        """Connect. Raises BusError where no broker answers within `timeout` seconds."""
        self._tasks.start(self._stay_connected())
        try:
            await self._link.wait_up(timeout)
        except TimeoutError:
            await self.close()
            raise BusError(
                f"no bus broker answers at {self.path}: start it, or set another address"
            ) from None

    @property
    def connected(self) -> bool:
        return self._link.transport is not None

    # Publish and subscribe

    def publish(self, subject: str, message: Message) -> None:
        if is_oversize(message):
            self._oversize.inc()
            return
        self._published.inc()
        self._router.deliver(subject, message)
        transport = self._link.transport
        if transport is None:
            self._disconnected.inc()
            return
        if transport.get_write_buffer_size() > _WRITE_LIMIT:
            self._slow.inc()
            return
        header, payload = encode_parts(message)
        name = self._names.get(subject) or self._name(subject)
        size = HEAD_SIZE - 4 + len(name) + len(header) + len(payload)
        if size > MAX_MESSAGE_BYTES:
            self._oversize.inc()
            return
        head = HEAD.pack(size, FrameType.PUBLISH, 0, len(name))
        transport.write(b"".join((head, name, header, payload)))

    def _name(self, subject: str) -> bytes:
        if len(self._names) >= _MAX_CACHED:
            self._names.clear()
        name = self._names[subject] = check_subject(subject).encode("ascii")
        return name

    async def subscribe(self, pattern: str, sink: Sink) -> Subscription:
        self._check_open()
        reader = self._router.add(pattern, sink)
        try:
            await self._link.confirm(FrameType.SUBSCRIBE, pattern, limit=_CONFIRM_LIMIT_S)
        except BaseException:
            await self.unsubscribe(reader)
            raise
        return _SinkSubscription(self, reader)

    async def unsubscribe(self, reader: Reader) -> None:
        if not reader.active:
            return
        self._router.remove(reader)
        if reader.pattern not in self._router.patterns():
            self._link.send(FrameType.UNSUBSCRIBE, self._link.new_identity(), reader.pattern)

    # Requests

    async def request(self, subject: str, command: Command, timeout: float = 5.0) -> Reply:
        self._check_open()
        server = self._servers.pick(check_subject(subject))
        try:
            async with asyncio.timeout(timeout):
                if server is not None:
                    return await server.answer(command)
                return await self._request(subject, encode(command), timeout)
        except TimeoutError:
            if self._link.transport is None:
                raise BusError(f"the bus broker at {self.path} does not answer") from None
            raise timed_out(subject, timeout) from None

    async def _request(self, subject: str, body: bytes, timeout: float) -> Reply:
        if len(body) > MAX_MESSAGE_BYTES:
            raise too_large(subject)
        await self._link.wait_up(None)
        limit = MILLISECONDS.pack(max(1, min(int(timeout * 1000), 2**31)))
        kind, answer = await self._link.ask(FrameType.REQUEST, subject, limit, body)
        if kind == FrameType.NOBODY:
            raise nobody(subject)
        if kind != FrameType.REPLY:
            raise BusError(f"{subject} gave no answer: {answer.decode('utf-8', 'replace')}")
        return reply_in(answer, subject)

    async def serve(self, subject: str, handler: Handler) -> Subscription:
        self._check_open()
        server = Server(check_subject(subject), handler, self._stop_serving)
        self._servers.add(server)
        await self._link.confirm(FrameType.SERVE, subject, limit=_CONFIRM_LIMIT_S)
        return server

    def _stop_serving(self, server: Server) -> None:
        self._servers.remove(server)
        if server.subject not in self._servers.subjects():
            self._link.send(FrameType.UNSERVE, self._link.new_identity(), server.subject)

    # Durable messages

    async def publish_durable(self, subject: str, message: Message) -> None:
        self._check_open()
        check_subject(subject)
        body = encode(message)
        if is_oversize(message) or len(body) > MAX_MESSAGE_BYTES:
            self._oversize.inc()
            raise too_large(subject)
        identity = os.urandom(16)
        try:
            async with asyncio.timeout(_KEEP_LIMIT_S):
                while True:
                    await self._link.wait_up(None)
                    kind, _ = await self._link.ask(FrameType.KEEP, subject, identity, body)
                    if kind == FrameType.DONE:
                        return
        except TimeoutError:
            raise BusError(
                f"message for {subject} could not be kept: no answer from the bus broker "
                f"at {self.path} for {_KEEP_LIMIT_S:g} s"
            ) from None

    async def subscribe_durable(
        self, pattern: str, group: str, handler: DurableHandler
    ) -> Subscription:
        self._check_open()
        identity = self._link.new_identity()
        reader = DurableReader(
            identity, check_pattern(pattern), group, handler, self._link, self._durable
        )
        self._durable[identity] = reader
        reader.join()
        return reader

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._router.clear()
        await self._servers.close()
        for reader in list(self._durable.values()):
            await reader.close()
        await self._link.close()
        await self._tasks.stop()
        if self._broker is not None:
            await self._broker.close()

    def _check_open(self) -> None:
        if self._closed:
            raise BusError("the bus is closed")

    # The connection

    async def _stay_connected(self) -> None:
        backoff = Backoff(first=0.05, longest=2.0)
        loop = asyncio.get_running_loop()
        lost = False
        while True:
            try:
                await self._maybe_host()
                await loop.create_unix_connection(self._link.protocol, str(self.path))
                async with asyncio.timeout(5.0):
                    await self._link.greet()
            except (OSError, TimeoutError, BusError) as error:
                self._link.drop()
                if not lost:
                    log.warning(
                        "bus broker cannot be reached, trying on",
                        path=str(self.path),
                        error=redact(f"{type(error).__name__}: {error}"),
                    )
                lost = True
                await asyncio.sleep(backoff.next())
                continue
            if lost:
                metrics.reconnects.labels("local").inc()
                log.info("bus broker reached again", path=str(self.path))
            backoff.reset()
            self._announce()
            await self._link.wait_down()
            if self._closed:
                return
            lost = True
            log.warning("bus broker went away", path=str(self.path))

    async def _maybe_host(self) -> None:
        """Become the broker, if that is wanted and nobody else is."""
        if not self._host or self._broker is not None:
            return
        broker = LocalBroker(self.path)
        try:
            await broker.start()
        except BrokerExists:
            return
        self._broker = broker

    def _announce(self) -> None:
        """Tell a broker that does not know us what we want and serve."""
        for pattern in self._router.patterns():
            self._link.send(FrameType.SUBSCRIBE, self._link.new_identity(), pattern)
        for subject in self._servers.subjects():
            self._link.send(FrameType.SERVE, self._link.new_identity(), subject)
        for reader in self._durable.values():
            reader.join()
        self._link.set_up()

    def _on_frame(self, kind: int, identity: int, subject: str, body: memoryview) -> None:
        """A frame that is not the answer to a question of ours."""
        if kind == FrameType.PUBLISH:
            self._router.deliver(subject, decode(body))
        elif kind == FrameType.REQUEST:
            server = self._servers.pick(subject)
            if server is None:
                self._link.send(FrameType.REFUSED, identity, "", b"it stopped serving")
            else:
                command = bytes(body[MILLISECONDS.size :])
                self._tasks.start(answer_there(server, self._link, identity, command))
        elif kind == FrameType.DELIVER:
            reader = self._durable.get(identity)
            if reader is not None:
                reader.deliver(subject, bytes(body))


class _SinkSubscription:
    def __init__(self, bus: LocalBus, reader: Reader) -> None:
        self._bus = bus
        self._reader = reader

    async def close(self) -> None:
        await self._bus.unsubscribe(self._reader)

"""The bus between machines, over NATS.

Media, states and notices go over core NATS, durable messages over JetStream (one stream,
`VMS_EVENTS`, file storage, made where it is absent). The server needs `max_payload: 10MB`
and JetStream. Sinks of the publishing process get messages by reference, before `publish`
returns; the server passes them to the others and drops what a slow one cannot take.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.js import JetStreamContext

from vms.bus import metrics
from vms.bus.nats_link import DURABLE, NatsLink
from vms.bus.nats_readers import DurableReader, PatternReader, unsubscribe
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
from vms.common.errors import BusError, ParseError
from vms.common.model.messages import Command, Message, Reply
from vms.common.secret import redact
from vms.proto.codec import decode, encode

log = structlog.get_logger(__name__)

T = TypeVar("T")

_WRITE_LIMIT = 32 * 1024 * 1024
_KEEP_LIMIT_S = 30.0
_KEEP_TRY_S = 5.0
_CONFIRM_LIMIT_S = 5.0


class NatsBus:
    """Made by `connect`. All calls belong to the thread of one event loop."""

    def __init__(self, link: NatsLink, context: JetStreamContext) -> None:
        self._link = link
        self._client = link.client
        self._context = context
        self._router = Router()
        self._patterns: dict[str, PatternReader] = {}
        self._servers = Servers()
        self._serving: dict[Server, NatsSubscription] = {}
        self._durable: set[DurableReader] = set()
        self._tasks = Tasks()
        self._closed = False
        self._published = metrics.published.labels("nats")
        self._slow = metrics.dropped.labels("nats", "slow")
        self._oversize = metrics.dropped.labels("nats", "oversize")
        self._disconnected = metrics.dropped.labels("nats", "disconnected")
        link.on_connected = self._on_connected

    @classmethod
    async def connect(cls, servers: str | Sequence[str], timeout: float = 10.0) -> NatsBus:
        """Connect to one of `servers` (`nats://user:password@host:port`).

        Raises BusError where none answers, or it is not set up for the bus.
        """
        link = NatsLink()
        context = await link.connect([servers] if isinstance(servers, str) else servers, timeout)
        return cls(link, context)

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected)

    def _on_connected(self) -> None:
        for reader in self._durable:
            reader.ask_again()

    # Publish and subscribe

    def publish(self, subject: str, message: Message) -> None:
        if is_oversize(message):
            self._oversize.inc()
            return
        self._published.inc()
        self._router.deliver(subject, message)
        if not self._client.is_connected:
            self._disconnected.inc()
            return
        if self._client.pending_data_size > _WRITE_LIMIT:
            self._slow.inc()
            return
        data = encode(message)
        if len(data) > MAX_MESSAGE_BYTES:
            self._oversize.inc()
            return
        self._send(subject, data)

    def _send(self, subject: str, data: bytes) -> None:
        """Leave a message with the client, which writes it out by itself.

        The client's `publish` suspends only where its own bounds, wider than ours, are
        reached; by then it has the message, so there is nothing to wait for.
        """
        publishing = self._client.publish(subject, data)
        try:
            publishing.send(None)
        except StopIteration:
            return
        except (nats.errors.Error, OSError) as error:
            self._disconnected.inc()
            log.debug("nats publish failed", error=redact(str(error)))
        publishing.close()

    async def subscribe(self, pattern: str, sink: Sink) -> Subscription:
        self._check_open()
        here = self._router.add(pattern, sink)
        shared = self._patterns.get(pattern)
        new = shared is None
        if shared is None:
            shared = self._patterns[pattern] = PatternReader(pattern)
        shared.router.join(here)
        try:
            if new:
                await self._talk(shared.start(self._client), pattern)
            await self._confirm(pattern)
        except BaseException:
            await self.unsubscribe(here)
            raise
        return _SinkSubscription(self, here)

    async def unsubscribe(self, reader: Reader) -> None:
        if not reader.active:
            return
        self._router.remove(reader)
        shared = self._patterns.get(reader.pattern)
        if shared is None:
            return
        shared.router.remove(reader)
        if not shared.router.patterns():
            del self._patterns[reader.pattern]
            await shared.stop()

    async def _confirm(self, subject: str) -> None:
        """Wait until the server knows what was sent; without one, it will be told later."""
        if not self._client.is_connected:
            return
        try:
            await self._link.flush(_CONFIRM_LIMIT_S)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            if self._client.is_connected:
                raise BusError(f"the NATS server did not take {subject}: {error}") from None

    async def _talk(self, call: Coroutine[Any, Any, T], subject: str) -> T:
        try:
            return await call
        except (nats.errors.Error, OSError) as error:
            raise BusError(
                f"the NATS server did not take {subject}: {redact(str(error))}"
            ) from None

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
            if not self._client.is_connected:
                raise BusError("the NATS server does not answer") from None
            raise timed_out(subject, timeout) from None

    async def _request(self, subject: str, body: bytes, timeout: float) -> Reply:
        if len(body) > MAX_MESSAGE_BYTES:
            raise too_large(subject)
        try:
            message = await self._client.request(subject, body, timeout=timeout)
        except nats.errors.NoRespondersError:
            raise nobody(subject) from None
        except nats.errors.TimeoutError:
            raise TimeoutError from None
        except (nats.errors.Error, OSError) as error:
            raise BusError(f"{subject} cannot be asked: {redact(str(error))}") from None
        return reply_in(message.data, subject)

    async def serve(self, subject: str, handler: Handler) -> Subscription:
        self._check_open()
        server = Server(check_subject(subject), handler, self._stop_serving)
        self._servers.add(server)

        async def on_message(message: Msg) -> None:
            self._tasks.start(self._answer(server, message))

        self._serving[server] = await self._talk(
            self._client.subscribe(subject, queue="vms", cb=on_message), subject
        )
        await self._confirm(subject)
        return server

    async def _answer(self, server: Server, message: Msg) -> None:
        try:
            command = decode(message.data)
            if not isinstance(command, Command):
                raise ParseError(f"{type(command).__name__} is not a command")
            reply = encode(await server.answer(command))
            if len(reply) > MAX_MESSAGE_BYTES:
                raise too_large(server.subject)
        except (BusError, ParseError) as error:
            reply = encode(Reply(error=str(error)))
        if message.reply:
            try:
                await self._client.publish(message.reply, reply)
            except (nats.errors.Error, OSError) as error:
                log.warning("reply could not be sent", error=redact(str(error)))

    def _stop_serving(self, server: Server) -> None:
        self._servers.remove(server)
        subscription = self._serving.pop(server, None)
        if subscription is not None and not self._closed:
            self._tasks.start(unsubscribe(subscription))

    # Durable messages

    async def publish_durable(self, subject: str, message: Message) -> None:
        self._check_open()
        check_subject(subject)
        body = encode(message)
        if is_oversize(message) or len(body) > MAX_MESSAGE_BYTES:
            self._oversize.inc()
            raise too_large(subject)
        headers = {"Nats-Msg-Id": os.urandom(16).hex()}
        last = "no answer"
        try:
            async with asyncio.timeout(_KEEP_LIMIT_S):
                while True:
                    try:
                        await self._context.publish(
                            DURABLE + subject, body, timeout=_KEEP_TRY_S, headers=headers
                        )
                    except (nats.errors.Error, OSError) as error:
                        last = redact(str(error)) or type(error).__name__
                        await asyncio.sleep(0.2)
                        continue
                    return
        except TimeoutError:
            raise BusError(
                f"message for {subject} could not be kept within {_KEEP_LIMIT_S:g} s: {last}"
            ) from None

    async def subscribe_durable(
        self, pattern: str, group: str, handler: DurableHandler
    ) -> Subscription:
        self._check_open()
        reader = DurableReader(self._link, self._context, check_pattern(pattern), group, handler)
        await reader.start()
        self._durable.add(reader)
        return _DurableSubscription(reader, self._durable)

    async def close(self) -> None:
        """Send what waits, for at most a second, and leave."""
        if self._closed:
            return
        self._closed = True
        self._router.clear()
        await self._servers.close()
        for reader in list(self._durable):
            await reader.close()
        for pattern in self._patterns.values():
            pattern.router.clear()
        await self._flush()
        await self._tasks.stop()
        await self._link.close()

    async def _flush(self) -> None:
        try:
            if self._client.is_connected:
                await self._link.flush(1.0)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            log.debug("nats messages lost on leaving", error=redact(str(error)))

    def _check_open(self) -> None:
        if self._closed:
            raise BusError("the bus is closed")


class _SinkSubscription:
    def __init__(self, bus: NatsBus, reader: Reader) -> None:
        self._bus = bus
        self._reader = reader

    async def close(self) -> None:
        await self._bus.unsubscribe(self._reader)


class _DurableSubscription:
    def __init__(self, reader: DurableReader, readers: set[DurableReader]) -> None:
        self._reader = reader
        self._readers = readers

    async def close(self) -> None:
        if self._reader in self._readers:
            self._readers.discard(self._reader)
            await self._reader.close()

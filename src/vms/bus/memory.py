"""The bus of one process: messages are passed by reference, nothing is copied."""

from __future__ import annotations

import asyncio

from vms.bus import metrics
from vms.bus.durable import DurableLog, Group
from vms.bus.patterns import check_subject
from vms.bus.port import Delivery, DurableHandler, Handler, Sink, Subscription
from vms.bus.routing import Reader, Router
from vms.bus.serving import (
    MAX_UNIT_BYTES,
    Server,
    Servers,
    Tasks,
    handle_durable,
    is_oversize,
    nobody,
    timed_out,
    too_large,
)
from vms.common.errors import BusError
from vms.common.model.media import AccessUnit
from vms.common.model.messages import Command, Message, Reply

_IDLE = 3600.0


class MemoryBus:
    """All calls belong to the thread of one event loop.

    `publish` calls the sinks before it returns, in the order in which they subscribed.
    Durable messages live as long as the bus.
    """

    def __init__(self) -> None:
        self._router = Router()
        self._servers = Servers()
        self._log: DurableLog[Message] = DurableLog("memory")
        self._durable: set[_DurableReader] = set()
        self._closed = False
        self._published = metrics.Tally(metrics.published.labels("memory"))
        self._oversize = metrics.dropped.labels("memory", "oversize")

    def publish(self, subject: str, message: Message) -> None:
        if type(message) is AccessUnit and len(message.data) > MAX_UNIT_BYTES:
            self._oversize.inc()
            return
        self._published.add()
        self._router.deliver(subject, message)

    async def subscribe(self, pattern: str, sink: Sink) -> Subscription:
        self._check_open()
        return _SinkSubscription(self._router, self._router.add(pattern, sink))

    async def request(self, subject: str, command: Command, timeout: float = 5.0) -> Reply:
        self._check_open()
        server = self._servers.pick(check_subject(subject))
        if server is None:
            raise nobody(subject)
        try:
            async with asyncio.timeout(timeout):
                return await server.answer(command)
        except TimeoutError:
            raise timed_out(subject, timeout) from None

    async def serve(self, subject: str, handler: Handler) -> Subscription:
        self._check_open()
        server = Server(check_subject(subject), handler, self._servers.remove)
        self._servers.add(server)
        return server

    async def publish_durable(self, subject: str, message: Message) -> None:
        self._check_open()
        check_subject(subject)
        if is_oversize(message):
            self._oversize.inc()
            raise too_large(subject)
        self._log.append(subject, message)
        for reader in self._durable:
            reader.wake.set()

    async def subscribe_durable(
        self, pattern: str, group: str, handler: DurableHandler
    ) -> Subscription:
        self._check_open()
        reader = _DurableReader(self._log.group(group, pattern), handler, self._durable)
        self._durable.add(reader)
        return reader

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._router.clear()
        await self._servers.close()
        for reader in list(self._durable):
            await reader.close()

    def _check_open(self) -> None:
        if self._closed:
            raise BusError("the bus is closed")


class _SinkSubscription:
    def __init__(self, router: Router, reader: Reader) -> None:
        self._router = router
        self._reader = reader

    async def close(self) -> None:
        self._router.remove(self._reader)


class _DurableReader:
    """One reader of a group: takes one message at a time."""

    def __init__(
        self, group: Group[Message], handler: DurableHandler, readers: set[_DurableReader]
    ) -> None:
        self.wake = asyncio.Event()
        self._group = group
        self._handler = handler
        self._readers = readers
        self._tasks = Tasks()
        self._tasks.start(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.wake.clear()
            taken = self._group.take(loop.time())
            if taken is None:
                due = self._group.next_due()
                wait = _IDLE if due is None else max(due - loop.time(), 0.0)
                try:
                    async with asyncio.timeout(wait):
                        await self.wake.wait()
                except TimeoutError:
                    pass
                continue
            entry, attempt = taken
            finished = False
            try:
                if await handle_durable(
                    self._handler, Delivery(entry.subject, entry.item), attempt
                ):
                    self._group.done(entry.number)
                else:
                    self._group.failed(entry.number, loop.time())
                finished = True
            finally:
                if not finished:
                    self._give_back(entry.number)

    def _give_back(self, number: int) -> None:
        self._group.give_back(number)
        for reader in self._readers:
            reader.wake.set()

    async def close(self) -> None:
        self._readers.discard(self)
        await self._tasks.stop()

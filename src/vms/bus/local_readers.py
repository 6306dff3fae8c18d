"""Handlers of a client of the local bus: of commands, and of durable messages."""

from __future__ import annotations

import structlog

from vms.bus.frames import DELIVERY, NUMBER, FrameType
from vms.bus.local_link import Link
from vms.bus.port import Delivery, DurableHandler
from vms.bus.serving import MAX_MESSAGE_BYTES, Server, Tasks, handle_durable, too_large
from vms.common.errors import BusError, ParseError
from vms.common.model.messages import Command
from vms.proto.codec import decode, encode

log = structlog.get_logger(__name__)


async def answer_there(server: Server, link: Link, identity: int, body: bytes) -> None:
    """Answer a command that came over `link`."""
    epoch = link.epoch
    kind = FrameType.REPLY
    try:
        command = decode(body)
        if not isinstance(command, Command):
            raise ParseError(f"{type(command).__name__} is not a command")
        reply = encode(await server.answer(command))
        if len(reply) > MAX_MESSAGE_BYTES:
            raise too_large(server.subject)
    except (BusError, ParseError) as error:
        kind, reply = FrameType.REFUSED, str(error).encode()
    # A broker that came later did not ask.
    if link.epoch == epoch:
        link.send(kind, identity, "", reply)


class DurableReader:
    """One reader of a group: the broker gives it one message at a time."""

    def __init__(
        self,
        identity: int,
        pattern: str,
        group: str,
        handler: DurableHandler,
        link: Link,
        readers: dict[int, DurableReader],
    ) -> None:
        self._identity = identity
        self._pattern = pattern
        self._group = group
        self._handler = handler
        self._link = link
        self._readers = readers
        self._tasks = Tasks()

    def join(self) -> None:
        self._link.send(FrameType.JOIN, self._identity, self._pattern, self._group.encode())

    def deliver(self, subject: str, body: bytes) -> None:
        if len(body) < DELIVERY.size:
            raise ParseError("durable message is cut short")
        number, attempt = DELIVERY.unpack_from(body)
        self._tasks.start(self._handle(subject, body[DELIVERY.size :], number, attempt))

    async def _handle(self, subject: str, data: bytes, number: int, attempt: int) -> None:
        epoch = self._link.epoch
        try:
            delivery = Delivery(subject, decode(data))
        except ParseError as error:
            log.error("durable message cannot be read, left out", subject=subject, error=str(error))
            taken = True
        else:
            taken = await handle_durable(self._handler, delivery, attempt)
        # A broker that came later counts its messages anew.
        if self._link.epoch == epoch:
            kind = FrameType.TAKEN if taken else FrameType.FAILED
            self._link.send(kind, self._identity, "", NUMBER.pack(number))

    async def close(self) -> None:
        if self._readers.pop(self._identity, None) is not None:
            await self._tasks.stop()
            self._link.send(FrameType.LEAVE, self._identity, "")

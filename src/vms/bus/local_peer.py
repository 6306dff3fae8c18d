"""One client of the local broker, as the broker sees it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol, cast

import structlog

from vms.bus.durable import Group
from vms.bus.frames import DELIVERY, NUMBER, PROTOCOL, FrameReader, FrameType, frame
from vms.common.errors import ParseError

log = structlog.get_logger(__name__)

MEDIA_LIMIT = 16 * 1024 * 1024
"""Bytes that may wait for a slow client before it loses media."""
LIMIT = 2 * MEDIA_LIMIT
"""Bytes that may wait before it loses anything else that may be lost."""

_WARN_EVERY_S = 10.0


class Broker(Protocol):
    """What a peer needs of its broker."""

    def joined(self, peer: Peer) -> None: ...

    def left(self, peer: Peer) -> None: ...

    def handle(
        self, peer: Peer, view: memoryview, kind: int, identity: int, subject: bytes, body: int
    ) -> None: ...


@dataclass(slots=True)
class Asked:
    """A request on its way."""

    client: Peer
    identity: int
    server: Peer
    timer: asyncio.TimerHandle


@dataclass(slots=True)
class DurableReader:
    """A reader of a group; `number` is the message it works on."""

    group: Group[bytes]
    number: int | None = None


class Peer(asyncio.BufferedProtocol):
    def __init__(self, broker: Broker) -> None:
        self.patterns: set[str] = set()
        self.subjects: set[str] = set()
        self.readers: dict[int, DurableReader] = {}
        self.dropped = 0
        self._broker = broker
        self._transport: asyncio.Transport | None = None
        self._frames = FrameReader(self._on_frame)
        self._greeted = False
        self._warned_at = -_WARN_EVERY_S

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop's transports are subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._broker.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._broker.left(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._frames.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._frames.buffer_updated(nbytes)
        except ParseError as error:
            log.error("local bus client dropped: it does not speak the protocol", error=str(error))
            self.abort()

    def _on_frame(
        self, view: memoryview, kind: int, identity: int, subject: bytes, body: int
    ) -> None:
        if self._transport is None:
            return
        if self._greeted:
            self._broker.handle(self, view, kind, identity, subject, body)
            return
        if kind != FrameType.HELLO or identity != PROTOCOL:
            raise ParseError(f"its first frame is not a greeting of version {PROTOCOL}")
        self._greeted = True
        self.send(frame(FrameType.HELLO, PROTOCOL))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # Sending

    @property
    def is_slow(self) -> bool:
        return self._transport is None or self._transport.get_write_buffer_size() > MEDIA_LIMIT

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def send_lossy(self, data: bytes, media: bool) -> bool:
        """Send unless too much waits already; False where it was dropped."""
        transport = self._transport
        if transport is None:
            return True
        if transport.get_write_buffer_size() > (MEDIA_LIMIT if media else LIMIT):
            self.dropped += 1
            now = time.monotonic()
            if now - self._warned_at > _WARN_EVERY_S:
                self._warned_at = now
                log.warning("local bus client is slow and loses messages", dropped=self.dropped)
            return False
        transport.write(data)
        return True

    # Durable reading

    def join(self, identity: int, group: Group[bytes]) -> None:
        self.leave(identity)
        self.readers[identity] = DurableReader(group)

    def leave(self, identity: int) -> None:
        reader = self.readers.pop(identity, None)
        if reader is not None and reader.number is not None:
            reader.group.give_back(reader.number)

    def finished(self, identity: int, body: memoryview, taken: bool) -> None:
        """The client took the message it was given, or failed to."""
        if len(body) != NUMBER.size:
            raise ParseError("local bus acknowledgement has the wrong size")
        (number,) = NUMBER.unpack(body)
        reader = self.readers.get(identity)
        if reader is None or reader.number != number:
            return
        reader.number = None
        if taken:
            reader.group.done(number)
        else:
            reader.group.failed(number, asyncio.get_running_loop().time())

    def pump(self, now: float) -> None:
        """Give idle readers their next message."""
        for identity, reader in self.readers.items():
            if reader.number is not None:
                continue
            taken = reader.group.take(now)
            if taken is None:
                continue
            entry, attempt = taken
            reader.number = entry.number
            head = DELIVERY.pack(entry.number, attempt)
            self.send(frame(FrameType.DELIVER, identity, entry.subject, head, entry.item))

"""A client's connection to the local broker: frames out, answers matched to questions."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import cast

import structlog

from vms.bus.frames import PROTOCOL, FrameReader, FrameType, frame
from vms.common.errors import BusError, ParseError, VmsError

log = structlog.get_logger(__name__)

_ANSWERS = frozenset({FrameType.DONE, FrameType.NOBODY, FrameType.REFUSED, FrameType.REPLY})
_MAX_NAMES = 20_000


class Link:
    """Outlives its connections: `transport` is None between them.

    `epoch` counts connections, so that an answer is never sent to a broker that did not
    ask. `on_frame(kind, identity, subject, body)` gets what is not an answer; the body is
    a view that is valid until it returns.
    """

    def __init__(self, on_frame: Callable[[int, int, str, memoryview], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self.epoch = 0
        self._on_frame = on_frame
        self._identities = itertools.count(1)
        self._questions: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._candidate: _Protocol | None = None
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._down.set()

    def new_identity(self) -> int:
        return next(self._identities) & 0xFFFFFFFF

    # Sending

    def send(self, kind: FrameType, identity: int, subject: str, *body: bytes) -> None:
        """Send a frame if there is a connection."""
        candidate = self._candidate
        if candidate is not None and candidate.transport is not None:
            candidate.transport.write(frame(kind, identity, subject, *body))

    async def ask(self, kind: FrameType, subject: str, *body: bytes) -> tuple[int, bytes]:
        """Send a frame and wait for its answer: type and body.

        Without a connection, or when it is lost, the answer is REFUSED.
        """
        identity = self.new_identity()
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        if self._down.is_set():
            return FrameType.REFUSED, b"no connection to the bus broker"
        self._questions[identity] = future
        try:
            self.send(kind, identity, subject, *body)
            return await future
        finally:
            self._questions.pop(identity, None)

    async def confirm(self, kind: FrameType, subject: str, limit: float) -> None:
        """Ask and wait until it is done; a later connection does it again by itself."""
        try:
            async with asyncio.timeout(limit):
                await self.ask(kind, subject)
        except TimeoutError:
            raise BusError(f"the bus broker did not take {subject} within {limit:g} s") from None

    # The connection

    def protocol(self) -> _Protocol:
        """A protocol for a connection about to be made."""
        self._candidate = _Protocol(self)
        return self._candidate

    async def greet(self) -> None:
        """Tell the broker our version; raises BusError where it hangs up."""
        assert self._candidate is not None
        self.send(FrameType.HELLO, PROTOCOL, "")
        if not await self._candidate.greeted:
            raise BusError("the broker hung up: is it of another version?")

    def set_up(self) -> None:
        """The connection may be used."""
        if self._candidate is not None and self._candidate.transport is not None:
            self.epoch += 1
            self.transport = self._candidate.transport
            self._down.clear()
            self._up.set()

    async def wait_up(self, timeout: float | None) -> None:
        """Raises TimeoutError."""
        if not self._up.is_set():
            async with asyncio.timeout(timeout):
                await self._up.wait()

    async def wait_down(self) -> None:
        await self._down.wait()

    async def close(self) -> None:
        """Send what is left for at most a second, and hang up."""
        candidate = self._candidate
        if candidate is None or candidate.transport is None:
            return
        candidate.transport.close()
        await asyncio.wait([asyncio.ensure_future(candidate.lost)], timeout=1.0)
        if candidate.transport is not None:
            candidate.transport.abort()

    def drop(self) -> None:
        """Leave a connection that did not come about."""
        candidate, self._candidate = self._candidate, None
        if candidate is not None and candidate.transport is not None:
            candidate.transport.abort()

    def lost(self, protocol: _Protocol) -> None:
        if protocol is not self._candidate:
            return
        self.transport = None
        self._up.clear()
        self._down.set()
        for future in self._questions.values():
            if not future.done():
                future.set_result((FrameType.REFUSED, b"the connection to the broker was lost"))

    def received(self, kind: int, identity: int, subject: str, body: memoryview) -> None:
        if kind in _ANSWERS:
            future = self._questions.get(identity)
            if future is not None and not future.done():
                future.set_result((kind, bytes(body)))
            return
        self._on_frame(kind, identity, subject, body)


class _Protocol(asyncio.BufferedProtocol):
    def __init__(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.greeted: asyncio.Future[bool] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._link = link
        self._frames = FrameReader(self._on_frame)
        self._names: dict[bytes, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop's transports are subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if not self.greeted.done():
            self.greeted.set_result(False)
        if not self.lost.done():
            self.lost.set_result(None)
        self._link.lost(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._frames.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._frames.buffer_updated(nbytes)
        except ParseError as error:
            log.error("bus broker does not speak the protocol, connecting anew", error=str(error))
            if self.transport is not None:
                self.transport.abort()

    def _on_frame(
        self, view: memoryview, kind: int, identity: int, subject: bytes, body: int
    ) -> None:
        if kind == FrameType.HELLO:
            if not self.greeted.done():
                self.greeted.set_result(True)
            return
        name = self._names.get(subject)
        if name is None:
            name = subject.decode("ascii", "replace")
            if len(self._names) >= _MAX_NAMES:
                self._names.clear()
            self._names[subject] = name
        try:
            self._link.received(kind, identity, name, view[body:])
        except VmsError as error:
            # One message that cannot be read says nothing about the stream of frames.
            log.error("bus message cannot be read", subject=name, error=str(error))

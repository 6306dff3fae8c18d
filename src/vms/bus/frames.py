"""The frames of the local bus.

A frame is its size in 4 bytes, big-endian, not counting themselves; one byte of type; an
identity in 4 bytes; the length of a subject in one byte; the subject; and a body.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum

from vms.bus.serving import MAX_MESSAGE_BYTES
from vms.common.errors import ParseError

PROTOCOL = 1
HEAD = struct.Struct(">IBIB")
HEAD_SIZE = HEAD.size
MAX_FRAME_BYTES = MAX_MESSAGE_BYTES + 4096

DELIVERY = struct.Struct(">QI")
"""Before the message of DELIVER: its number in the log, and which attempt this is."""
NUMBER = struct.Struct(">Q")
MILLISECONDS = struct.Struct(">I")
IDENTITY_SIZE = 16

_BUFFER_BYTES = 256 * 1024


class FrameType(IntEnum):
    """What a frame says; c: sent by a client, b: by the broker."""

    HELLO = 1  # c: identity = PROTOCOL
    PUBLISH = 2  # cb: body = message
    SUBSCRIBE = 3  # c: subject = pattern
    UNSUBSCRIBE = 4  # c: subject = pattern
    SERVE = 5  # c
    UNSERVE = 6  # c
    REQUEST = 7  # cb: body = time limit in ms, message
    REPLY = 8  # cb: body = message
    KEEP = 9  # c: body = identity of the message, message
    JOIN = 10  # c: subject = pattern, body = group
    LEAVE = 11  # c: identity = that of JOIN
    DELIVER = 12  # b: identity = that of JOIN, body = DELIVERY, message
    TAKEN = 13  # c: identity = that of JOIN, body = number
    FAILED = 14  # c: identity = that of JOIN, body = number
    DONE = 15  # b: identity = that of what was asked
    NOBODY = 16  # b: the request of that identity has no server
    REFUSED = 17  # b: body = why


def frame(kind: FrameType, identity: int = 0, subject: str = "", *body: bytes) -> bytes:
    """One whole frame. Subjects are ASCII, 255 bytes at most."""
    name = subject.encode("ascii")
    size = HEAD_SIZE - 4 + len(name) + sum(map(len, body))
    return b"".join((HEAD.pack(size, kind, identity, len(name)), name, *body))


class FrameReader:
    """Cuts a stream of bytes into frames, in the shape of `asyncio.BufferedProtocol`.

    `handle(view, kind, identity, subject, body)` gets the whole frame as a view that is
    valid until it returns, and where its body starts. Raises ParseError on a frame that
    cannot be; the connection is then of no more use.
    """

    def __init__(self, handle: Callable[[memoryview, int, int, bytes, int], None]) -> None:
        self._handle = handle
        self._view = memoryview(bytearray(_BUFFER_BYTES))
        self._start = 0
        self._end = 0

    def get_buffer(self) -> memoryview:
        """Where to put the next bytes."""
        return self._view[self._end :]

    def buffer_updated(self, count: int) -> None:
        """`count` bytes were put there."""
        self._end += count
        view = self._view
        start, end = self._start, self._end
        needed = HEAD_SIZE
        while end - start >= HEAD_SIZE:
            size, kind, identity, length = HEAD.unpack_from(view, start)
            body = HEAD_SIZE + length
            needed = size + 4
            if needed < body or size > MAX_FRAME_BYTES:
                raise ParseError(f"local bus frame of {size} bytes with a subject of {length}")
            if end - start < needed:
                break
            whole = view[start : start + needed]
            start += needed
            self._handle(whole, kind, identity, bytes(whole[HEAD_SIZE:body]), body)
            needed = HEAD_SIZE
        self._start = start
        self._make_room(needed)

    def _make_room(self, needed: int) -> None:
        """Leave space for a frame of `needed` bytes whose first part may be there."""
        left = self._end - self._start
        if left == 0:
            self._start = self._end = 0
            if len(self._view) > _BUFFER_BYTES:
                self._view = memoryview(bytearray(_BUFFER_BYTES))
            return
        if self._start + needed <= len(self._view):
            return
        rest = bytes(self._view[self._start : self._end])
        if needed > len(self._view):
            self._view = memoryview(bytearray(needed))
        self._view[:left] = rest
        self._start, self._end = 0, left

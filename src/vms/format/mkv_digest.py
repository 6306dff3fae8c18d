"""The hash of a group of pictures, the same before and after its clusters got their sizes.

A cluster's size is unknown while it is written and is put in place when it ends. The hash
takes it as unknown always, so that it can be made while the bytes pass; what the size says
is judged by structure instead: the elements of a cluster must end where its size says.
"""

from __future__ import annotations

from hashlib import sha256

from vms.common.errors import ParseError
from vms.format import mkv_ebml as ebml

_MAX_ELEMENT = 256 * 1024 * 1024
_HEAD = 12
"""Bytes of a cluster's ID and its size, as this system writes them."""


class GroupHasher:
    """Fed the bytes of a group as they lie in the file, in pieces; then ask `hexdigest`.

    Memory: a dozen bytes, whatever the pieces. `feed` raises ParseError where the bytes
    are no row of clusters, or a cluster's size does not fit what is in it.
    """

    __slots__ = ("_at", "_carry", "_cluster", "_hash", "_size", "_skip")

    def __init__(self) -> None:
        self._hash = sha256()
        self._carry = b""
        self._skip = 0
        self._at = 0
        self._cluster = -1
        self._size: int | None = None

    def feed(self, data: bytes) -> None:
        if self._carry:
            data = self._carry + data
        view = memoryview(data)
        at = done = 0
        while True:
            step = min(self._skip, len(data) - at)
            at += step
            self._skip -= step
            head = None if self._skip else ebml.read_head(data, at, len(data))
            if head is None:
                break
            element_id, size, body = head
            if element_id == ebml.CLUSTER:
                if body - at != _HEAD:
                    raise ParseError(f"a cluster with a head of {body - at} bytes, not {_HEAD}")
                self._judge(self._at + at)
                self._cluster, self._size = self._at + at, size
                self._hash.update(view[done : at + 4])
                self._hash.update(ebml.UNKNOWN_SIZE)
                done = body
            elif size is None or size > _MAX_ELEMENT or self._cluster < 0:
                raise ParseError(f"element 0x{element_id:X} has no place in a group of pictures")
            else:
                self._skip = size
            at = body
        self._hash.update(view[done:at])
        self._carry = data[at:]
        self._at += at

    def _judge(self, end: int) -> None:
        """The cluster being read ends at `end`, says what follows it."""
        if self._cluster < 0 or self._size is None:
            return
        if self._cluster + _HEAD + self._size != end:
            raise ParseError(f"a cluster of {self._size} bytes holds {end - self._cluster - _HEAD}")

    def hexdigest(self, cut_off: bool = False) -> str:
        """Raises ParseError where the bytes end within an element.

        `cut_off`: the last cluster's size may speak of what never came to be in the file.
        """
        if self._carry or self._skip or self._cluster < 0:
            raise ParseError("a group of pictures ends within an element")
        if not cut_off:
            self._judge(self._at)
        return self._hash.hexdigest()


def group_digest(data: bytes) -> str:
    """The hash of a whole group at hand. Raises ParseError."""
    hasher = GroupHasher()
    hasher.feed(data)
    return hasher.hexdigest()

"""A log of all that a recorder writes, and what of it a power cut may leave on the disk.

A stand-in for LazyFS: the recorder's own calls are noted at the operating system's edge, and
a cut is made anywhere in them. What was synced is there. Of the rest each page of 4 KiB is as
it was at any moment since, or mixed of two such moments at a sector of 512 bytes; the file is
as long as any of them, with zeros where nothing came.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PAGE = 4096
_SECTOR = 512


@dataclass(slots=True)
class Op:
    """A write of `data` at `offset` of the file `path`; a sync where `data` is None; a change
    of its length where it is empty. `mark` is what the caller knew to be durable before."""

    path: str
    offset: int
    data: bytes | None
    mark: Any = None


@dataclass(slots=True)
class WriteLog:
    """`ops` are in the order of the calls. `mark` is noted with each of them."""

    root: Path
    ops: list[Op] = field(default_factory=list)
    mark: Any = None

    def _note(self, descriptor: int, offset: int | None, data: bytes | None) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if not path.startswith(f"{self.root}/") or os.path.isdir(path):
            return
        # All that is not placed is appended: those writes have been made already.
        at = os.fstat(descriptor).st_size - len(data or b"") if offset is None else offset
        self.ops.append(Op(path, at, data, self.mark))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note what this process writes below the root."""
        real = {
            name: getattr(os, name)
            for name in ("write", "writev", "pwrite", "ftruncate", "fsync", "fdatasync")
        }  # fmt: skip

        def write(descriptor: int, data: Any) -> Any:
            done = real["write"](descriptor, data)
            self._note(descriptor, None, bytes(memoryview(data)[:done]))
            return done

        def writev(descriptor: int, parts: Any) -> Any:
            done = real["writev"](descriptor, parts)
            self._note(descriptor, None, b"".join(parts)[:done])
            return done

        def pwrite(descriptor: int, data: Any, offset: int) -> Any:
            done = real["pwrite"](descriptor, data, offset)
            self._note(descriptor, offset, bytes(memoryview(data)[:done]))
            return done

        def ftruncate(descriptor: int, length: int) -> None:
            real["ftruncate"](descriptor, length)
            self._note(descriptor, length, b"")

        def syncing(name: str) -> Any:
            def sync(descriptor: int) -> None:
                real[name](descriptor)
                self._note(descriptor, 0, None)

            return sync

        fakes: dict[str, Any] = {
            "write": write, "writev": writev, "pwrite": pwrite, "ftruncate": ftruncate,
            "fsync": syncing("fsync"), "fdatasync": syncing("fdatasync"),
        }  # fmt: skip
        for name, fake in fakes.items():
            setattr(os, name, fake)
        try:
            yield
        finally:
            for name, call in real.items():
                setattr(os, name, call)

    def after_cut(self, upto: int, chance: random.Random) -> dict[str, bytes]:
        """What each file may be once the power went after `upto` calls."""
        files: dict[str, _File] = {}
        for op in self.ops[:upto]:
            files.setdefault(op.path, _File()).take(op)
        return {path: file.left(chance) for path, file in files.items()}

    def synced(self, upto: int) -> dict[str, int]:
        """How long each file is that was synced, after `upto` calls."""
        files: dict[str, _File] = {}
        for op in self.ops[:upto]:
            files.setdefault(op.path, _File()).take(op)
        return {path: len(file.durable) for path, file in files.items() if file.known}


class _File:
    """What is durable of one file, and how its pages stood at each moment since."""

    def __init__(self) -> None:
        self.durable = b""
        self.known = False
        self._now = bytearray()
        self._pages: dict[int, list[bytes]] = {}
        self._lengths = [0]

    def take(self, op: Op) -> None:
        if op.data is None:
            self.durable, self.known = bytes(self._now), True
            self._pages, self._lengths = {}, [len(self._now)]
            return
        if not op.data:
            del self._now[op.offset :]
            self._lengths.append(op.offset)
            return
        end = op.offset + len(op.data)
        if len(self._now) < end:
            self._now.extend(bytes(end - len(self._now)))
        self._now[op.offset : end] = op.data
        self._lengths.append(len(self._now))
        for page in range(op.offset // _PAGE, (end - 1) // _PAGE + 1):
            at = page * _PAGE
            versions = self._pages.setdefault(page, [_padded(self.durable[at : at + _PAGE])])
            versions.append(_padded(self._now[at : at + _PAGE]))

    def left(self, chance: random.Random) -> bytes:
        """The file as a disk may keep it."""
        length = chance.choice((*self._lengths, chance.randint(min(self._lengths), len(self._now))))
        made = bytearray(self.durable[:length])
        made.extend(bytes(length - len(made)))
        for page, versions in self._pages.items():
            at = page * _PAGE
            if at >= length:
                continue
            kept = chance.choice(versions)
            if chance.random() < 0.3:
                other, cut = chance.choice(versions), chance.randrange(0, _PAGE, _SECTOR)
                kept = kept[:cut] + other[cut:]
            made[at : at + _PAGE] = kept[: length - at]
        return bytes(made)


def _padded(data: bytes | bytearray) -> bytes:
    return bytes(data) + bytes(_PAGE - len(data))

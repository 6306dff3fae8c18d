"""A case as it lies on a disk: its ZIP, or the folder it was unpacked to. For reading."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from vms.common.errors import ParseError
from vms.storage.export import zip_reader
from vms.storage.export.zip_layout import MAX_ENTRIES, is_name

_CHUNK = 1 << 20


class Source(Protocol):
    """The files of a case. Errors: ParseError, OSError."""

    @property
    def sizes(self) -> dict[str, int]:
        """Size in bytes by name."""
        ...

    def chunks(self, name: str) -> Iterator[bytes]: ...

    def container_problem(self, sums: dict[str, str]) -> str:
        """What is wrong around the files, empty where nothing is; `sums` are CRC-32 by name."""
        ...

    def close(self) -> None: ...


class ZipSource:
    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            self._entries = {
                one.name: one for one in zip_reader.read_entries(self._file, self._size)
            }
        except BaseException:
            self._file.close()
            raise

    @property
    def sizes(self) -> dict[str, int]:
        return {entry.name: entry.size for entry in self._entries.values()}

    def chunks(self, name: str) -> Iterator[bytes]:
        return zip_reader.chunks(self._file, self._entries[name])

    def container_problem(self, sums: dict[str, str]) -> str:
        entries = list(self._entries.values())
        if not zip_reader.headers_whole(self._file, self._size, entries):
            return "the ZIP's own headers are not as they were written"
        for entry in entries:
            if entry.name in sums and sums[entry.name] != f"{entry.crc:08x}":
                return f"the ZIP's check sum of {entry.name} is not as it was written"
        return ""

    def close(self) -> None:
        self._file.close()


class FolderSource:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.sizes: dict[str, int] = {}
        for folder, folders, files in os.walk(root):
            folders.sort()
            for name in [*files, *(one for one in folders if os.path.islink(f"{folder}/{one}"))]:
                self._add(Path(folder, name))

    def _add(self, path: Path) -> None:
        name = path.relative_to(self._root).as_posix()
        if path.is_symlink() or not path.is_file():
            raise ParseError(f"{name[:200]!r} in it is no plain file")
        if not is_name(name):
            raise ParseError(f"a file in it is called {name[:80]!r}, which no case would use")
        if len(self.sizes) >= MAX_ENTRIES:
            raise ParseError(f"more than {MAX_ENTRIES} files in it")
        self.sizes[name] = path.stat().st_size

    def chunks(self, name: str) -> Iterator[bytes]:
        left = self.sizes[name]
        with self._root.joinpath(name).open("rb") as file:
            while left and (data := file.read(min(_CHUNK, left))):
                left -= len(data)
                yield data

    def container_problem(self, sums: dict[str, str]) -> str:
        return ""

    def close(self) -> None:
        pass


def open_source(path: Path) -> Source:
    """Raises ParseError where it cannot be a case, OSError where it cannot be read."""
    return FolderSource(path) if path.is_dir() else ZipSource(path)


def read_whole(source: Source, name: str, limit: int) -> bytes:
    """Raises ParseError where it is not there or has more than `limit` bytes, OSError."""
    size = source.sizes.get(name)
    if size is None:
        raise ParseError(f"{name} is missing")
    if size > limit:
        raise ParseError(f"{name} has {size} bytes; at most {limit} are read")
    return b"".join(source.chunks(name))


def crc_of(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"

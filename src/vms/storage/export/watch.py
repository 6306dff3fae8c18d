"""How far an export is, and whether it is to end: shared by its thread and the event loop."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from vms.common.errors import VmsError
from vms.format.fmp4 import Track
from vms.storage.export.writer_mp4 import Pictures, Timed

_LOOK_EVERY = 32 << 20


class NoRoom(VmsError):
    """It does not fit on the disk, or into what exports may take."""

    http_status = 413


class Ended(Exception):
    """The export is to end: it was cancelled, or the process stops."""


class Watch:
    """`tick` and what moves it belong to the thread, `end` and `progress` to anybody."""

    def __init__(self, folder: Path, floor: int) -> None:
        """`floor`: bytes that stay free on the disk of `folder`."""
        self._folder, self._floor = folder, floor
        self._ending = False
        self._all, self._before, self._size = 1, 0, 0
        self._within = 0.0
        self._written = self._looked = 0
        self._told = False

    def end(self) -> None:
        """Let the thread raise Ended at its next step."""
        self._ending = True

    @property
    def progress(self) -> float:
        """0..1; all of it only once the file is whole."""
        return min(0.99, (self._before + self._within * self._size) / self._all)

    def plan(self, size: int, done: int) -> None:
        """There are `size` bytes to do, and `done` of them were done before."""
        self._all, self._before = max(1, size), done

    def begin(self, size: int) -> None:
        """The next file takes `size` of them."""
        self._size, self._within, self._written, self._told = size, 0.0, 0, False

    def finish(self) -> None:
        """The file is written."""
        self._before += self._size
        self._size, self._within = 0, 0.0

    def tell(self, share: float) -> None:
        """How much of the file is done, where its bytes do not say it. Raises Ended."""
        self._told, self._within = True, max(0.0, min(1.0, share))
        self.tick(0)

    def tick(self, count: int) -> None:
        """`count` bytes were written. Raises Ended, and NoRoom where space runs low."""
        if self._ending:
            raise Ended
        self._written += count
        self._looked += count
        if not self._told and self._size:
            self._within = min(1.0, self._written / self._size)
        if self._looked >= _LOOK_EVERY:
            self._looked = 0
            free = shutil.disk_usage(self._folder).free
            if free < self._floor:
                raise NoRoom(
                    f"the disk of {self._folder.parent} runs full: {free >> 20} MiB are free and "
                    f"{self._floor >> 20} MiB must stay so; free space there and export again"
                )


class Followed:
    """Pictures on their way through a decoder and an encoder, which take their time."""

    def __init__(self, pictures: Pictures, watch: Watch, span: tuple[int, int]) -> None:
        """`span` in nanoseconds of the file."""
        self._pictures, self._watch = pictures, watch
        self._from, self._lasts = span[0], max(1, span[1] - span[0])

    @property
    def parameters(self) -> Track:
        return self._pictures.parameters

    def push(self, time_ns: int, key: bool, data: bytes) -> Iterable[Timed]:
        self._watch.tell((time_ns - self._from) / self._lasts)
        return self._pictures.push(time_ns, key, data)

    def flush(self) -> Iterable[Timed]:
        return self._pictures.flush()

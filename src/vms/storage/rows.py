"""Keeps the catalog's rows in step with the files: opened, growing, closed.

The disk comes first: a catalog that does not answer stops no recording. What it missed
is kept (one row for each file) and told again later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from vms.bus import subjects
from vms.bus.port import Bus
from vms.common.clock import Clock
from vms.common.errors import BusError, CatalogError, Conflict
from vms.common.model.messages import SegmentClosed
from vms.common.model.segment import SegmentRow

log = structlog.get_logger(__name__)


class SegmentRows(Protocol):
    """What is needed of the catalog's segments."""

    async def add_many(self, segments: Iterable[SegmentRow]) -> None: ...

    async def extend_many(self, segments: Iterable[SegmentRow]) -> None: ...

    async def open_segments(self) -> list[SegmentRow]: ...

    async def update(self, segment: SegmentRow) -> None: ...

    async def remove(self, segment_id: str) -> None: ...

    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]: ...


class RowKeeper:
    """`opened`, `closed` and `flush` belong to the event loop's thread."""

    def __init__(
        self,
        segments: SegmentRows,
        bus: Bus,
        clock: Clock,
        every_s: float,
        growing: Callable[[], Iterable[SegmentRow]],
    ) -> None:
        """`growing` gives the rows of the files being written, as they are now."""
        self._segments = segments
        self._bus = bus
        self._clock = clock
        self._every = every_s
        self._growing = growing
        self._new: dict[str, SegmentRow] = {}
        self._ended: dict[str, SegmentRow] = {}
        self._told: dict[str, SegmentRow] = {}
        self._announce: list[SegmentRow] = []
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self.problem = ""
        """Why the catalog does not take what it should be told; empty while it does."""
        self.heard: Callable[[SegmentRow], None] = lambda _: None
        """Hears of each file that was closed, or mended."""

    def opened(self, row: SegmentRow) -> None:
        self._new[row.id] = row
        self._wake.set()

    def closed(self, row: SegmentRow) -> None:
        self._ended[row.id] = row
        self._wake.set()
        self.heard(row)

    async def run(self) -> None:
        """Until cancelled; `flush` once more after that."""
        while True:
            await self.flush()
            self._wake.clear()
            try:
                async with asyncio.timeout(self._every):
                    await self._wake.wait()
            except TimeoutError:
                continue
            # Files of many cameras open and close together: tell of them together.
            await self._clock.sleep(0.05)

    async def flush(self) -> None:
        """Tell the catalog all it does not know. What fails is kept for the next time."""
        async with self._lock:
            try:
                await self._tell_rows()
                await self._tell_readers()
                self.problem = ""
            except (CatalogError, BusError) as error:
                if str(error) != self.problem:
                    self.problem = str(error)
                    log.error(
                        "catalog or bus does not take news of recordings, trying again",
                        error=self.problem,
                        waiting=len(self._new) + len(self._ended) + len(self._announce),
                    )

    async def _tell_rows(self) -> None:
        new = list(self._new.values())
        if new:
            try:
                await self._segments.add_many(new)
            except Conflict:
                await self._add_singly(new)
            for row in new:
                self._new.pop(row.id, None)
        ended = list(self._ended.values())
        grown = [
            row
            for row in self._growing()
            if row.id not in self._new
            and row.id not in self._ended
            and self._told.get(row.id) != row
        ]
        if ended or grown:
            await self._segments.extend_many((*ended, *grown))
        for row in ended:
            self._ended.pop(row.id, None)
            self._told.pop(row.id, None)
            self._announce.append(row)
        self._told.update((row.id, row) for row in grown)

    async def _add_singly(self, rows: Iterable[SegmentRow]) -> None:
        """Some of them are there already: an answer was lost on its way to us."""
        for row in rows:
            try:
                await self._segments.add_many((row,))
            except Conflict as error:
                log.warning("recording is in the catalog already", path=row.path, error=str(error))

    async def _tell_readers(self) -> None:
        while self._announce:
            row = self._announce[0]
            await self._bus.publish_durable(
                subjects.segments(row.camera),
                SegmentClosed(row.camera, row.stream, row.id, row.start_ns, row.end_ns, row.size),
            )
            self._announce.pop(0)

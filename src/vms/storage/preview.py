"""Preview strips: ten minutes of a camera as one sheet of small pictures, one each 10 seconds.

A strip is made when it is first asked for, by one thread of low priority, from key pictures
alone, of the sub stream where that is recorded. Sheets are kept as files up to a bound; what
was used longest ago goes first. A sheet whose footage was still growing is kept for a moment
only. What cannot be read or decoded leaves its cell empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import structlog
from numpy.typing import NDArray

from vms.common.clock import Clock, SystemClock
from vms.common.errors import StorageError, VmsError
from vms.common.model.camera import check_id
from vms.common.model.segment import SegmentRow
from vms.storage.footage import PlaybackCatalog, VolumeOf, rows_of
from vms.storage.masking import Outline, Painter
from vms.storage.playback import PlaybackBusy
from vms.storage.recording import Recording
from vms.storage.snapshot import jpeg_of, key_frame

log = structlog.get_logger(__name__)

STRIP_MS = 600_000
CELL_MS = 10_000
COLUMNS, ROWS = 10, 6
WIDTH = 160
MAX_SPAN_S = 8 * 86_400
FOLDER = "previews"
MAX_CACHE_BYTES = 1 << 30
_MOST_WAITING = 64
_GROWING_S = 20.0
_STREAMS = ("sub", "main")
_EMPTY = 32
_SWEEP_EVERY = 64

Sheet = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Strip:
    """Where a sheet's cells lie: row by row, each of `WIDTH` by `height` pixels."""

    start_ms: int
    height: int


def strip_starts(start_ms: int, end_ms: int) -> range:
    """The strips that overlap a span, by their starts."""
    return range(start_ms // STRIP_MS * STRIP_MS, end_ms, STRIP_MS)


def cell_height(width: int, height: int) -> int:
    """Of a picture `width` by `height`, shown `WIDTH` wide; even, and never very tall."""
    if width <= 0 or height <= 0:
        return 90
    return max(16, min(2 * WIDTH, round(WIDTH * height / width / 2) * 2))


def chosen(rows: Sequence[SegmentRow]) -> list[SegmentRow]:
    """The rows that strips are made of: the smaller stream, where it is recorded."""
    for stream in _STREAMS:
        if found := [row for row in rows if row.stream == stream]:
            return found
    return list(rows)


def forget(root: Path, camera: str, start_ns: int, end_ns: int) -> int:
    """Remove the sheets that show any of a span; how many. Blocking. For whoever deletes
    footage: what is left of the span is made again when it is asked for. Raises StorageError
    where a sheet stays."""
    gone = 0
    folder = root / FOLDER / check_id(camera)
    first, last = start_ns // 1_000_000 - STRIP_MS, end_ns // 1_000_000
    try:
        for name in os.listdir(folder):
            began = name.partition(".")[0]
            if began.isdigit() and first < int(began) < last:
                (folder / name).unlink(missing_ok=True)
                gone += 1
    except (FileNotFoundError, NotADirectoryError):
        return gone
    except OSError as error:
        raise StorageError(f"previews in {folder} cannot be removed: {error.strerror}") from error
    return gone


class Previews:
    """Makes and keeps strips. `close` it."""

    def __init__(
        self,
        catalog: PlaybackCatalog,
        volume_of: VolumeOf,
        root: Path,
        clock: Clock | None = None,
        most_bytes: int = MAX_CACHE_BYTES,
    ) -> None:
        """Sheets lie in `root`/previews, at most `most_bytes` of them."""
        self._catalog = catalog
        self._volume_of = volume_of
        self._folder = root / FOLDER
        self._clock = clock or SystemClock()
        self._most = most_bytes
        self._pool = ThreadPoolExecutor(1, "previews", _be_modest)
        self._making: dict[Path, asyncio.Future[bytes]] = {}
        self._written = 0

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def strips(self, camera: str, start_ms: int, end_ms: int) -> list[Strip]:
        """Those of a span that hold footage. Raises CatalogError."""
        rows = await self._catalog.segments.spans(
            camera, None, start_ms * 1_000_000, end_ms * 1_000_000
        )
        heights: dict[int, int] = {}
        for row in chosen(rows):
            height = cell_height(row.width, row.height)
            first = max(start_ms, row.start_ns // 1_000_000)
            last = min(end_ms, row.end_ns // 1_000_000 + 1)
            for start in strip_starts(first, max(last, first + 1)):
                heights.setdefault(start, height)
        return [Strip(start, heights[start]) for start in sorted(heights)]

    async def sheet(
        self, camera: str, start_ms: int, masks: Sequence[Outline] = ()
    ) -> tuple[bytes, bool]:
        """(the sheet as JPEG, whether its ten minutes go on still).

        Raises PlaybackBusy where too many are waited for, StorageError, CatalogError.
        """
        start_ns = start_ms * 1_000_000
        end_ns = start_ns + STRIP_MS * 1_000_000
        every = await rows_of_all(self._catalog, camera, start_ns, end_ns)
        rows = chosen(every)
        growing = self._clock.now_ns() < end_ns + 60_000_000_000
        path = self._path(camera, start_ms, masks)
        made = self._making.get(path)
        if made is None:
            if len(self._making) >= _MOST_WAITING:
                raise PlaybackBusy(
                    f"{_MOST_WAITING} preview strips are being made; try again in a moment"
                )
            made = asyncio.get_running_loop().run_in_executor(
                self._pool, self._give, path, rows, start_ms, tuple(masks), growing
            )
            self._making[path] = made
            made.add_done_callback(lambda _: self._making.pop(path, None))
        return await asyncio.shield(made), growing

    def _path(self, camera: str, start_ms: int, masks: Sequence[Outline]) -> Path:
        # Of its own for each set of masks: changed masks never show an old sheet.
        variant = "full"
        if masks:
            said = repr([tuple(mask.points) for mask in masks])
            variant = hashlib.sha256(said.encode()).hexdigest()[:16]
        return self._folder / check_id(camera) / f"{start_ms}.{variant}.jpg"

    def _give(
        self,
        path: Path,
        rows: Sequence[SegmentRow],
        start_ms: int,
        masks: Sequence[Outline],
        growing: bool,
    ) -> bytes:
        kept = self._kept(path, growing)
        if kept is not None:
            return kept
        jpeg = make_sheet(self._volume_of, rows, start_ms, masks)
        self._keep(path, jpeg)
        # What was deleted meanwhile must not be seen from here, and what a disk that is away
        # holds is to be seen once it is back.
        if not all(self._is_there(row) for row in rows):
            with contextlib.suppress(OSError):
                path.unlink()
        return jpeg

    def _is_there(self, row: SegmentRow) -> bool:
        try:
            return self._volume_of(row).path(row.path).is_file()
        except (OSError, VmsError):
            return False

    def _kept(self, path: Path, growing: bool) -> bytes | None:
        try:
            stat = path.stat()
            age = self._clock.now_ns() / 1e9 - stat.st_mtime
            # One made while its footage grew is old even when that has ended.
            made_at_ms = stat.st_mtime * 1000
            whole = made_at_ms > int(path.name.partition(".")[0]) + STRIP_MS + 60_000
            if not whole and (not growing or not 0 <= age < _GROWING_S):
                return None
            data = path.read_bytes()
            os.utime(path, (self._clock.now_ns() / 1e9, stat.st_mtime))
        except OSError:
            return None
        return data if data[:2] == b"\xff\xd8" else None

    def _keep(self, path: Path, jpeg: bytes) -> None:
        draft = path.with_name(f"{path.name}.{threading.get_ident()}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(jpeg)
            now = self._clock.now_ns() / 1e9
            os.utime(draft, (now, now))
            draft.replace(path)
        except OSError as error:
            # It is shown nevertheless; only the next who asks waits again.
            log.info("preview not kept", path=str(path), error=error.strerror)
            with contextlib.suppress(OSError):
                draft.unlink()
            return
        self._written += 1
        if self._written % _SWEEP_EVERY == 1:
            sweep(self._folder, self._most)


async def rows_of_all(
    catalog: PlaybackCatalog, camera: str, start_ns: int, end_ns: int
) -> list[SegmentRow]:
    """Rows of all streams that may hold something of a span."""
    found: list[SegmentRow] = []
    for stream in _STREAMS:
        found += await rows_of(catalog, camera, stream, start_ns, end_ns)
        if found:
            break
    return found or await catalog.segments.spans(camera, None, start_ns, end_ns)


def sweep(folder: Path, most_bytes: int) -> int:
    """Remove what was used longest ago until `most_bytes` are left; how many files went."""
    files: list[tuple[float, int, str]] = []
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with contextlib.suppress(OSError):
                stat = os.stat(path)
                files.append((stat.st_atime, stat.st_size, path))
    total, gone = sum(size for _, size, _ in files), 0
    for _, size, path in sorted(files):
        if total <= most_bytes:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size
            gone += 1
    return gone


def make_sheet(
    volume_of: VolumeOf, rows: Sequence[SegmentRow], start_ms: int, masks: Sequence[Outline]
) -> bytes:
    """A sheet of the footage of `rows`. Blocking. Raises StorageError."""
    height = cell_height(rows[0].width, rows[0].height) if rows else 90
    sheet = np.full((ROWS * height, COLUMNS * WIDTH, 3), _EMPTY, np.uint8)
    for row in rows:
        try:
            with Recording(volume_of(row), row) as recording:
                _fill(sheet, recording, start_ms, height, masks)
        except VmsError as error:
            log.info("no preview of a recording", path=row.path, reason=str(error)[:200])
    return jpeg_of(av.VideoFrame.from_ndarray(sheet, format="rgb24"))


def _fill(
    sheet: Sheet, recording: Recording, start_ms: int, height: int, masks: Sequence[Outline]
) -> None:
    taken: set[int] = set()
    for group in recording.groups():
        cell = (group.wall_ns // 1_000_000 - start_ms) // CELL_MS
        if cell in taken or not 0 <= cell < COLUMNS * ROWS:
            continue
        taken.add(cell)
        try:
            image = _small(recording.key_block(group).data, recording, height, masks)
        except VmsError:
            taken.discard(cell)
            continue
        top, left = cell // COLUMNS * height, cell % COLUMNS * WIDTH
        sheet[top : top + height, left : left + WIDTH] = image


def _small(data: bytes, recording: Recording, height: int, masks: Sequence[Outline]) -> Sheet:
    frame = key_frame(recording.tracks[1], data)
    if masks:
        frame = Painter(masks, frame.width, frame.height).paint(frame)
    return np.asarray(frame.reformat(WIDTH, height, "rgb24").to_ndarray(), np.uint8)


def _be_modest() -> None:
    """Give way to recording and live video: this thread only, as Linux has it."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)

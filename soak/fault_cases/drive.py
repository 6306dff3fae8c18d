"""Drives a victim, and counts from its files what a fault took."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import psutil
from bench.harness import ROOT
from tests.support.storage_media import encode_video
from tests.support.system import wait_for

from vms.catalog.open import open_catalog
from vms.catalog.port import Catalog
from vms.common.model.media import Codec
from vms.common.model.segment import SegmentRow
from vms.common.sei_stamp import STAMP_UUID, SeiStamp, unpack_sei_stamp
from vms.format.sei import find_user_data
from vms.storage.survey import cameras_of, days_of, files_of

MOST_CAMERAS = 16
FPS = 25
GOP = 25
_TOUCH_NS = 200_000_000


class Victim:
    """A recording process. `sent` has the pictures of each camera: (number, ns)."""

    def __init__(
        self,
        data: Path,
        run: str,
        cameras: int,
        url: str = "",
        before: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        filler: int = 0,
        run_pictures: int = 0,
        log: Path | None = None,
    ) -> None:
        """`before` stands in front of the command, such as a tracer. `settings` are of storage;
        `filler` bytes are added to each picture, and a new Run begins after `run_pictures`;
        its log goes to the folder `log`."""
        self.run = run
        self.cameras = cameras
        self.sent: dict[str, list[tuple[int, int]]] = {}
        self.alarms: dict[str, int] = {}
        """When each kind of alarm came first, in UTC ns."""
        self.recording_s = 0.0
        """From the start of the process to pictures of all cameras in their files."""
        self.waited_s = 0.0
        """Of that: while others had the processor."""
        self._began = time.monotonic()
        self._ready = threading.Event()
        self.log = (log or data.parent) / f"{run}.log"
        module = "soak.fault_cases.victim"
        more = {
            "FAULT_SETTINGS": json.dumps(settings or {}), "FAULT_FILLER": str(filler),
            "FAULT_RUN_PICTURES": str(run_pictures), "FAULT_MEDIA": str(_media(self.log.parent)),
        }  # fmt: skip
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", module, str(data), run, str(cameras), url],
                stdout=subprocess.PIPE, stderr=output, text=True, cwd=ROOT, env=os.environ | more,
            )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            parts = line.split()
            if len(parts) == 2 and parts[0] == "recording":
                self.recording_s = time.monotonic() - self._began
                self.waited_s = int(parts[1]) / 1e9
                self._ready.set()
            elif len(parts) == 2 and parts[0] == "alarm":
                self.alarms.setdefault(parts[1], time.time_ns())
            elif len(parts) == 3 and line.endswith("\n") and parts[2].isdigit():
                self.sent.setdefault(parts[0], []).append((int(parts[1]), int(parts[2])))

    def wait_recording(self, limit: float = 90.0) -> None:
        deadline = time.monotonic() + limit
        while not self._ready.wait(0.2):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"not recording: {self.log.read_text()[-1500:]}")

    def kill(self) -> None:
        """As `kill -9` does; all that it said before is read then."""
        # Killed alone, a tracer would let go of the process, which then went on.
        for traced in self._offspring():
            with contextlib.suppress(psutil.NoSuchProcess):
                traced.kill()
        self.process.kill()
        self.process.wait(20)
        self._reader.join(5)
        if self.process.stdout is not None and not self._reader.is_alive():
            self.process.stdout.close()

    def _offspring(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def stop(self, limit: float = 15.0) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(limit)
        self.kill()


def _media(folder: Path) -> Path:
    """A file with what all victims send: parameters and packets of two groups of pictures."""
    path = folder / "media.pickle"
    if not path.exists():
        media = encode_video(Codec.H264, pictures=2 * GOP, gop=GOP, fps=FPS)
        path.write_bytes(pickle.dumps(media))
    return path


@dataclass(slots=True)
class Lost:
    """Of one camera: seconds from the last picture kept to the last one sent, and pictures
    missing between the first and the last one kept."""

    seconds: float
    holes: int
    kept: int


class Archive:
    """Rows and files of a victim's data, looked at from outside.

    `roots` are where volumes lie by name; None: `main` alone, in the data's `recordings`.
    """

    def __init__(self, data: Path, url: str = "", roots: Mapping[str, Path] | None = None) -> None:
        self.data = data
        self._file = None if url else data / "vms.db"
        self._url = url or f"sqlite:///{data / 'vms.db'}"
        self.roots = roots or {"main": data / "recordings"}

    def rows(self, run: str = "") -> list[SegmentRow]:
        """All rows, or those of one victim's runs."""
        found = _rows_of(self._file) if self._file else self.ask(_all_rows)
        return [row for row in found if not run or row.run.startswith(f"{run}-")]

    def ask(self, question: Callable[[Catalog], Any]) -> Any:
        """What `question` (async) gives of the catalog, opened for it alone."""

        async def answer() -> Any:
            catalog = await open_catalog(self._url, self.data)
            try:
                return await question(catalog)
            finally:
                await catalog.close()

        return asyncio.run(answer())

    def path(self, row: SegmentRow) -> Path:
        return self.roots[row.volume] / row.path

    def wait_mended(self, run: str, limit: float = 20.0) -> None:
        """Until no recording of that run is open, and rows and files are the same again."""
        wait_for(lambda: all(row.closed for row in self.rows(run)), limit, f"{run} to be mended")
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.orphans(), limit, "rows and files to be the same")

    def orphans(self) -> int:
        """Rows without file, and files without row that no living process writes."""
        files = {
            (name, path)
            for name, root in self.roots.items()
            for camera in cameras_of(root)
            for day in days_of(root, camera)
            for path in files_of(root, camera, day)
        }
        rows = {(row.volume, row.path) for row in self.rows()}
        stray = files - rows
        return len(rows - files) + sum(not _is_locked(self.roots[n] / path) for n, path in stray)

    def overlaps(self) -> int:
        """Files of one stream that claim the same time as the one before, by more than pictures
        come early or late: a file's end is an estimate."""
        rows = sorted(self.rows(), key=lambda row: (row.camera, row.stream, row.start_ns))
        return sum(
            (a.camera, a.stream) == (b.camera, b.stream) and b.start_ns < a.end_ns - _TOUCH_NS
            for a, b in pairwise(rows)
        )

    def lost(self, victim: Victim, until_ns: int = 1 << 62) -> dict[str, Lost]:
        """What each camera lost of what it sent up to `until_ns`. The files are mended."""
        rows = self.rows(victim.run)
        found: dict[str, Lost] = {}
        for name, sent in victim.sent.items():
            mine = [self.path(row) for row in rows if row.camera == name]
            stamps = [stamp for path in mine for stamp in stamps_in(path)]
            due = [(number, ns) for number, ns in sent if ns <= until_ns]
            if not due:
                continue
            kept = {stamp.number for stamp in stamps}
            last = max((stamp.sent_ns for stamp in stamps), default=due[0][1] - 40_000_000)
            holes = max(kept) - min(kept) + 1 - len(kept) if kept else 0
            found[name] = Lost(max(0.0, (due[-1][1] - last) / 1e9), holes, len(kept))
        return found


def _rows_of(database: Path) -> list[SegmentRow]:
    """Read without a catalog, which would want to write first."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        found = connection.execute("select * from segments").fetchall()
    finally:
        connection.close()
    return [
        SegmentRow(**{name: row[name] for name in SegmentRow.__slots__})
        for row in found
    ]  # fmt: skip


async def _all_rows(catalog: Catalog) -> list[SegmentRow]:
    names = [f"cam{number}" for number in range(MOST_CAMERAS)]
    return [
        row for name in names for row in await catalog.segments.spans(name, None, 0, 1 << 62)
    ]  # fmt: skip


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        # Removed meanwhile: it is no file without a row either.
        return True


def stamps_in(path: Path) -> list[SeiStamp]:
    """The stamps of a recording's pictures, in order. FFmpeg's demuxer reads the file."""
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            payload = find_user_data(bytes(packet), Codec.H264, STAMP_UUID) if packet.size else None
            if payload is not None and (stamp := unpack_sei_stamp(payload)):
                found.append(stamp)
    return found

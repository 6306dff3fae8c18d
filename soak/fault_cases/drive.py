"""Drives a victim, and counts from its files what a fault took."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import psutil
from bench.harness import ROOT
from tests.support.system import wait_for

from vms.common.model.media import Codec
from vms.common.stamp import STAMP_UUID, SeiStamp, unpack_sei_stamp
from vms.format.sei import find_user_data


class Victim:
    """A recording process. `sent` has the last picture of each camera: (number, ns)."""

    def __init__(
        self, data: Path, run: str, cameras: int, url: str = "", before: Sequence[str] = ()
    ) -> None:
        """`before` stands in front of the command, such as a tracer."""
        self.run = run
        self.cameras = cameras
        self.sent: dict[str, list[tuple[int, int]]] = {}
        self.alarms: dict[str, int] = {}
        """When each kind of alarm came last."""
        self.recording_s = 0.0
        """From the start of the process to pictures of all cameras in their files."""
        self._began = time.monotonic()
        self._ready = threading.Event()
        self.log = data.parent / f"{run}.log"
        module = "soak.fault_cases.victim"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", module, str(data), run, str(cameras), url],
                stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
            )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            parts = line.split()
            if parts == ["recording"]:
                self.recording_s = time.monotonic() - self._began
                self._ready.set()
            elif len(parts) == 2 and parts[0] == "alarm":
                self.alarms[parts[1]] = time.time_ns()
            elif len(parts) == 3 and line.endswith("\n") and parts[2].isdigit():
                self.sent.setdefault(parts[0], []).append((int(parts[1]), int(parts[2])))

    def wait_recording(self, limit: float = 30.0) -> None:
        if not self._ready.wait(limit):
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
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.kill()


@dataclass(slots=True)
class Lost:
    """Of one camera: seconds from the last picture kept to the last one sent, and holes."""

    seconds: float
    holes: int
    kept: int


def stamps_in(path: Path) -> list[SeiStamp]:
    """The stamps of a recording's pictures, in order. FFmpeg's demuxer reads the file."""
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            payload = find_user_data(bytes(packet), Codec.H264, STAMP_UUID) if packet.size else None
            if payload is not None and (stamp := unpack_sei_stamp(payload)):
                found.append(stamp)
    return found


def rows(database: Path, where: str = "1", *values: object) -> list[tuple[str, str, str, int, int]]:
    """(path, camera, run, closed, frames) of the catalog's recordings."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        query = f"select path, camera, run, closed, frames from segments where {where}"
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def wait_mended(database: Path, run: str, limit: float = 20.0) -> None:
    """Until no recording of that run is open any more."""
    query = "run like ? and not closed"
    wait_for(lambda: not rows(database, query, f"{run}-%"), limit, f"{run} to be mended")


def lost(data: Path, victim: Victim, until_ns: int = 1 << 62) -> dict[str, Lost]:
    """What each camera lost of what it sent up to `until_ns`. The files are mended by now."""
    found: dict[str, Lost] = {}
    for name, sent in victim.sent.items():
        mine = rows(data / "vms.db", "run = ?", f"{victim.run}-{name}")
        stamps = [s for row in mine for s in stamps_in(data / "recordings" / row[0])]
        due = [(number, ns) for number, ns in sent if ns <= until_ns]
        kept = {stamp.number for stamp in stamps}
        if not due:
            continue
        last = max((stamp.sent_ns for stamp in stamps), default=due[0][1] - 40_000_000)
        holes = max(kept) - min(kept) + 1 - len(kept) if kept else 0
        found[name] = Lost(max(0.0, (due[-1][1] - last) / 1e9), holes, len(kept))
    return found


def orphans(data: Path) -> int:
    """Rows without file, and files without row."""
    root = data / "recordings"
    files = {str(path.relative_to(root)) for path in root.rglob("*.mkv")}
    return len(files ^ {path for path, *_ in rows(data / "vms.db")})

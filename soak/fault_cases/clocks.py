"""27 and 28: the machine's clock is wrong, set and set back, under the whole system.

The simulator's clock stays right: the stamps in its pictures say when each was really sent.
"""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

from tests.support.loop_thread import LoopThread
from tests.support.plant import SMALL, add_camera, wait_status
from tests.support.system import System, wait_for

from soak.fault_cases.common import Case, Outcome, Place
from soak.fault_cases.drive import Archive, stamps_in
from vms.common.model.segment import SegmentRow
from vms.common.wallclock import PROVEN_NS
from vms.simulator.server import Simulator

_STEPPED = Path(__file__).parent / "stepped"
_HOUR = 3600
_EACH_S = 10
_MOST_OFF_S = 1.0
_NAME = "cam0"


class _Clock:
    """The clock of the system under test. `set(0)`: it is right."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)

    def set(self, seconds: float) -> None:
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("<q", round(seconds * 1e9)))

    def system(self, data: Path) -> System:
        environment = {"FAULT_CLOCK": str(self._file), "PYTHONPATH": str(_STEPPED)}
        return System(data, "--no-demo", environment=environment)


class _Found:
    """What the archive holds in the end, against the truth in the stamps."""

    def __init__(self, archive: Archive) -> None:
        rows = sorted(archive.rows(), key=lambda row: row.start_ns)
        stamps = [stamps_in(archive.path(row)) for row in rows]
        numbers = [stamp.number for file in stamps for stamp in file]
        self.files = len(rows)
        self.open = sum(not row.closed for row in rows)
        self.twice = len(numbers) - len(set(numbers))
        self.missing = max(numbers) - min(numbers) + 1 - len(set(numbers)) if numbers else 0
        self.overlaps = archive.overlaps()
        self.stray = archive.orphans()
        self.off_s = [
            abs(row.start_ns - file[0].sent_ns) / 1e9
            for row, file in zip(rows, stamps, strict=True)
            if file
        ]

    def __str__(self) -> str:
        return (
            f"{self.files} files, {self.missing} pictures missing, {self.twice} twice, "
            f"{self.overlaps} files overlap by 0.2 s, {self.stray} orphans"
        )

    @property
    def whole(self) -> bool:
        lost = self.missing or self.twice or self.overlaps or self.stray or self.open
        return self.files > 0 and not lost


def _plant(loop: LoopThread) -> Simulator:
    simulator = loop.enter(Simulator())
    simulator.add_camera(_NAME, SMALL)
    loop.call(simulator.prepare())
    return simulator


def _first(system: System, simulator: Simulator) -> Any:
    client = system.wait_ready(120).client()
    add_camera(client, _NAME, simulator.url(_NAME))
    wait_status(client, _NAME, "online")
    return client


def _is_right(archive: Archive, row: SegmentRow) -> bool:
    file = stamps_in(archive.path(row))
    return bool(file) and abs(row.start_ns - file[0].sent_ns) <= _MOST_OFF_S * 1e9


def hour(place: Place) -> Outcome:
    """An hour ahead and back, and an hour back and ahead again."""
    data, clock = place.folder / "data", _Clock(place.folder)
    archive = Archive(data)
    with LoopThread() as loop, clock.system(data) as system:
        simulator = _plant(loop)
        _first(system, simulator)
        if not place.quick:
            time.sleep(PROVEN_NS / 1e9 + 5)
        for seconds in (0, _HOUR, 0, -_HOUR, 0):
            clock.set(seconds)
            time.sleep(_EACH_S)
        system.stop()
    found = _Found(archive)
    worst = max(found.off_s, default=0.0)
    figure = f"{found}; in the end all times are right to {worst:.2f} s"
    if place.quick:
        # A clock is only believed over another once it went well for ten minutes.
        return Outcome.judged(
            f"{figure} (not judged: the clock is younger than 10 minutes)", found.whole
        )
    return Outcome.judged(figure, found.whole and worst <= _MOST_OFF_S)


def boot_1970(place: Place) -> Outcome:
    """After a night without power: recorded under 1970, until the clock is set."""
    data, clock = place.folder / "data", _Clock(place.folder)
    archive = Archive(data)
    with LoopThread() as loop:
        simulator = _plant(loop)
        with clock.system(data) as system:
            _first(system, simulator)
            time.sleep(4)
            system.stop()
        known = {row.id for row in archive.rows()}
        clock.set(60 - time.time())
        with clock.system(data) as system:
            system.wait_ready(120)
            wait_for(lambda: {row.id for row in archive.rows()} - known, 20, "a recording in 1970")
            time.sleep(6)
            early = [row for row in archive.rows() if row.id not in known]
            wrong = max(abs(row.start_ns - time.time_ns()) / 1e9 for row in early)
            clock.set(0)
            time.sleep(4)
            moved = [row.id for row in early]
            wait_for(
                lambda: all(_is_right(archive, row) for row in archive.rows() if row.id in moved),
                20, "the footage to be where it belongs",
            )  # fmt: skip
            time.sleep(2)
            system.stop()
    found = _Found(archive)
    # Between the two starts nothing was recorded, and the numbers went on.
    rows = sorted(archive.rows(), key=lambda row: row.start_ns)
    second = [row for row in rows if row.id not in known]
    numbers = [stamp.number for row in second for stamp in stamps_in(archive.path(row))]
    found.missing = max(numbers) - min(numbers) + 1 - len(set(numbers))
    worst = max(found.off_s, default=0.0)
    figure = f"{found}; recorded {wrong:.0f} s off, in the end all times are right to {worst:.2f} s"
    return Outcome.judged(figure, found.whole and worst <= _MOST_OFF_S)


_HOW = "time.time and time.time_ns of the whole system stepped"
CASES = (
    Case(27, "clock set by an hour", f"{_HOW}: +1 h, back, -1 h, back (summer time: all is UTC)",
         "nothing overwritten, no overlap; times right to 1 s once the clock is", hour,
         beside=True),
    Case(28, "boot in 1970", f"{_HOW}: 1970 at the start, then set",
         "stamped anew once the clock is set, right to 1 s", boot_1970),
)  # fmt: skip

"""17 and 18: the power goes, and the process is killed, again and again while it records."""

from __future__ import annotations

import os
import random
import time

from soak.fault_cases.common import Case, Outcome, Place
from soak.fault_cases.drive import Archive, Victim
from soak.fault_cases.mounts import Disk

_CAMERAS = 4
_MOST_LOST_S = 1.0
_MOST_START_S = 2.0
_BUSY = 2
"""The short form runs beside others, on processors whose caches and cores they share."""


class Tally:
    """What all rounds of one case cost together."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self.holes = 0
        self.kept = 0
        self.stray = 0
        self.start_s = 0.0
        self.waited_s = 0.0

    def start(self, victim: Victim) -> None:
        """From the start of a process to recording; what others had of the processor is
        theirs, and said."""
        took = victim.recording_s - victim.waited_s
        if took > self.start_s:
            self.start_s, self.waited_s = took, victim.waited_s

    def take(self, archive: Archive, victim: Victim, until_ns: int = 1 << 62) -> None:
        found = archive.lost(victim, until_ns)
        assert len(found) == _CAMERAS, f"only {len(found)} cameras sent"
        self.worst_s = max(self.worst_s, *(one.seconds for one in found.values()))
        self.holes += sum(one.holes for one in found.values())
        self.kept += sum(one.kept for one in found.values())
        self.stray += archive.orphans()

    def is_kept(self, stray: int) -> bool:
        """`stray`: orphans after the end."""
        self.stray += stray
        return self.worst_s <= _MOST_LOST_S and not self.holes and not self.stray

    def __str__(self) -> str:
        text = (
            f"at most {self.worst_s:.2f} s lost, {self.holes} holes in {self.kept} pictures kept, "
            f"{self.stray} orphans"
        )
        if self.start_s:
            text += f"; recording {self.start_s:.2f} s after the start at the latest"
        if self.waited_s > 0.05:
            text += f" (and {self.waited_s:.2f} s that others had the processor)"
        return text


def killed(place: Place) -> Outcome:
    """The process alone dies: the kernel keeps what it was handed."""
    archive = Archive(place.data())
    tally, before = Tally(), None
    count = place.rounds(100, 3)
    for number in range(count + 1):
        victim = Victim(archive.data, f"kill{number}", _CAMERAS)
        victim.wait_recording()
        tally.start(victim)
        if before is not None:
            archive.wait_mended(before.run)
            tally.take(archive, before)
        time.sleep(random.uniform(0.2, 1.5))
        if number < count:
            victim.kill()
        before = victim
    victim.stop()
    stray = archive.orphans()
    most_s = _MOST_START_S * (_BUSY if place.quick else 1)
    kept = tally.is_kept(stray) and tally.start_s <= most_s
    return Outcome.judged(f"{count} kills, {_CAMERAS} cameras: {tally}", kept)


def power_cut(place: Place) -> Outcome:
    """Footage and catalog lie on one disk whose power is cut; then it starts again."""
    disk = Disk(place.folder / "disk", place.folder / "disk.img")
    archive = Archive(disk.at / "data")
    archive.data.mkdir()
    os.sync()
    tally, before, cut_ns = Tally(), None, 0
    count = place.rounds(100, 3)
    victim = None
    try:
        for number in range(count + 1):
            victim = Victim(archive.data, f"cut{number}", _CAMERAS, log=place.folder)
            victim.wait_recording()
            if before is not None:
                archive.wait_mended(before.run)
                tally.take(archive, before, cut_ns)
            time.sleep(random.uniform(1.0, 3.0))
            if number == count:
                break
            cut_ns = disk.cut()
            victim.kill()
            disk.unmount()
            disk.mount()
            before = victim
        assert victim is not None
        victim.stop()
        stray = archive.orphans()
    finally:
        if victim is not None:
            victim.kill()
        disk.close()
    kept = tally.is_kept(stray)
    return Outcome.judged(f"{count} cuts, {_CAMERAS} cameras: {tally}", kept)


CASES = (
    Case(17, "power cut", "the disk of footage and catalog (ext4) is shut down while recording",
         "<= 1.0 s a camera; no row without file, no file without row", power_cut, root=True),
    Case(18, "kill -9", "at a random instant while recording",
         "<= 1.0 s a camera; recording <= 2 s after the start", killed),
)  # fmt: skip

"""17 and 18: the power goes, and the process is killed, again and again while it records."""

from __future__ import annotations

import fcntl
import os
import random
import struct
import subprocess
import time
from pathlib import Path

from tests.support.system import wait_for

from soak.fault_cases.common import Case, Outcome, Place
from soak.fault_cases.drive import Lost, Victim, lost, orphans, wait_mended

_CAMERAS = 4
_MOST_LOST_S = 1.0
_MOST_START_S = 2.0
_EXT4_IOC_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2
_IMAGE_BYTES = 1 << 30


class Tally:
    def __init__(self) -> None:
        self.worst_s = 0.0
        self.holes = 0
        self.kept = 0
        self.starts: list[float] = []

    def take(self, found: dict[str, Lost]) -> None:
        assert len(found) == _CAMERAS, f"only {len(found)} cameras sent"
        self.worst_s = max(self.worst_s, *(one.seconds for one in found.values()))
        self.holes += sum(one.holes for one in found.values())
        self.kept += sum(one.kept for one in found.values())


def killed(place: Place) -> Outcome:
    """The process alone dies: the kernel keeps what it was handed."""
    data = place.folder / "data"
    data.mkdir()
    tally, before = Tally(), None
    count = place.rounds(100, 3)
    for number in range(count + 1):
        victim = Victim(data, f"kill{number}", _CAMERAS)
        victim.wait_recording()
        tally.starts.append(victim.recording_s)
        if before is not None:
            wait_mended(data / "vms.db", before.run)
            tally.take(lost(data, before))
        time.sleep(random.uniform(0.2, 1.5))
        if number < count:
            victim.kill()
        before = victim
    victim.stop()
    stray = orphans(data)
    slowest = max(tally.starts)
    figure = (
        f"{count} kills, {_CAMERAS} cameras: at most {tally.worst_s:.2f} s lost, {tally.holes} "
        f"holes, {stray} orphans; recording {slowest:.2f} s after the start at the latest"
    )
    kept = tally.worst_s <= _MOST_LOST_S and not tally.holes and not stray
    return Outcome.judged(figure, kept and slowest <= _MOST_START_S)


class Disk:
    """An ext4 of its own, whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.image = folder / "disk.img"
        self.at = folder / "disk"
        self.at.mkdir()
        with self.image.open("wb") as file:
            file.truncate(_IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True)
        self.mounted = False
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.at)], check=True)
        self.mounted = True

    def cut(self) -> int:
        """Nothing more reaches the disk, the journal's newest part neither; when, in UTC ns."""
        descriptor = os.open(self.at, os.O_RDONLY)
        try:
            now = time.time_ns()
            fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
            return now
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        if self.mounted:
            command = ["umount", str(self.at)]
            wait_for(
                lambda: not subprocess.run(command, check=False, capture_output=True).returncode,
                10, "the disk to be let go of",
            )  # fmt: skip
            self.mounted = False


def power_cut(place: Place) -> Outcome:
    """Footage and catalog lie on one disk whose power is cut; then it starts again."""
    disk = Disk(place.folder)
    data = disk.at / "data"
    data.mkdir()
    os.sync()
    tally, before, cut_ns = Tally(), None, 0
    count = place.rounds(100, 3)
    victim = None
    try:
        for number in range(count + 1):
            victim = Victim(data, f"cut{number}", _CAMERAS)
            victim.wait_recording()
            if before is not None:
                wait_mended(data / "vms.db", before.run)
                tally.take(lost(data, before, cut_ns))
            time.sleep(random.uniform(1.0, 3.0))
            if number == count:
                break
            cut_ns = disk.cut()
            victim.kill()
            disk.unmount()
            disk.mount()
            before = victim
        victim.stop()
        stray = orphans(data)
    finally:
        if victim is not None:
            victim.kill()
        disk.unmount()
    figure = (
        f"{count} cuts, {_CAMERAS} cameras: at most {tally.worst_s:.2f} s lost, {tally.holes} "
        f"holes in {tally.kept} pictures kept, {stray} orphans"
    )
    return Outcome.judged(figure, tally.worst_s <= _MOST_LOST_S and not tally.holes and not stray)


CASES = (
    Case(17, "power cut", "the disk of footage and catalog (ext4) is shut down while recording",
         "<= 1.0 s a camera; no row without file, no file without row", power_cut, root=True),
    Case(18, "kill -9", "at a random instant while recording",
         "<= 1.0 s a camera; recording <= 2 s after the start", killed),
)  # fmt: skip

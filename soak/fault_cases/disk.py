"""21 to 24: a disk that fails, fills up or is slow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from tests.support.system import wait_for

from soak.fault_cases.common import Case, Outcome, Place
from soak.fault_cases.drive import Archive, Victim, stamps_in
from soak.fault_cases.mounts import tmpfs
from vms.catalog.port import Catalog
from vms.common.model.evidence import Hold, HoldKind
from vms.common.model.segment import SegmentRow
from vms.storage.verify import verify
from vms.storage.volume import Volume, index_path

_CAMERAS = 4
_TMPFS_MB = 64
_FLOOR = 8 << 20
_FULL = {"min_free_bytes": _FLOOR}
_LARGE = 100_000
"""Bytes more a picture: 2.5 MB/s, so that the disk is full after some 22 s."""
_MOST_STILL_S = 5.0
_MOST_ALARM_S = 10.0


def _tracer(*inject: str) -> list[str]:
    """strace, which makes calls of the process fail or wait as told."""
    calls = ",".join(one.split(":")[0] for one in inject)
    options = [part for one in inject for part in ("-e", f"inject={one}")]
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", *options]


def _mended(archive: Archive, victim: Victim) -> None:
    """Start again after the victim, until its files are whole."""
    again = Victim(archive.data, f"again-{victim.run}", _CAMERAS)
    try:
        again.wait_recording()
        archive.wait_mended(victim.run)
    finally:
        again.stop()


def sync_fails(place: Place) -> Outcome:
    """One fdatasync of a recording gives EIO: the file ends, another begins."""
    archive = Archive(place.data())
    victim = Victim(archive.data, "eio", _CAMERAS, before=_tracer("fdatasync:error=EIO:when=40"))
    try:
        victim.wait_recording()
        wait_for(lambda: len(archive.rows()) > _CAMERAS, 40, "a new file")
        time.sleep(2)
    finally:
        victim.kill()
    _mended(archive, victim)
    missed = sum(one.holes for one in archive.lost(victim).values()) / 25
    volume = Volume(archive.roots["main"], 0)
    bad = sum(bool(verify(volume, row)) for row in archive.rows() if row.closed)
    figure = (
        f"{missed:.2f} s lost in all, a new file began; {bad} files differ from what was "
        f"acknowledged, {archive.orphans()} orphans; alarms: {_said(victim)}"
    )
    kept = missed <= 2.0 and not bad and bool(victim.alarms) and not archive.orphans()
    return Outcome.judged(figure, kept)


def _said(victim: Victim) -> str:
    return ", ".join(sorted(victim.alarms)) or "none"


def _newest_ns(root: Path) -> int:
    """When a recording grew last."""
    found = 0
    for path in root.rglob("*.mkv"):
        try:
            found = max(found, path.stat().st_mtime_ns)
        except FileNotFoundError:
            continue
    return found


def _watch(root: Path, seconds: float, done: Callable[[], bool] = lambda: False) -> float:
    """The longest time that no recording grew, while one looks for `seconds`."""
    deadline, longest = time.monotonic() + seconds, 0.0
    while time.monotonic() < deadline and not done():
        longest = max(longest, (time.time_ns() - _newest_ns(root)) / 1e9)
        time.sleep(0.1)
    return longest


def _lock(archive: Archive, start_ns: int, end_ns: int) -> None:
    hold = Hold(
        "fault", "cam0", HoldKind.LOCK, start_ns, end_ns, "evidence", "u", "tester", time.time_ns(),
    )  # fmt: skip

    async def add(catalog: Catalog) -> None:
        await catalog.holds.add(hold)

    archive.ask(add)


def _unlock(archive: Archive) -> None:
    async def release(catalog: Catalog) -> None:
        await catalog.holds.release("fault", time.time_ns(), "tester")

    archive.ask(release)


def _missing(archive: Archive, rows: Sequence[SegmentRow]) -> int:
    """Pictures missing between those of these files, which follow one another."""
    numbers = {stamp.number for row in rows for stamp in stamps_in(archive.path(row))}
    return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0


def disk_full(place: Place) -> Outcome:
    """A small disk is filled within seconds, again and again: the oldest makes room."""
    archive = Archive(place.data())
    root = archive.roots["main"]
    with tmpfs(root, _TMPFS_MB):
        victim = Victim(
            archive.data, "full", 1, settings=_FULL, filler=_LARGE, run_pictures=100
        )  # fmt: skip
        try:
            victim.wait_recording()
            wait_for(lambda: len(archive.rows()) > 1, 20, "a second file")
            locked = archive.rows()[0]
            _lock(archive, locked.start_ns, locked.start_ns + 1)
            longest = _watch(root, 60 if place.quick else 180)
        finally:
            victim.stop()
        again = Victim(archive.data, "again", 1, settings=_FULL, run_pictures=100)
        try:
            again.wait_recording()
            archive.wait_mended("full")
        finally:
            again.stop()
        rows = sorted(archive.rows("full"), key=lambda row: row.start_ns)
        intact = locked.id in {row.id for row in rows} and index_path(root / locked.path).exists()
        missed = _missing(archive, [row for row in rows if row.id != locked.id])
        stray = archive.orphans()
        written = len(victim.sent["cam0"]) // 100
    figure = (
        f"{written} files written, {len(rows)} kept; stood still for {longest:.1f} s at most, "
        f"{missed} pictures missing in what is kept; the locked file "
        f"{'is whole' if intact else 'IS GONE'}, {stray} orphans"
    )
    kept = longest <= _MOST_STILL_S and intact and not stray and len(rows) < written
    return Outcome.judged(figure, kept)


def all_locked(place: Place) -> Outcome:
    """The same disk, and all of the camera is locked: nothing may make room."""
    archive = Archive(place.data())
    root = archive.roots["main"]
    with tmpfs(root, _TMPFS_MB):
        victim = Victim(
            archive.data, "held", 1, settings=_FULL, filler=_LARGE, run_pictures=100
        )  # fmt: skip
        try:
            victim.wait_recording()
            _lock(archive, 0, 1 << 62)
            wait_for(lambda: time.time_ns() - _newest_ns(root) > 3e9, 60, "a disk that is full")
            stopped_ns = _newest_ns(root)
            before = {row.id for row in archive.rows()}
            time.sleep(max(0.0, _MOST_ALARM_S - 3))
            alarm_s = max(0.0, (min(victim.alarms.values(), default=1 << 62) - stopped_ns) / 1e9)
            free = Volume(root, 0).free_bytes()
            gone = len(before - {row.id for row in archive.rows()})
            _unlock(archive)
            released = time.monotonic()
            wait_for(lambda: _newest_ns(root) > time.time_ns() - 1e9, 30, "recording again")
            back_s = time.monotonic() - released
        finally:
            victim.stop()
    figure = (
        f"alarm ({_said(victim)}) {alarm_s:.1f} s after recording stopped; {free >> 20} MiB stay "
        f"free, {gone} files freed; recording {back_s:.1f} s after the lock was released"
    )
    kept = alarm_s <= _MOST_ALARM_S and not gone and free > _FLOOR // 2 and back_s <= 15
    return Outcome.judged(figure, kept)


def slow_disk(place: Place) -> Outcome:
    """Each write of a recording takes a second: groups are shed whole, memory stays flat."""
    archive = Archive(place.data())
    settings = {"queue_units": 100, "unsynced_bytes": 4 << 20}
    seconds = 15 if place.quick else 120
    victim = Victim(
        archive.data, "slow", _CAMERAS, before=_tracer("writev:delay_enter=1500000:when=20+"),
        settings=settings, filler=20_000,
    )  # fmt: skip
    try:
        victim.wait_recording()
        process = psutil.Process(victim.process.pid).children()[0]
        time.sleep(3)
        early = process.memory_info().rss
        time.sleep(seconds)
        late = process.memory_info().rss
    finally:
        victim.kill()
    _mended(archive, victim)
    grown = (late - early) / 1e6
    found = archive.lost(victim)
    shed, halves = sum(one.holes for one in found.values()), _cut_groups(archive, victim)
    said = "shed" in victim.log.read_text()
    figure = (
        f"{shed} pictures shed, {halves} groups cut short; said: {'yes' if said else 'NO'}; "
        f"memory +{grown:.0f} MB in {seconds} s"
    )
    return Outcome.judged(figure, said and not halves and grown < 64)


def _cut_groups(archive: Archive, victim: Victim) -> int:
    """Groups of pictures of which a later picture is kept, though an earlier one is not."""
    cut = 0
    for row in archive.rows(victim.run):
        last = None
        for stamp in stamps_in(archive.path(row)):
            if stamp.number % 25 and last is not None and stamp.number != last + 1:
                cut += 1
            last = stamp.number
    return cut


CASES = (
    Case(21, "fsync gives EIO", "one fdatasync fails (strace)",
         "never acknowledged, new file, alarm", sync_fails),
    Case(22, "disk full", "a tmpfs of 64 MB filled by recording, again and again; one file locked",
         "oldest freed, recording again <= 5 s, locks intact", disk_full, root=True),
    Case(23, "full, all locked", "as 22, all footage locked",
         "alarm <= 10 s, nothing freed, a reserve stays; goes on once released", all_locked,
         root=True),
    Case(24, "slow disk", "each writev waits 1.5 s (strace)",
         "whole groups shed and said, memory +64 MB at most", slow_disk),
)  # fmt: skip

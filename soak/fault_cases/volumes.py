"""25 and 26: one of two volumes goes away, fails, or answers no more."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from bench.support.stamps import numbers_in
from tests.support.loop_thread import LoopThread
from tests.support.plant import SMALL, add_camera, now_ms, wait_status
from tests.support.system import System, wait_for

from soak.fault_cases.common import Case, Outcome, Place
from soak.fault_cases.drive import Archive, Victim
from soak.fault_cases.mounts import Disk
from vms.simulator.server import Simulator

_CAMERAS = 8
_MOST_MOVE_S = 5.0
_MOST_ANSWER_S = 2.0
_BUSY = 2
"""The short form runs beside others."""


def _growing(root: Path, since_ns: int) -> set[str]:
    """Cameras of which a recording on that volume grew since."""
    found = set()
    for path in root.rglob("*.mkv"):
        try:
            if path.stat().st_mtime_ns > since_ns:
                found.add(path.parts[-3])
        except OSError:
            continue
    return found


def _moved_s(root: Path, count: int, limit: float) -> float:
    """How long it takes from now until `count` cameras are recorded to that volume."""
    began, now_ns = time.monotonic(), time.time_ns()
    wait_for(lambda: len(_growing(root, now_ns)) >= count, limit, f"{count} streams in {root}")
    return time.monotonic() - began


def _gone_once(place: Place, name: str, away: Callable[[Disk], None]) -> tuple[str, bool]:
    """One volume of two goes away while 8 cameras are recorded; then both are there again."""
    data, second = place.data(name), place.folder / f"{name}-second"
    disk = Disk(data / "recordings", place.folder / f"{name}.img")
    # So small that nearly all streams are at home on the first one.
    small = {"name": "second", "path": str(second), "min_free_bytes": 0, "max_bytes": 64 << 20}
    settings = {"volumes": [small]}
    archive = Archive(data, roots={"main": disk.at, "second": second})
    victim = Victim(data, name, _CAMERAS, settings=settings)
    try:
        victim.wait_recording()
        time.sleep(3)
        home = _growing(disk.at, time.time_ns() - 2 * 10**9)
        away(disk)
        moved_s = _moved_s(second, _CAMERAS, 20)
        time.sleep(2)
        under = [] if disk.mounted else os.listdir(disk.at)
        victim.kill()
        disk.close()
        disk.mount()
        again = Victim(data, f"again-{name}", _CAMERAS, settings=settings)
        try:
            again.wait_recording()
            archive.wait_mended(name)
        finally:
            again.stop()
        worst = max(one.holes for one in archive.lost(victim).values()) / 25
        stray = archive.orphans()
    finally:
        victim.kill()
        disk.close()
    figure = (
        f"{name}: its {len(home)} streams on the second volume after {moved_s:.1f} s, at most "
        f"{worst:.2f} s lost of one, {len(under)} names under the mount point, {stray} orphans"
    )
    kept = moved_s <= _MOST_MOVE_S and worst <= _MOST_MOVE_S and not under and not stray
    return figure, kept and len(home) >= _CAMERAS // 2


def volume_gone(place: Place) -> Outcome:
    unmounted = _gone_once(place, "unmounted", Disk.take_away)
    read_only = _gone_once(place, "read-only", Disk.fail)
    return Outcome.judged(f"{unmounted[0]}; {read_only[0]}", unmounted[1] and read_only[1])


class _Asked:
    """What a person at the client asks while the disk hangs, and how long answers take."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.slowest_s = 0.0
        self.slowest = ""
        self.failed: set[str] = set()
        self.asked = 0

    def once(self, camera: str) -> None:
        end = now_ms()
        span = f"start={end - 30_000}&end={end}"
        for path in (
            "/cameras", f"/cameras/{camera}", "/system", "/storage",
            f"/cameras/{camera}/recordings?{span}", f"/cameras/{camera}/timeline?{span}",
            f"/cameras/{camera}/playback?start={end - 10_000}&duration=1",
        ):  # fmt: skip
            began = time.monotonic()
            name = path.split("?")[0].replace(camera, "x")
            try:
                status = self._client.get(f"/api/v1{path}").status_code
            except httpx.TimeoutException:
                status = 599
            took = time.monotonic() - began
            self.asked += 1
            if took > self.slowest_s:
                self.slowest_s, self.slowest = took, name
            if status >= 500 and status != 503:
                self.failed.add(f"{name}: {status}")


def disk_hangs(place: Place) -> Outcome:
    """The whole system with two volumes, one of which answers nothing for a while."""
    data, hung = place.data(), place.folder / "nas"
    disk = Disk(hung, place.folder / "nas.img")
    volumes = [{"name": "nas", "path": str(hung), "min_free_bytes": 0}]
    # As large as the other one, so that the cameras are spread over both.
    environment = {
        "VMS_STORAGE__VOLUMES": json.dumps(volumes), "VMS_STORAGE__MAX_BYTES": str(1 << 30),
    }  # fmt: skip
    seconds = 15 if place.quick else 60
    try:
        with (
            LoopThread() as loop,
            System(data, "--no-demo", environment=environment) as system,
        ):  # fmt: skip
            simulator = loop.enter(Simulator())
            names = [f"c{number}" for number in range(_CAMERAS)]
            for name in names:
                simulator.add_camera(name, SMALL)
            loop.call(simulator.prepare())
            client = system.wait_ready(120).client()
            for name in names:
                add_camera(client, name, simulator.url(name))
            for name in names:
                wait_status(client, name, "online")
            time.sleep(4)
            main = data / "recordings"
            victims = _growing(hung, time.time_ns() - 2 * 10**9)
            others = set(names) - victims
            asked = _Asked(client)
            with disk.frozen():
                moved_s = _moved_s(main, _CAMERAS, 20)
                until = time.monotonic() + seconds - moved_s
                while time.monotonic() < until:
                    for name in sorted(victims)[:1] + sorted(others)[:1]:
                        asked.once(name)
                    time.sleep(0.5)
            time.sleep(12)
            system.stop()
        archive = Archive(data, roots={"main": main, "nas": hung})
        missed = {name: _missing(archive, name) for name in names}
        stray = archive.orphans()
    finally:
        disk.close()
    worst = max(missed[name] for name in victims) / 25 if victims else 0.0
    suffered = sum(missed[name] > 0 for name in others)
    figure = (
        f"hung for {seconds} s: its {len(victims)} streams on the other volume after "
        f"{moved_s:.1f} s, at most {worst:.2f} s lost of one; {suffered} of {len(others)} others "
        f"lost a picture; {asked.asked} questions to the API answered, {asked.slowest_s:.2f} s at "
        f"most ({asked.slowest}), failed: {', '.join(sorted(asked.failed)) or 'none'}; "
        f"{stray} orphans"
    )
    kept = moved_s <= _MOST_MOVE_S and worst <= _MOST_MOVE_S and not suffered and not stray
    most_s = _MOST_ANSWER_S * (_BUSY if place.quick else 1)
    answered = asked.slowest_s <= most_s and not asked.failed
    return Outcome.judged(figure, bool(victims and others) and kept and answered)


def _missing(archive: Archive, camera: str) -> int:
    paths = [archive.path(row) for row in archive.rows() if row.camera == camera]
    numbers = {number for path in paths for number in numbers_in(path)}
    return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0


CASES = (
    Case(25, "volume gone", "one of two volumes: umount -l; an ext4 that the kernel made read only",
         "second volume <= 5 s, nothing under the mount point", volume_gone, root=True),
    Case(26, "network disk hangs", "fsfreeze of one of two volumes (who writes to it waits)",
         "only its cameras lose, <= 5 s; the API answers <= 2 s", disk_hangs, root=True),
)  # fmt: skip

"""7 to 12: cameras that do what cameras do, recorded by the whole system at the same time.

Each has one camera of its own. Lost pictures are counted by the numbers that the simulator
stamps into each one it sends, against those that it did send.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bench.support.stamps import numbers_in
from tests.support.loop_thread import LoopThread
from tests.support.plant import SMALL, add_camera, recordings, resident_mb, wait_status
from tests.support.system import System

from soak.fault_cases.common import Case, Outcome, Place
from vms.common.model.media import Codec
from vms.simulator.camera import Behaviour
from vms.simulator.server import Simulator
from vms.simulator.sources import Loop
from vms.simulator.track import SendingTrack

_LARGER = replace(SMALL, width=640, height=360, bitrate=400_000)
_MOST_GROWN_MB = 32


@dataclass(slots=True)
class Plant:
    """The running system, and how long each camera goes on."""

    simulator: Simulator
    loop: LoopThread
    system: System
    quick: bool
    grown_mb: float = 0.0

    @property
    def no_key_s(self) -> int:
        return 8 if self.quick else 60


Act = Callable[[Plant], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a camera is, and what it does once it is recorded."""

    act: Act
    source: Loop = SMALL
    behaviour: Behaviour = field(default_factory=Behaviour)
    audio: Codec | None = None


class Recorded:
    """Of one camera: what was sent of it from its first recorded picture on, against its files."""

    def __init__(self, files: list[list[int]], sent: list[int], plant: Plant) -> None:
        self.files = [file for file in files if file]
        self.grown_mb = plant.grown_mb
        self.seconds = plant.no_key_s
        numbers = [number for file in self.files for number in file]
        kept = set(numbers)
        self.pictures = len(numbers)
        self.twice = len(numbers) - len(kept)
        due = {number for number in sent if kept and min(kept) <= number <= max(kept)}
        self.missing = len(due - kept)

    def __str__(self) -> str:
        return (
            f"{self.pictures} pictures in {len(self.files)} files, {self.missing} missing, "
            f"{self.twice} twice"
        )


def _jumps(plant: Plant) -> None:
    for seconds in (-9800.0, 37_600.0):
        plant.simulator.faults("8").rtp_jump = seconds
        time.sleep(4)


def _switches(plant: Plant) -> None:
    for number in range(10):
        source = SMALL if number % 2 else _LARGER
        plant.loop.call(plant.simulator.switch("10", "main", source))
        time.sleep(2.2)


def _no_key(plant: Plant) -> None:
    before = resident_mb(plant.system)
    plant.simulator.faults("11").no_key = True
    time.sleep(plant.no_key_s)
    plant.grown_mb = resident_mb(plant.system) - before
    plant.simulator.faults("11").no_key = False


def _mute(plant: Plant) -> None:
    for muted in (True, False, True, False):
        plant.simulator.faults("12").mute_audio = muted
        time.sleep(2)


SCENARIOS = {
    "7": Scenario(
        lambda _: time.sleep(6),
        behaviour=Behaviour(rtp_start=(65_000, 2**32 - 90_000 * 4)),
    ),
    "8": Scenario(_jumps),
    "9": Scenario(lambda _: time.sleep(6), source=replace(SMALL, b_frames=2)),
    "10": Scenario(_switches),
    "11": Scenario(_no_key),
    "12": Scenario(_mute, audio=Codec.AAC),
}


@contextmanager
def _overheard(sent: dict[int, list[int]]) -> Iterator[None]:
    """Note the number of each picture that is sent, by the identity of its camera's faults."""
    filled = SendingTrack._filled

    def noted(track, unit, number, timestamp):  # type: ignore[no-untyped-def]
        if unit.stamped:
            sent.setdefault(id(track._feed.faults), []).append(number)
        return filled(track, unit, number, timestamp)

    SendingTrack._filled = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        SendingTrack._filled = filled  # type: ignore[method-assign]


def _record(place: Place) -> dict[str, Recorded]:
    """Record all cameras while each misbehaves; the system is ended as by Ctrl-C."""
    data = place.folder / "data"
    sent: dict[int, list[int]] = {}
    with LoopThread() as loop, _overheard(sent), System(data, "--no-demo") as system:
        simulator = loop.enter(Simulator())
        for name, one in SCENARIOS.items():
            simulator.add_camera(name, one.source, behaviour=one.behaviour, audio=one.audio)
        loop.call(simulator.prepare())
        client = system.wait_ready(120).client()
        for name in SCENARIOS:
            add_camera(client, f"c{name}", simulator.url(name))
        for name in SCENARIOS:
            wait_status(client, f"c{name}", "online")
        time.sleep(2)
        plant = Plant(simulator, loop, system, place.quick)
        with ThreadPoolExecutor(len(SCENARIOS)) as pool:
            for done in [pool.submit(one.act, plant) for one in SCENARIOS.values()]:
                done.result()
        time.sleep(2.5)
        system.stop()
        return {
            name: Recorded(_numbers(data, f"c{name}"), sent[id(simulator.faults(name))], plant)
            for name in SCENARIOS
        }


def _numbers(data: Path, camera: str) -> list[list[int]]:
    return sorted(numbers_in(path) for path in recordings(data, camera))


_lock = threading.Lock()
_done: dict[bool, dict[str, Recorded] | Exception] = {}


def _of(name: str, judge: Callable[[Recorded], Outcome], place: Place) -> Outcome:
    """The first of the six to be asked records for all of them."""
    with _lock:
        if place.quick not in _done:
            try:
                _done[place.quick] = _record(place)
            except Exception as error:
                _done[place.quick] = error
    found = _done[place.quick]
    if isinstance(found, Exception):
        raise found
    return judge(found[name])


def _whole(found: Recorded, least: int, most_missing: int = 0) -> Outcome:
    kept = found.missing <= most_missing and not found.twice and found.pictures >= least
    return Outcome.judged(str(found), kept)


def _sets(found: Recorded) -> Outcome:
    kept = not found.missing and not found.twice and len(found.files) == 11
    return Outcome.judged(str(found), kept)


def _bounded(found: Recorded) -> Outcome:
    figure = f"{found}; memory of the process +{found.grown_mb:.0f} MB in {found.seconds} s"
    kept = found.grown_mb < _MOST_GROWN_MB and not found.missing and not found.twice
    return Outcome.judged(figure, kept)


CASES = (
    Case(7, "RTP wraps", "timestamp and sequence number run over", "no picture lost",
         partial(_of, "7", partial(_whole, least=150))),
    Case(8, "time jumps", "RTP time -9,800 s, then +37,600 s", "<= 1 picture lost at each",
         partial(_of, "8", partial(_whole, least=200, most_missing=2))),
    Case(9, "B-frames", "two B-frames between others (equal DTS: not made by the simulator)",
         "recording never stops, no picture lost", partial(_of, "9", partial(_whole, least=150))),
    Case(10, "parameters change", "picture size changed ten times", "no picture lost",
         partial(_of, "10", _sets)),
    Case(11, "no key picture", "none for 60 s (short form 8 s)",
         f"no picture lost, memory +{_MOST_GROWN_MB} MB at most", partial(_of, "11", _bounded)),
    Case(12, "sound on and off", "sound muted twice (a change of codec: not made by the simulator)",
         "no picture lost", partial(_of, "12", partial(_whole, least=200))),
)  # fmt: skip

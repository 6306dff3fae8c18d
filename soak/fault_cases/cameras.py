"""7 to 12: cameras that do what cameras do, recorded by the whole system; lost pictures are
counted by the numbers that the simulator stamps into each one it sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from bench.support.stamps import numbers_in
from tests.support.loop_thread import LoopThread
from tests.support.plant import SMALL, add_camera, recordings, resident_mb, wait_status
from tests.support.system import System

from soak.fault_cases.common import Case, Outcome, Place
from vms.common.model.media import Codec
from vms.simulator.camera import Behaviour
from vms.simulator.server import Simulator
from vms.simulator.sources import Loop

_NAME = "cam"
_LARGER = replace(SMALL, width=640, height=360, bitrate=400_000)
Act = Callable[[Simulator, LoopThread, System], None]


class _Recorded:
    """What was recorded of the camera: the numbers of its pictures, file by file."""

    def __init__(self, files: list[list[int]]) -> None:
        self.files = sorted(files)
        numbers = [number for file in self.files for number in file]
        self.pictures = len(numbers)
        self.twice = len(numbers) - len(set(numbers))
        self.missing = max(numbers) - min(numbers) + 1 - len(set(numbers)) if numbers else 0
        self.gap = max((b[0] - a[-1] - 1 for a, b in pairwise(self.files)), default=0)

    def __str__(self) -> str:
        return (
            f"{self.pictures} pictures in {len(self.files)} files, {self.missing} missing, "
            f"{self.twice} twice"
        )


def _record(
    place: Place,
    act: Act,
    source: Loop = SMALL,
    behaviour: Behaviour | None = None,
    audio: Codec | None = None,
) -> _Recorded:
    """Record one camera while `act` has it misbehave; the system is ended as by Ctrl-C."""
    data = place.folder / "data"
    with LoopThread() as loop, System(data, "--no-demo") as system:
        simulator = loop.enter(Simulator())
        simulator.add_camera(_NAME, source, behaviour=behaviour or Behaviour(), audio=audio)
        loop.call(simulator.prepare())
        client = system.wait_ready().client()
        add_camera(client, _NAME, simulator.url(_NAME))
        wait_status(client, _NAME, "online")
        time.sleep(2)
        act(simulator, loop, system)
        time.sleep(2.5)
        system.stop()
    return _Recorded([n for f in recordings(data, _NAME) if (n := sorted(numbers_in(f)))])


def wrap(place: Place) -> Outcome:
    behaviour = Behaviour(rtp_start=(65_000, 2**32 - 90_000 * 4))
    found = _record(place, lambda *_: time.sleep(6), behaviour=behaviour)
    return Outcome.judged(
        str(found), not found.missing and not found.twice and found.pictures > 150
    )


def jumps(place: Place) -> Outcome:
    def act(simulator: Simulator, _: LoopThread, __: System) -> None:
        for seconds in (-9800.0, 37_600.0):
            simulator.faults(_NAME).rtp_jump = seconds
            time.sleep(4)

    found = _record(place, act)
    return Outcome.judged(str(found), found.missing <= 2 and not found.twice)


def b_frames(place: Place) -> Outcome:
    found = _record(place, lambda *_: time.sleep(6), source=replace(SMALL, b_frames=2))
    kept = not found.missing and not found.twice and len(found.files) == 1
    return Outcome.judged(str(found), kept and found.pictures > 150)


def parameter_sets(place: Place) -> Outcome:
    def act(simulator: Simulator, loop: LoopThread, _: System) -> None:
        for number in range(10):
            loop.call(simulator.switch(_NAME, "main", SMALL if number % 2 else _LARGER))
            time.sleep(2.2)

    found = _record(place, act)
    # The simulator switches in the middle of a group: up to its next key picture no decoder
    # could show what it sends, and that counts here as missing.
    return Outcome.judged(
        f"{found}; {found.gap} at most between two", not found.missing and not found.twice
    )


def no_key(place: Place) -> Outcome:
    grown: list[float] = []
    seconds = 8 if place.quick else 60

    def act(simulator: Simulator, _: LoopThread, system: System) -> None:
        before = resident_mb(system)
        simulator.faults(_NAME).no_key = True
        time.sleep(seconds)
        grown.append(resident_mb(system) - before)
        simulator.faults(_NAME).no_key = False

    found = _record(place, act)
    figure = f"{found}; memory +{grown[0]:.0f} MB in {seconds} s"
    return Outcome.judged(figure, grown[0] < 32 and not found.twice)


def sound(place: Place) -> Outcome:
    def act(simulator: Simulator, _: LoopThread, __: System) -> None:
        for muted in (True, False, True, False):
            simulator.faults(_NAME).mute_audio = muted
            time.sleep(2)

    found = _record(place, act, audio=Codec.AAC)
    return Outcome.judged(str(found), not found.missing and not found.twice)


CASES = (
    Case(7, "RTP wraps", "timestamp and sequence number run over", "no picture lost", wrap),
    Case(8, "time jumps", "RTP time -9,800 s, then +37,600 s", "<= 1 picture lost at each", jumps),
    Case(9, "B-frames", "two B-frames between others (equal DTS: not made by the simulator)",
         "recording never stops", b_frames),
    Case(10, "parameters change", "picture size changed ten times", "no picture lost",
         parameter_sets),
    Case(11, "no key picture", "none for 60 s (short form 8 s)", "memory bounded", no_key),
    Case(12, "sound on and off", "sound muted twice (a change of codec: not made by the simulator)",
         "no picture lost", sound),
)  # fmt: skip

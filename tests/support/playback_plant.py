"""Cheap cameras whose pictures carry stamps, and a system that records them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.support.loop_thread import LoopThread
from tests.support.plant import add_camera, now_ms
from tests.support.system import System, wait_for

from vms.common.model.media import Codec
from vms.simulator.server import Simulator
from vms.simulator.sources import Scene

# Equal scenes share one encoder, so that nine cameras cost little more than one.
FPS = 15.0
VIEW = Scene(width=320, height=180, fps=FPS, bitrate=150_000, gop=30, view="yard")
NAMES = tuple(f"c{number}" for number in range(1, 10))
GAPPED = NAMES[-1]
"""The camera that was away for a while."""
HEARD = NAMES[1]
"""The camera that has a microphone."""


@dataclass(frozen=True, slots=True)
class Plant:
    system: System
    client: httpx.Client
    simulator: Simulator
    loop: LoopThread

    def spans(self, camera: str) -> list[tuple[int, int]]:
        """What is recorded of a camera, epoch milliseconds."""
        now = now_ms()
        answer = self.client.get(
            f"/api/v1/cameras/{camera}/recordings",
            params={"start": now - 3_600_000, "end": now, "stream": "main"},
        )
        return [(span["start"], span["end"]) for span in answer.raise_for_status().json()["spans"]]

    def recorded_ms(self, camera: str) -> int:
        return sum(end - start for start, end in self.spans(camera))


@contextmanager
def recorded(data: Path, seconds: float, names: Sequence[str] = NAMES) -> Iterator[Plant]:
    """Cameras with that much footage each; `GAPPED`, if among them, has a gap in it."""
    with LoopThread() as loop:
        simulator = loop.enter(Simulator())
        with System(data, "--no-demo").wait_ready() as system:
            client = system.client()
            for name in names:
                sound = Codec.AAC if name == HEARD else None
                simulator.add_camera(name, VIEW, audio=sound)
                add_camera(client, name, simulator.url(name))
            loop.call(simulator.prepare())
            plant = Plant(system, client, simulator, loop)
            if GAPPED in names:
                _cut(plant, seconds / 3)
            for name in names:
                if name != GAPPED:
                    wait_for(_has(plant, name, seconds), 90, f"{seconds:.0f} s of {name}")
            yield plant


def _has(plant: Plant, camera: str, seconds: float) -> Callable[[], bool]:
    return lambda: plant.recorded_ms(camera) > seconds * 1000


def _cut(plant: Plant, seconds: float) -> None:
    """After that much footage the camera answers nothing for a while, and then goes on."""
    wait_for(_has(plant, GAPPED, seconds), 60, "the first footage")
    plant.loop.call(plant.simulator.die(GAPPED))
    time.sleep(4)
    plant.simulator.camera(GAPPED).dead = False

    def goes_on() -> bool:
        spans = plant.spans(GAPPED)
        return len(spans) > 1 and spans[-1][1] - spans[-1][0] > 6000

    wait_for(goes_on, 90, "footage after the gap")

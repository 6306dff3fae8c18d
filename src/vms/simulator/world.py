"""Where things are: the lens of a scene, and the paths of what moves in it.

Each scene is seen through a simple lens above level ground, so that lanes, shelves, cars and
people agree in perspective. World measures are metres: x to the right, z away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vms.simulator.sprites import Look


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera `height` metres up; `horizon` as a share of the picture's height."""

    height: float
    horizon: float
    focal: float = 1.0

    def project(self, x: float, z: float, up: float = 0.0) -> tuple[float, float, float]:
        """Where a point is seen, in picture heights: x from the middle, y from the top.

        The third value is the size of a metre there.
        """
        metre = self.focal / max(z, 0.1)
        return x * metre, self.horizon + (self.height - up) * metre, metre


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a thing is now."""

    x: float
    z: float
    leftward: bool
    moving: bool
    travelled: float


@dataclass(frozen=True, slots=True)
class Mover:
    """A thing that walks a path of (x, z) points again and again.

    `speed` in m/s; it starts `start` seconds into each round of `every` seconds, and waits
    `halt` seconds at the point with the index `halt_at` (0: nowhere).
    """

    look: Look
    path: tuple[tuple[float, float], ...]
    speed: float
    every: float
    start: float = 0.0
    halt: float = 0.0
    halt_at: int = 0

    def at(self, seconds: float) -> Spot | None:
        """Its place at that time; None while it is away."""
        left = (seconds - self.start) % self.every
        gone = 0.0
        for index, (here, there) in enumerate(zip(self.path, self.path[1:], strict=False)):
            leftward = there[0] < here[0]
            if self.halt_at == index and index > 0:
                if left < self.halt:
                    return Spot(*here, leftward, False, gone)
                left -= self.halt
            length = float(np.hypot(there[0] - here[0], there[1] - here[1]))
            took = length / self.speed
            if left < took:
                share = left / took
                x = here[0] + (there[0] - here[0]) * share
                z = here[1] + (there[1] - here[1]) * share
                return Spot(x, z, leftward, True, gone + length * share)
            left -= took
            gone += length
        return None

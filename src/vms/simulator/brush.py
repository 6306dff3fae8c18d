"""Painting the still parts of a scene in world measures (metres) through its lens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vms.simulator import raster
from vms.simulator.raster import Colour, Ellipse, Pixels, Polygon
from vms.simulator.world import Lens

World = tuple[float, float, float]
"""x to the right, z away, height above the ground."""

_TILE = 512


class Brush:
    """Paints on one canvas. All randomness is of a fixed seed: a scene looks the same always."""

    def __init__(self, width: int, height: int, lens: Lens, seed: int = 5) -> None:
        self.canvas: Pixels = np.zeros((height, width, 3), np.float32)
        self.depth: Pixels = np.full((height, width), np.inf, np.float32)
        """How far away what stands in each pixel is; the ground hides nothing."""
        self.lens = lens
        self.height, self.width = height, width
        self.rng = np.random.default_rng(seed)

    def point(self, spot: World) -> tuple[float, float]:
        x, y, _ = self.lens.project(*spot)
        return self.width / 2 + x * self.height, y * self.height

    def face(self, corners: tuple[World, ...], colour: Colour, opacity: float = 1.0) -> None:
        """A flat convex thing."""
        shape = Polygon(tuple(self.point(corner) for corner in corners))
        found = raster.fill(self.canvas, shape, colour, opacity)
        if any(up > 0 for _, _, up in corners):
            self._stands(found, max(z for _, z, _ in corners))

    def _stands(self, found: raster.Coverage | None, z: float) -> None:
        if found is not None:
            share, x0, y0 = found
            part = self.depth[y0 : y0 + share.shape[0], x0 : x0 + share.shape[1]]
            part[share > 0.5] = z

    def wall(self, x0: float, x1: float, z: float, low: float, high: float, colour: Colour) -> None:
        """A rectangle that faces the camera."""
        self.face(((x0, z, high), (x1, z, high), (x1, z, low), (x0, z, low)), colour)

    def patch(
        self, x0: float, x1: float, z0: float, z1: float, colour: Colour, opacity: float = 1.0
    ) -> None:
        """A rectangle on the ground."""
        self.face(((x0, z0, 0), (x1, z0, 0), (x1, z1, 0), (x0, z1, 0)), colour, opacity)

    def block(
        self,
        x0: float,
        x1: float,
        z0: float,
        z1: float,
        high: float,
        colour: Colour,
        low: float = 0.0,
    ) -> None:
        """A box: its top and the side that is seen, then its front at z0."""
        light = tuple(min(255.0, c * 1.22) for c in colour)
        dark = tuple(c * 0.62 for c in colour)
        lid = ((x0, z0, high), (x1, z0, high), (x1, z1, high), (x0, z1, high))
        if x1 < 0:
            side = ((x1, z0, low), (x1, z1, low), (x1, z1, high), (x1, z0, high))
            self.face(side, (dark[0], dark[1], dark[2]))
        elif x0 > 0:
            side = ((x0, z0, low), (x0, z1, low), (x0, z1, high), (x0, z0, high))
            self.face(side, (dark[0], dark[1], dark[2]))
        if self.lens.height > high:
            self.face(lid, (light[0], light[1], light[2]))
        self.wall(x0, x1, z0, low, high, colour)

    def shadow(self, x: float, z: float, wide: float, deep: float, opacity: float = 0.4) -> None:
        """A soft dark patch on the ground, where something stands."""
        cx, cy = self.point((x, z, 0))
        metre = self.lens.project(x, z)[2] * self.height
        slope = self.lens.height / z
        for share in (1.0, 0.8, 0.6):
            radius = (wide * metre * share, max(1.0, deep * metre * slope * share))
            raster.fill(self.canvas, Ellipse((cx, cy), radius), (0, 0, 0), opacity / 3)

    def sky(self, top: Colour, bottom: Colour) -> None:
        """From the upper edge to the horizon, with faint clouds."""
        rows = max(1, round(self.lens.horizon * self.height) + 2)
        share = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
        colour = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
        self.canvas[:rows] = colour
        self.canvas[:rows] += raster.cloud_noise(self.rng, self.width, rows, (2, 3))[..., None] * 5

    def ground(self, colour: Colour, rough: float, cell: float = 0.05) -> None:
        """The ground below the horizon: grainy, with stains, finer the farther away.

        `rough` is the deviation of its brightness; `cell` the metres of one grain.
        """
        first = max(0, int(np.ceil(self.lens.horizon * self.height)) + 1)
        rows = np.arange(first, self.height) + 0.5
        z = (
            self.lens.focal
            * self.lens.height
            / np.maximum(rows / self.height - self.lens.horizon, 1e-3)
        )
        across = (np.arange(self.width) + 0.5 - self.width / 2) / self.height
        x = across[None, :] * z[:, None] / self.lens.focal
        deep = np.broadcast_to(z[:, None], x.shape)
        grain = self.rng.normal(0, 1, (_TILE, _TILE)).astype(np.float32)
        stains = raster.cloud_noise(self.rng, _TILE, _TILE, (8, 16, 32), wrapped=True)
        near = np.minimum(1.0, 9 / z)[:, None]
        value = _look_up(grain, x / cell, deep / cell) * rough * near
        value += _look_up(stains, x / cell / 3, deep / cell / 3) * rough * 1.2
        shade = (1.06 - 0.25 * np.minimum(z / 60, 1))[:, None]
        base = np.array(colour, np.float32) * shade[..., None]
        self.canvas[first:] = base + value[..., None]

    def tree(self, x: float, z: float, high: float, colour: Colour) -> None:
        """A trunk and a crown of many leaves."""
        metre = self.lens.project(x, z)[2] * self.height
        self.shadow(x, z, high * 0.4, high * 0.3, 0.35)
        self.wall(x - 0.15, x + 0.15, z, 0, high * 0.5, (74, 58, 44))
        cx, cy = self.point((x, z, high * 0.68))
        for _ in range(70):
            angle, reach = self.rng.uniform(0, 2 * np.pi), self.rng.uniform(0, 1) ** 0.5
            dx, dy = np.cos(angle) * reach, np.sin(angle) * reach
            light = 0.75 + 0.3 * (-dy) + self.rng.uniform(-0.12, 0.12)
            size = high * metre * self.rng.uniform(0.05, 0.1)
            place = (cx + dx * high * metre * 0.3, cy + dy * high * metre * 0.3)
            tone = (colour[0] * light, colour[1] * light, colour[2] * light)
            leaves = Ellipse(place, (size, size * 0.85))
            self._stands(raster.fill(self.canvas, leaves, tone, 0.9), z)

    def lamp(self, x: float, z: float, high: float, strength: float = 0.0) -> None:
        """A lamp post, and its light if it is on (`strength` up to some 120)."""
        self.shadow(x, z, 0.4, 0.3)
        self.wall(x - 0.06, x + 0.06, z, 0, high, (70, 74, 78))
        self.wall(x - 0.06, x + 0.9, z, high - 0.08, high, (70, 74, 78))
        self.wall(x + 0.45, x + 1.0, z, high - 0.18, high - 0.08, (236, 232, 214))
        if strength:
            metre = self.lens.project(x, z)[2] * self.height
            spot = self.point((x + 0.7, z, high - 0.1))
            raster.glow(self.canvas, spot, (metre, metre), (1, 0.9, 0.68), strength * 1.5)
            pool = self.point((x + 0.7, z - 0.5, 0))
            slope = self.lens.height / z
            raster.glow(
                self.canvas, pool, (6 * metre, 6 * metre * slope), (1, 0.85, 0.58), strength
            )

    def finish(self, tint: Colour, vignette: float, grain: float = 2.0) -> None:
        """The character of the camera: tint, dark corners, sensor noise."""
        y = np.linspace(-1, 1, self.height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, self.width, dtype=np.float32)[None, :]
        edge = 1 - vignette * (x * x + y * y) / 2
        self.canvas *= edge[..., None] * np.array(tint, np.float32)
        noise = self.rng.normal(0, grain, (self.height, self.width, 1))
        self.canvas += noise.astype(np.float32)


def _look_up(tile: Pixels, x: NDArray[np.floating], y: NDArray[np.floating]) -> Pixels:
    return tile[y.astype(np.int64) % _TILE, x.astype(np.int64) % _TILE]

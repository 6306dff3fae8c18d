"""Drawing the pictures of a scene: only what moves is drawn again.

The background of a view is made once for a size. For each picture the places that were
drawn over last time are put back from it, then the moving things, the name, the clock
and the stamp are laid over. Everything is a function of the time, so that the main and
the sub stream of a camera show the same.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vms.common.stamp import LIGHT, bar_height, draw_stamp
from vms.format.font import text_mask
from vms.simulator import raster, sprites
from vms.simulator.encode import Picture, new_picture
from vms.simulator.gallery import View, view_named
from vms.simulator.sprites import GAIT_PHASES, Kind, Look, Sprite
from vms.simulator.world import Mover, Spot

_STRIPS = 24
_SIZE_STEP = 1.08
_STRIDE = 1.5
"""Metres that a person walks in one round of the gait."""

Rect = tuple[int, int, int, int]


class Renderer:
    """Draws one view at one size. Not for use from two threads at once.

    `grain` is the deviation of the noise that changes from picture to picture: in a
    strip that wanders if `everywhere` is False (cheap to encode), else all over.
    `stamp_light` is the luma of the stamp's light cells.
    """

    def __init__(
        self,
        view: str,
        width: int,
        height: int,
        title: str,
        *,
        grain: float = 2.0,
        everywhere: bool = False,
        stamp_light: int = LIGHT,
    ) -> None:
        self._view: View = view_named(view)
        self._width, self._height = width, height
        self._title = title or self._view.title
        self._background = background(view, width, height)
        self.picture: Picture = new_picture(width, height)
        self._restore((0, 0, width, height))
        self._dirty: list[Rect] = []
        rng = np.random.default_rng(7)
        rows = height if everywhere else -(-height // _STRIPS)
        noise = rng.normal(0, max(grain, 0.01), (6, rows, width)).round()
        self._noise: NDArray[np.int16] = noise.astype(np.int16)
        self._everywhere = everywhere
        self._stamp_light = stamp_light
        self._count = 0
        self._text_scale = max(1, round(height / 260))
        self._texts: dict[str, Sprite] = {}

    def draw(self, number: int, wall_ns: int) -> Picture:
        """Draw picture `number` as it looks at `wall_ns` (UTC) into the one buffer."""
        if self._everywhere:
            self._restore((0, 0, self._width, self._height))
        for rect in self._dirty:
            self._restore(rect)
        self._dirty.clear()
        self._add_grain()
        seconds = wall_ns / 1e9
        placed = [(mover, spot) for mover in self._view.movers if (spot := mover.at(seconds))]
        for mover, spot in sorted(placed, key=lambda pair: -pair[1].z):
            self._place(mover, spot)
        self._label(wall_ns)
        draw_stamp(self.picture.y, number, wall_ns // 1_000_000, self._stamp_light)
        self._count += 1
        return self.picture

    def _restore(self, rect: Rect) -> None:
        x0, y0, x1, y1 = rect
        behind = self._background
        self.picture.y[y0:y1, x0:x1] = behind.y[y0:y1, x0:x1]
        half = np.s_[y0 // 2 : -(-y1 // 2), x0 // 2 : -(-x1 // 2)]
        self.picture.u[half] = behind.u[half]
        self.picture.v[half] = behind.v[half]

    def _add_grain(self) -> None:
        noise = self._noise[self._count % len(self._noise)]
        rows = noise.shape[0]
        top = 0 if self._everywhere else (self._count * 7 % _STRIPS) * rows
        clean = self._background.y[top : top + rows]
        noisy = clean + np.roll(noise[: clean.shape[0]], self._count * 31, axis=1)
        self.picture.y[top : top + rows] = noisy.clip(16, 235)

    def _place(self, mover: Mover, spot: Spot) -> None:
        lens = self._view.lens
        x, y, metre = lens.project(spot.x, spot.z)
        tall = sprites.SIZES[mover.look.kind][1] * metre * self._height
        step = round(math.log(max(tall, 4)) / math.log(_SIZE_STEP))
        phase = 0
        if mover.look.kind is Kind.PERSON and spot.moving:
            phase = int(spot.travelled / _STRIDE * GAIT_PHASES) % GAIT_PHASES
        sprite = _sprite(mover.look, round(_SIZE_STEP**step), phase, spot.leftward)
        left = round(self._width / 2 + x * self._height) - sprite.foot[0]
        self._blend(sprite, left, round(y * self._height) - sprite.foot[1], round(spot.z * 100))

    def _blend(self, sprite: Sprite, left: int, top: int, far: int = 0) -> None:
        """Lay `sprite` over the picture, cut off at its edges and behind what is nearer."""
        high, wide = sprite.y.shape
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(self._width, left + wide), min(self._height, top + high)
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        cut = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        depth = self._background.depth
        hidden = depth[y0:y1, x0:x1] < far if far else None
        _over(self.picture.y[y0:y1, x0:x1], sprite.y[cut], sprite.keep_y[cut], hidden)
        hx, hy, hl, ht = x0 // 2, y0 // 2, left // 2, top // 2
        sx, sy = max(0, hx - hl), max(0, hy - ht)
        wide2 = min(self._width // 2 - hx, sprite.u.shape[1] - sx)
        high2 = min(self._height // 2 - hy, sprite.u.shape[0] - sy)
        cut2 = np.s_[sy : sy + high2, sx : sx + wide2]
        place = np.s_[hy : hy + high2, hx : hx + wide2]
        hidden = depth[::2, ::2][place] < far if far else None
        _over(self.picture.u[place], sprite.u[cut2], sprite.keep_uv[cut2], hidden)
        _over(self.picture.v[place], sprite.v[cut2], sprite.keep_uv[cut2], hidden)
        self._dirty.append((hx * 2, hy * 2, max(x1, 2 * (hx + wide2)), max(y1, 2 * (hy + high2))))

    def _label(self, wall_ns: int) -> None:
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall_ns // 1_000_000_000))
        gap = 4 * self._text_scale
        sprite = self._text(f"{clock}  {self._title}")
        self._blend(sprite, gap, bar_height(self._width) + gap)

    def _text(self, text: str) -> Sprite:
        found = self._texts.get(text)
        if found is None:
            if len(self._texts) > 8:
                self._texts.clear()
            found = self._texts[text] = _lettering(text, self._text_scale)
        return found


def _over(
    below: sprites.Plane,
    colour: sprites.Plane,
    keep: NDArray[np.uint16],
    hidden: NDArray[np.bool_] | None,
) -> None:
    mixed = below * keep
    mixed >>= 8
    mixed += colour
    np.minimum(mixed, 255, out=mixed)
    if hidden is not None and hidden.any():
        mixed = np.where(hidden, below, mixed)
    below[:] = mixed


def _lettering(text: str, scale: int) -> Sprite:
    """White letters on a dark, half transparent plate."""
    ink = text_mask(text, scale)
    pad = 3 * scale
    canvas = np.zeros(
        (sprites.even(ink.shape[0] + 2 * pad), sprites.even(ink.shape[1] + 2 * pad), 4), np.float32
    )
    canvas[..., 3] = 110
    part = canvas[pad : pad + ink.shape[0], pad : pad + ink.shape[1]]
    part[ink] = (236, 240, 244, 255)
    return sprites.from_rgba(canvas, (0, 0))


@lru_cache(maxsize=1024)
def _sprite(look: Look, height: int, phase: int, mirrored: bool) -> Sprite:
    return sprites.draw(look, height, phase, mirrored=mirrored)


@dataclass(frozen=True, slots=True)
class Background:
    """The empty scene, and how far away what stands in each pixel is (cm)."""

    y: sprites.Plane
    u: sprites.Plane
    v: sprites.Plane
    depth: NDArray[np.uint16]


@lru_cache(maxsize=8)
def background(view: str, width: int, height: int) -> Background:
    """The same for every camera that shows it."""
    rgb, depth = view_named(view).paint(width, height)
    y, u, v = (p.round().clip(16, 240).astype(np.uint8) for p in raster.yuv_planes(rgb))
    rows = -(-bar_height(width) // 2)
    u[:rows] = v[:rows] = 128
    return Background(y, u, v, (depth * 100).clip(0, 65535).astype(np.uint16))

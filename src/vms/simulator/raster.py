"""Drawing with numpy alone: anti-aliased convex shapes, textures, RGB to YUV.

Pictures are float32 arrays of height x width x channels, values 0 to 255. A shape is a
row of spans: for each sub-scanline where it begins and ends in x. This serves convex
polygons and ellipses, which is all that a scene needs, at a few array operations each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Colour = tuple[float, float, float]
Point = tuple[float, float]

_SUBSAMPLES = 4


@dataclass(frozen=True, slots=True)
class Polygon:
    """A convex polygon."""

    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Ellipse:
    centre: Point
    radius: Point


Shape = Polygon | Ellipse


def box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return Polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def line(start: Point, end: Point, thickness: float) -> Polygon:
    """A thick line as a quadrilateral."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max(float(np.hypot(dx, dy)), 1e-6)
    nx, ny = -dy / length * thickness / 2, dx / length * thickness / 2
    return Polygon(
        (
            (start[0] + nx, start[1] + ny),
            (end[0] + nx, end[1] + ny),
            (end[0] - nx, end[1] - ny),
            (start[0] - nx, start[1] - ny),
        )
    )


def scaled(shape: Shape, sx: float, sy: float, dx: float = 0.0, dy: float = 0.0) -> Shape:
    """`shape` with x -> x * sx + dx and y -> y * sy + dy."""
    if isinstance(shape, Ellipse):
        (cx, cy), (rx, ry) = shape.centre, shape.radius
        return Ellipse((cx * sx + dx, cy * sy + dy), (rx * abs(sx), ry * abs(sy)))
    return Polygon(tuple((x * sx + dx, y * sy + dy) for x, y in shape.points))


Coverage = tuple[Pixels, int, int]
"""How much of each pixel of a part of the picture is covered, and that part's corner."""


def coverage(shape: Shape, width: int, height: int) -> Coverage | None:
    """How much of each pixel `shape` covers (0 to 1) within its box, and that box's corner.

    None where it lies outside of `width` x `height`.
    """
    top, bottom = _reach(shape)
    y0, y1 = max(0, int(np.floor(top))), min(height, int(np.ceil(bottom)))
    if y1 <= y0:
        return None
    rows = (np.arange((y1 - y0) * _SUBSAMPLES) + 0.5) / _SUBSAMPLES + y0
    left, right = _spans(shape, rows)
    inside = right > left
    if not inside.any():
        return None
    left, right = np.where(inside, left, np.inf), np.where(inside, right, -np.inf)
    x0 = max(0, int(np.floor(left[inside].min())))
    x1 = min(width, int(np.ceil(right[inside].max())))
    if x1 <= x0:
        return None
    columns = np.arange(x0, x1, dtype=np.float64)
    left, right = left.clip(x0 - 1, x1 + 1), right.clip(x0 - 1, x1 + 1)
    share = np.minimum(columns + 1, right[:, None]) - np.maximum(columns, left[:, None])
    share = share.clip(0, 1).reshape(y1 - y0, _SUBSAMPLES, -1).mean(axis=1)
    return share.astype(np.float32), x0, y0


def _reach(shape: Shape) -> tuple[float, float]:
    if isinstance(shape, Ellipse):
        return shape.centre[1] - shape.radius[1], shape.centre[1] + shape.radius[1]
    heights = [y for _, y in shape.points]
    return min(heights), max(heights)


def _spans(
    shape: Shape, rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the shape begins and ends on each of `rows`; the end is not larger where it misses."""
    if isinstance(shape, Ellipse):
        share = 1 - ((rows - shape.centre[1]) / shape.radius[1]) ** 2
        reach = shape.radius[0] * np.sqrt(np.maximum(share, 0))
        return shape.centre[0] - reach, shape.centre[0] + reach
    left, right = np.full(rows.shape, np.inf), np.full(rows.shape, -np.inf)
    points = list(shape.points)
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if y0 == y1:
            continue
        crossed = (rows >= min(y0, y1)) & (rows < max(y0, y1))
        x = x0 + (rows - y0) * ((x1 - x0) / (y1 - y0))
        left = np.where(crossed, np.minimum(left, x), left)
        right = np.where(crossed, np.maximum(right, x), right)
    return left, right


def fill(picture: Pixels, shape: Shape, colour: Colour, opacity: float = 1.0) -> Coverage | None:
    """Paint `shape` over the first three channels, and over alpha where there is a fourth.

    With a fourth channel the colours are premultiplied, so that pictures can be stacked.
    Gives what was covered.
    """
    found = coverage(shape, picture.shape[1], picture.shape[0])
    if found is None:
        return None
    share, x0, y0 = found
    share *= opacity
    part = picture[y0 : y0 + share.shape[0], x0 : x0 + share.shape[1]]
    part *= 1 - share[..., None]
    part[..., :3] += share[..., None] * np.array(colour, np.float32)
    if picture.shape[2] == 4:
        part[..., 3] += share * 255
    return found


def glow(picture: Pixels, centre: Point, radius: Point, colour: Colour, strength: float) -> None:
    """Add light around `centre`, fading out at `radius`."""
    height, width = picture.shape[:2]
    y = ((np.arange(height) - centre[1]) / radius[1])[:, None]
    x = ((np.arange(width) - centre[0]) / radius[0])[None, :]
    light = np.exp(-(x * x + y * y) * 2).astype(np.float32) * np.float32(strength)
    picture += light[..., None] * np.array(colour, np.float32)


def resize(values: Pixels, width: int, height: int) -> Pixels:
    """Bilinear, of a single channel."""
    rows = np.linspace(0, values.shape[0] - 1, height)
    columns = np.linspace(0, values.shape[1] - 1, width)
    y, x = rows.astype(np.intp), columns.astype(np.intp)
    fy, fx = (rows - y)[:, None], (columns - x)[None, :]
    y1, x1 = np.minimum(y + 1, values.shape[0] - 1), np.minimum(x + 1, values.shape[1] - 1)
    upper = values[y][:, x] * (1 - fx) + values[y][:, x1] * fx
    lower = values[y1][:, x] * (1 - fx) + values[y1][:, x1] * fx
    mixed: Pixels = (upper * (1 - fy) + lower * fy).astype(np.float32)
    return mixed


def cloud_noise(
    rng: np.random.Generator,
    width: int,
    height: int,
    octaves: Sequence[int],
    *,
    wrapped: bool = False,
) -> Pixels:
    """Noise of several sizes (cells over the height), mean 0, deviation near 1.

    If `wrapped`, its edges fit their opposites.
    """
    total = np.zeros((height, width), np.float32)
    for cells in octaves:
        coarse = rng.normal(0, 1, (cells + 1, max(2, cells * width // height + 1)))
        if wrapped:
            coarse[-1], coarse[:, -1] = coarse[0], coarse[:, 0]
        total += resize(coarse.astype(np.float32), width, height)
    total /= np.float32(np.sqrt(len(octaves)))
    return total


def yuv_planes(rgb: Pixels, alpha: Pixels | None = None) -> tuple[Pixels, Pixels, Pixels]:
    """BT.601 limited range 4:2:0 of `rgb`; both sides even. Premultiplied if `alpha` (0-255)."""
    share = 1.0 if alpha is None else alpha / 255
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    y = 16 * share + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 * share - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 * share + 0.439 * r - 0.368 * g - 0.071 * b
    return y.astype(np.float32), halved(u), halved(v)


def halved(plane: Pixels) -> Pixels:
    """Mean of each 2 x 2 pixels; both sides even."""
    height, width = plane.shape
    quarters = plane.reshape(height // 2, 2, width // 2, 2)
    mean: Pixels = quarters.mean(axis=(1, 3)).astype(np.float32)
    return mean

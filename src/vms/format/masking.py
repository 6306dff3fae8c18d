"""Privacy masks: polygons of a camera's picture that are painted black before anybody sees it.

What a polygon touches is hidden, by whole samples and by one more around it, so that neither
a rounded corner nor the coarser samples of colour show what lies beneath.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import av
import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.bool_]
Samples = NDArray[np.uint8]
Point = tuple[float, float]
_Layer = tuple[int, int, Samples, Samples]

_FORMAT = "yuv420p"
_BLACK = (16, 128, 128)


class Outline(Protocol):
    """A polygon: `points` are 0..1 of the picture's width and height."""

    @property
    def points(self) -> tuple[Point, ...]: ...


class Painter:
    """Paints the masks of one camera. One thread at a time."""

    def __init__(self, masks: Sequence[Outline], width: int, height: int) -> None:
        """`width` and `height` in pixels of the pictures to come; others are painted as well,
        the masks scaled to their size."""
        self._masks = tuple(masks)
        self._size = (0, 0)
        self._planes: list[_Layer] = []
        self._fit(width, height)

    def paint(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A copy of the frame in yuv420p with the masks black; its times are kept."""
        if (frame.width, frame.height) != self._size:
            self._fit(frame.width, frame.height)
        painted = frame.reformat(format=_FORMAT)
        if painted is frame:
            # What a decoder gave may be what it predicts the next pictures from.
            painted = _copy(frame)
        for plane, (top, left, kept, black) in zip(painted.planes, self._planes, strict=True):
            part = _pixels(plane)[top : top + kept.shape[0], left : left + kept.shape[1]]
            part &= kept
            part |= black
        painted.pts = frame.pts
        if frame.time_base is not None:
            painted.time_base = frame.time_base
        return painted

    def _fit(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._planes = _layers(tuple(mask.points for mask in self._masks), width, height)


@lru_cache(maxsize=8)
def _layers(masks: tuple[tuple[Point, ...], ...], width: int, height: int) -> list[_Layer]:
    """One for each plane. Kept, as many answers show the same camera."""
    hidden = hidden_pixels(masks, width, height)
    coarse = np.zeros((-(-height // 2) * 2, -(-width // 2) * 2), np.bool_)
    coarse[:height, :width] = hidden
    coarse = coarse[::2] | coarse[1::2]
    coarse = coarse[:, ::2] | coarse[:, 1::2]
    planes = (hidden, coarse, coarse)
    return [_layer(p, black) for p, black in zip(planes, _BLACK, strict=True)]


def hidden_pixels(masks: Iterable[Sequence[Point]], width: int, height: int) -> Grid:
    """Which pixels of a picture the polygons hide, as rows of booleans."""
    hidden = np.zeros((height, width), np.bool_)
    for mask in masks:
        points = [(x * width, y * height) for x, y in mask]
        hidden |= _inside(points, width, height)
        _draw_edges(hidden, points)
    return _grown(hidden)


def _inside(points: Sequence[Point], width: int, height: int) -> Grid:
    """Pixels whose middle the polygon winds around, whichever way."""
    turns = np.zeros((height, width + 1), np.int16)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        step = 1 if y1 > y0 else -1
        first, last = sorted((y0, y1))
        rows = np.arange(max(0, int(np.ceil(first - 0.5))), min(height, int(np.ceil(last - 0.5))))
        if not len(rows):
            continue
        crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        columns = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.intp)
        turns[rows, columns] += np.int16(step)
    winding = np.cumsum(turns, axis=1)[:, :width]
    return np.not_equal(winding, 0)


def _draw_edges(hidden: Grid, points: Sequence[Point]) -> None:
    height, width = hidden.shape
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        steps = int(2 * max(abs(x1 - x0), abs(y1 - y0))) + 2
        share = np.linspace(0.0, 1.0, steps)
        columns = np.clip((x0 + share * (x1 - x0)).astype(np.intp), 0, width - 1)
        rows = np.clip((y0 + share * (y1 - y0)).astype(np.intp), 0, height - 1)
        hidden[rows, columns] = True


def _grown(hidden: Grid) -> Grid:
    """With one pixel more on each side."""
    tall = hidden.copy()
    tall[1:] |= hidden[:-1]
    tall[:-1] |= hidden[1:]
    wide = tall.copy()
    wide[:, 1:] |= tall[:, :-1]
    wide[:, :-1] |= tall[:, 1:]
    return wide


def _layer(hidden: Grid, black: int) -> _Layer:
    """Of the part that holds what is hidden: its place, and what paints it by AND and OR, which
    is several times as fast as choosing by a condition."""
    rows, columns = np.flatnonzero(hidden.any(1)), np.flatnonzero(hidden.any(0))
    if not len(rows):
        nothing = np.zeros((0, 0), np.uint8)
        return 0, 0, nothing, nothing
    top, left = int(rows[0]), int(columns[0])
    part = hidden[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    return top, left, np.where(part, 0, 255).astype(np.uint8), part * np.uint8(black)


def _copy(frame: av.VideoFrame) -> av.VideoFrame:
    made = av.VideoFrame(frame.width, frame.height, _FORMAT)
    for source, target in zip(frame.planes, made.planes, strict=True):
        _pixels(target)[:] = _pixels(source)
    made.color_range = frame.color_range
    made.colorspace = frame.colorspace
    return made


def _pixels(plane: Any) -> Samples:
    """The plane's samples, written through to the frame."""
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]

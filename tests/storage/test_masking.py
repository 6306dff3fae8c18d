"""Masks: what a polygon touches is black, and nothing far from it is."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.storage_media import picture

from vms.format.masking import Painter, hidden_pixels

Point = tuple[float, float]


@dataclass(frozen=True)
class Mask:
    points: tuple[Point, ...]


def white(width: int, height: int, form: str = "yuv420p") -> av.VideoFrame:
    image = np.full((height, width, 3), 255, np.uint8)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=form)
    frame.pts, frame.time_base = 7, Fraction(1, 25)
    return frame


def winding(points: list[Point], x: float, y: float) -> int:
    """How often the polygon winds around a point, edge by edge."""
    turns = 0
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        left = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
        if y0 <= y < y1 and left > 0:
            turns += 1
        elif y1 <= y < y0 and left < 0:
            turns -= 1
    return turns


_WITHIN = [(dx, dy) for dx in (0.01, 0.5, 0.99) for dy in (0.01, 0.5, 0.99)]
share = st.floats(0, 1).map(lambda x: round(x, 3))
polygons = st.lists(st.tuples(share, share), min_size=3, max_size=12).map(tuple)


@given(polygons, st.integers(2, 16), st.integers(2, 16))
def test_every_point_inside_is_hidden(points: tuple[Point, ...], width: int, height: int) -> None:
    hidden = hidden_pixels([points], width, height)
    scaled = [(x * width, y * height) for x, y in points]
    for row in range(height):
        for column in range(width):
            corners = [
                (column + dx, row + dy) for dx in (0.01, 0.5, 0.99) for dy in (0.01, 0.5, 0.99)
            ]
            if any(winding(scaled, x, y) for x, y in corners):
                assert hidden[row, column], (row, column)


@given(polygons)
def test_nothing_two_pixels_away_is(points: tuple[Point, ...]) -> None:
    hidden = hidden_pixels([points], 40, 30)
    columns = [x * 40 for x, _ in points]
    rows = [y * 30 for _, y in points]
    for row, column in np.argwhere(hidden):
        assert min(columns) - 3 < column < max(columns) + 2
        assert min(rows) - 3 < row < max(rows) + 2


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "yuv444p", "yuv420p10le", "nv12"])
@pytest.mark.parametrize(("width", "height"), [(160, 96), (161, 97), (30, 20)])
def test_a_painted_frame_is_black_there_and_keeps_its_times(
    form: str, width: int, height: int
) -> None:
    frame = white(width, height, form)
    painted = Painter([Mask(((0.25, 0.25), (0.5, 0.25), (0.5, 0.5), (0.25, 0.5)))], 160, 96).paint(
        frame
    )
    image = painted.to_ndarray(format="rgb24")
    assert image[height * 5 // 16 : height * 7 // 16, width * 5 // 16 : width * 7 // 16].max() < 20
    assert image[height * 5 // 8 :].min() > 230
    assert (painted.pts, painted.time_base) == (7, Fraction(1, 25))
    assert frame.to_ndarray(format="rgb24").min() > 230, "the decoder's own picture is left alone"


def test_no_masks_change_nothing() -> None:
    frame = picture(3)
    painted = Painter([], 160, 96).paint(frame)
    assert np.array_equal(painted.to_ndarray(), frame.to_ndarray())

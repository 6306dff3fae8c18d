"""How a camera's clock stood to ours: offset, drift, jumps, odd readings."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.storage_media import SECOND, START_NS

from vms.storage.clock_fit import ClockFit

MS = 1_000_000


def fitted(offsets: list[int | None]) -> tuple[int | None, int | None]:
    """One reading a second, of what the camera is ahead of us in nanoseconds."""
    fit = ClockFit()
    for second, offset in enumerate(offsets):
        wall = START_NS + second * SECOND
        fit.note(wall, None if offset is None else wall + offset)
    return fit.result()


@pytest.mark.parametrize("ppb", [0, 20_000, -150_000])
def test_drift_is_found_in_noise(ppb: int) -> None:
    noise = random.Random(7)
    offset, drift = fitted([3 * SECOND + n * ppb + noise.randint(-MS, MS) for n in range(3600)])
    assert offset == pytest.approx(3 * SECOND + 1800 * ppb, abs=MS)
    assert drift == pytest.approx(ppb, abs=100)


@pytest.mark.parametrize("jump", [SECOND, -3600 * SECOND])
def test_a_jump_is_no_drift(jump: int) -> None:
    offset, drift = fitted([n * 20_000 + (jump if n >= 1000 else 0) for n in range(3600)])
    assert drift == pytest.approx(20_000, abs=10)
    assert offset == pytest.approx(jump + 1800 * 20_000, abs=50 * MS)


def test_odd_readings_are_left_out() -> None:
    offsets: list[int | None] = [n * 20_000 for n in range(600)]
    offsets[0:5] = [None] * 5
    for odd in (50, 51, 300, 599):
        offsets[odd] = 90 * SECOND
    assert fitted(offsets)[1] == 20_000


def test_what_cannot_be_told_is_not() -> None:
    assert fitted([]) == (None, None)
    assert fitted([None] * 100) == (None, None)
    assert fitted([5] * 50) == (5, None)
    # All at one instant.
    fit = ClockFit()
    for _ in range(100):
        fit.note(START_NS, START_NS)
    assert fit.result() == (0, None)


@given(st.lists(st.none() | st.integers(-(1 << 62), 1 << 62), max_size=200))
def test_any_readings_give_an_answer(offsets: list[int | None]) -> None:
    walls = [None if o is None else min(max(o, -START_NS), START_NS) for o in offsets]
    offset, drift = fitted(walls)
    assert (offset is None) == all(o is None for o in offsets)
    assert drift is None or abs(drift) < 10**9

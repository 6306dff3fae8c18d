"""The line of time that footage is stamped by, on clocks that are wrong, set and set back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.virtual_clock import VirtualClock

from vms.common.wallclock import BUILT_NS, PROVEN_NS, Step, WallClock

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NOW = BUILT_NS + 100 * 24 * HOUR


def run(clock: VirtualClock, wall: WallClock, seconds: float, every: float = 0.5) -> list[Step]:
    steps = []
    passed = 0.0
    while passed < seconds:
        clock.pass_(every)
        passed += every
        if step := wall.check():
            steps.append(step)
    return steps


def proven(now: int = NOW, floor: int = BUILT_NS) -> tuple[VirtualClock, WallClock]:
    clock = VirtualClock(now)
    wall = WallClock(clock, floor)
    assert run(clock, wall, PROVEN_NS / SECOND + 1, 10) == []
    return clock, wall


def test_a_clock_that_is_right_is_followed() -> None:
    clock, wall = proven()
    assert wall.now_ns() == clock.now_ns()
    assert wall.problem == ""


def test_a_small_error_is_slid_away_and_never_back() -> None:
    clock, wall = proven()
    clock.step(-0.4)
    last = wall.now_ns()
    for _ in range(40):
        assert run(clock, wall, 0.5) == []
        assert wall.now_ns() > last
        last = wall.now_ns()
    assert abs(wall.now_ns() - clock.now_ns()) < 10_000_000


def test_a_step_ahead_is_taken_at_once_and_shifts_nothing() -> None:
    clock, wall = proven()
    wall.note_run("front", "main", "a")
    anchor = wall.anchor
    clock.step(3600)
    (step,) = run(clock, wall, 1)
    assert step.new_ns - step.old_ns == HOUR
    assert not step.shifted
    assert wall.shifts("front", "main") == ()
    assert wall.anchor is not anchor
    # A Run that is under way keeps its own line of time.
    assert clock.now_ns() - anchor.now_ns() == HOUR


def test_an_hour_back_is_made_up_for_slowly() -> None:
    clock, wall = proven()
    clock.step(-3600)
    last = wall.now_ns()
    for _ in range(20):
        assert run(clock, wall, 3600, 60) == []
        assert wall.now_ns() > last
        last = wall.now_ns()
    assert run(clock, wall, 120, 1) == []
    assert abs(wall.now_ns() - clock.now_ns()) < 10_000_000
    assert wall.problem == ""


def test_an_hour_back_and_the_clock_says_so() -> None:
    clock, wall = proven()
    clock.step(-3600)
    run(clock, wall, 1)
    assert "3599 s behind the footage" in wall.problem or "3600 s" in wall.problem


def test_an_hour_ahead_and_back_within_minutes_is_put_right() -> None:
    clock, wall = proven()
    clock.step(3600)
    run(clock, wall, 1)
    wall.note_run("front", "main", "wrong")
    run(clock, wall, 60)
    clock.step(-3600)
    (step,) = run(clock, wall, 1)
    assert step.shifted
    assert wall.shifts("front", "main") == (("wrong", -HOUR),)
    assert wall.now_ns() == clock.now_ns()


def test_boot_in_1970_goes_on_from_the_newest_footage_and_is_put_right() -> None:
    clock = VirtualClock(10 * SECOND)
    wall = WallClock(clock, NOW)
    first = wall.now_ns()
    assert first > NOW
    assert "clock (1970-01-01" in wall.problem
    wall.note_run("front", "main", "early")
    assert run(clock, wall, 7200, 10) == []
    assert wall.now_ns() == first + 2 * HOUR
    wall.note_run("front", "main", "later")
    right = NOW + 5 * HOUR
    clock.step((right - clock.now_ns()) / SECOND)
    (step,) = run(clock, wall, 1)
    assert step.shifted
    assert wall.problem == ""
    by = step.new_ns - step.old_ns
    assert wall.shifts("front", "main") == (("early", by), ("later", by))
    # What was recorded first was recorded two hours before the clock was set.
    assert first + by == pytest.approx(right - 2 * HOUR, abs=SECOND)


def test_a_battery_that_dies_while_running_changes_nothing() -> None:
    clock, wall = proven()
    away = clock.now_ns()
    clock.step(-away / SECOND)
    before = wall.now_ns()
    assert run(clock, wall, 100) == []
    assert wall.now_ns() == before + 100 * SECOND
    assert "is set" not in wall.problem
    assert "set it" in wall.problem
    clock.step(away / SECOND)
    assert run(clock, wall, 1) == []
    assert wall.problem == ""


@settings(max_examples=200, deadline=None)
@given(
    st.integers(-3 * 365 * 24 * 3600, 10_000),
    st.lists(
        st.tuples(
            st.sampled_from([1, 30, 700, 4000]),
            st.sampled_from([-40_000_000, -90_000, -3600, -31, -2, -0.3, 0.3, 2, 31, 3600, 90_000]),
        ),
        max_size=8,
    ),
)
def test_whatever_is_done_to_the_clock_no_moment_is_claimed_twice(
    start: int, moves: list[tuple[int, float]]
) -> None:
    """Runs as footage: after all shifts, none begins before the one before it ended."""
    clock = VirtualClock(NOW + start * SECOND)
    wall = WallClock(clock, NOW)
    floor = NOW
    taken: list[tuple[str, int, int]] = []
    for number, (seconds, step) in enumerate(moves):
        name, began, anchor = f"run{number}", wall.now_ns(), wall.anchor
        wall.note_run("front", "main", name)
        run(clock, wall, seconds, 1 if seconds < 100 else 20)
        taken.append((name, began, anchor.now_ns() if anchor is wall.anchor else began + 1))
        clock.step(step)
        wall.check()
    shifts: dict[str, int] = {}
    for name, by in wall.shifts("front", "main"):
        shifts[name] = shifts.get(name, 0) + by
    spans = sorted((a + shifts.get(n, 0), b + shifts.get(n, 0)) for n, a, b in taken)
    assert all(start >= floor for start, _ in spans)
    overlaps = [(a, b) for a, b in pairwise(spans) if b[0] < a[1]]
    assert overlaps == [], (start, moves, spans)

"""Calendars and masks as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.app.schedule_text import DAYS, parse_mask, parse_schedule, slot_texts
from vms.common.errors import InvalidValue
from vms.common.model.schedule import RecordingMode, Schedule, Slot

EVENT, CONTINUOUS = RecordingMode.EVENT, RecordingMode.CONTINUOUS


def test_days_are_named_alone_by_lists_and_by_ranges() -> None:
    found = parse_schedule(
        ["mon-wed,holiday 08:00-18:30 event", "sun-mon 19:00-24:00 continuous"], "Europe/Lisbon"
    )
    assert found.slots == (
        *(Slot(day, 480, 1110, EVENT) for day in (0, 1, 2, 7)),
        *(Slot(day, 1140, 1440, CONTINUOUS) for day in (0, 6)),
    )
    everyday = parse_schedule(["all 0:00-24:00 event"], "UTC", ["2026-12-25"])
    assert [slot.day for slot in everyday.slots] == [0, 1, 2, 3, 4, 5, 6]
    assert everyday.holidays == ("2026-12-25",)


@pytest.mark.parametrize(
    "text",
    [
        "", "mon", "mon 8-18 event", "mon 08:00-18:00", "mon 08:00-18:00 always",
        "mon 18:00-08:00 event", "mon 08:60-18:00 event", "mon 08:00-25:00 event",
        "monday 08:00-18:00 event", "mon-holiday 08:00-18:00 event",
        "mon 08:00-18:00 schedule", "mon 08:00-24:01 event", "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_slot_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_schedule([text], "UTC")


@given(st.text(max_size=300))
def test_any_text_is_a_slot_or_refused(text: str) -> None:
    try:
        found = parse_schedule([text], "UTC")
    except InvalidValue:
        return
    assert found.slots


@given(
    st.lists(
        st.tuples(st.integers(0, len(DAYS) - 1), st.integers(0, 1439), st.integers(1, 1440)),
        max_size=8,
    )
)
def test_what_is_shown_is_what_is_read(given_: list[tuple[int, int, int]]) -> None:
    try:
        made = Schedule("UTC", tuple(Slot(d, a, b, EVENT) for d, a, b in given_))
    except InvalidValue:
        return
    assert set(parse_schedule(slot_texts(made), "UTC").slots) == set(made.slots)


def test_a_mask_has_points_and_may_have_a_name() -> None:
    named = parse_mask("A window: 0.1,0.2 0.3,0.2 0.3,0.4")
    assert (named.name, named.points) == ("A window", ((0.1, 0.2), (0.3, 0.2), (0.3, 0.4)))
    assert parse_mask("0,0 1,0 1,1").name == ""


@given(st.text(max_size=100) | st.text("0123456789.,: -einfa", max_size=100))
def test_any_text_is_a_mask_or_refused(text: str) -> None:
    try:
        found = parse_mask(text)
    except InvalidValue:
        return
    assert len(found.points) >= 3

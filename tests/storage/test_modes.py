"""What is recorded for events, by calendars, and while nobody says anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.virtual_clock import VirtualClock

from vms.bus.port import Delivery
from vms.common.errors import CatalogError
from vms.common.model.camera import RecordingMode, StreamConfig
from vms.common.model.evidence import Event
from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.common.model.messages import Trigger
from vms.common.model.schedule import Schedule, Slot
from vms.storage.cover import Cover
from vms.storage.modes import NO_SOURCE, expected_spans, standing
from vms.storage.sieve import Budget, Orders, Sieve
from vms.storage.triggers import TriggerDesk

S = 1_000_000_000
T0 = 1_790_035_200 * S
"""2026-09-22 00:00:00 UTC, a Tuesday."""
H264 = CodecParameters(Codec.H264, 90_000, width=160, height=96)


def picture(at: float, key: bool, size: int = 100, number: int = 0, run: str = "a") -> AccessUnit:
    """One that comes `at` seconds after T0."""
    return AccessUnit(
        "front", "main", 0, run, number, H264, bytes(size), int(at * 90_000),
        T0 + round(at * S), None, key,
    )  # fmt: skip


def second(at: float) -> int:
    return T0 + round(at * S)


def groups(count: int, start: int = 0) -> list[AccessUnit]:
    """A group of two pictures a second."""
    return [
        picture(at + half / 2, half == 0) for at in range(start, start + count) for half in (0, 1)
    ]


def sift(sieve: Sieve, units: Sequence[AccessUnit], orders: Orders) -> list[float | None]:
    """When what is written came, in seconds; None where a file ends."""
    return [
        None if unit is None else (unit.arrival_ns - T0) / S for unit in sieve.sift(units, orders)
    ]


def fresh(max_bytes: int = 1 << 20, total: int = 1 << 20) -> Sieve:
    sieve = Sieve(max_bytes, Budget(total))
    assert sieve.idle
    return sieve


# -- the sieve ------------------------------------------------------------------------


def test_a_file_for_an_event_begins_before_it_and_ends_after_it() -> None:
    sieve = fresh()
    idle = Orders(False, pre_ns=5 * S)
    assert sift(sieve, groups(20), idle) == [None]
    # Seven seconds at most wait: five of pre-roll, and two that the news may take.
    assert sieve.used <= 16 * 100
    busy = replace(idle, windows=((second(20 - 5), second(1000)),))
    assert sift(sieve, groups(4, 20), busy)[:3] == [15.0, 15.5, 16.0]
    over = replace(idle, windows=((second(15), second(26)),))
    found = sift(sieve, groups(10, 24), over)
    assert found == [24.0, 24.5, 25.0, 25.5, None]


def test_a_group_in_which_the_window_begins_is_written_whole() -> None:
    sieve = fresh()
    idle = Orders(False, pre_ns=3 * S)
    sift(sieve, groups(10), idle)
    busy = replace(idle, windows=((second(6.7), second(99)),))
    assert sift(sieve, [], busy) == [at / 2 for at in range(12, 20)]
    assert sieve.idle


def test_events_that_are_over_when_their_news_come_are_written_still() -> None:
    """As where the disk held the thread: two events, both past."""
    sieve = fresh()
    idle = Orders(False, pre_ns=60 * S)
    sift(sieve, groups(40), idle)
    both = replace(idle, windows=((second(5), second(8)), (second(20), second(22))))
    found = sift(sieve, [], both)
    assert [at for at in found if at is not None][:6] == [5.0, 5.5, 6.0, 6.5, 7.0, 7.5]
    assert 20.0 in found
    assert found[-1] is None


def test_a_change_to_continuous_loses_nothing() -> None:
    sieve = fresh()
    idle = Orders(False, pre_ns=4 * S)
    sift(sieve, groups(10), idle)
    found = sift(sieve, groups(2, 10), Orders())
    assert found[-4:] == [10.0, 10.5, 11.0, 11.5]
    steps = [b - a for a, b in pairwise(found) if a is not None and b is not None]
    assert set(steps) == {0.5}
    assert found[0] is not None
    assert found[0] <= 6.0
    # And back: the file ends where the next group begins.
    assert sift(sieve, groups(2, 12), idle) == [None]


def test_what_waits_is_bounded_for_one_and_for_all() -> None:
    budget = Budget(1000)
    one, other = Sieve(600, budget), Sieve(600, budget)
    idle = Orders(False, pre_ns=60 * S)
    sift(one, groups(20), idle)
    assert one.used <= 600
    sift(other, groups(20), idle)
    assert one.used + other.used == budget.used <= 1000
    assert one.dropped > 0


def test_a_camera_without_key_pictures_fills_no_memory() -> None:
    """No key picture for a minute: the one group is let go of, and the next is kept."""
    sieve = fresh(10_000)
    idle = Orders(False, pre_ns=5 * S)
    endless = [picture(0, True)] + [picture(n / 25, False, 100) for n in range(1, 1500)]
    sift(sieve, endless, idle)
    assert sieve.used <= 10_000
    sift(sieve, groups(2, 60), idle)
    busy = replace(idle, windows=((second(58), second(99)),))
    assert sift(sieve, [], busy) == [60.0, 60.5, 61.0, 61.5]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=4),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_what_overlaps_a_window_is_written_once_in_order(
    events: list[tuple[int, int]], pre: int, post: int
) -> None:
    sieve = fresh()
    written: list[float] = []
    for at in range(90):
        windows = tuple(
            (
                second(start - pre),
                second(start + length + post) if at >= start + length else 1 << 62,
            )
            for start, length in sorted(events)
            if start <= at
        )
        orders = Orders(False, 0, windows, pre * S)
        written += [x for x in sift(sieve, groups(1, at), orders) if x is not None]
    assert written == sorted(set(written))
    for at in range(90):
        wanted = any(
            start - pre <= at + 0.5 and at < start + length + post for start, length in events
        )
        if wanted:
            assert at in written
            assert at + 0.5 in written
    for at in written:
        # No more than the group that a window touches, and one that the news came too late for.
        assert any(start - pre - 1 <= at <= start + length + post + 1 for start, length in events)


# -- modes and calendars --------------------------------------------------------------


class Quiet:
    def __init__(self, alive: bool = True, *windows: tuple[int, int | None]) -> None:
        self._alive = alive
        self._windows = list(windows)

    def alive(self, camera: str) -> bool:
        return self._alive

    def windows(self, camera: str) -> list[tuple[int, int | None]]:
        return self._windows


def stream(mode: RecordingMode, **settings: object) -> StreamConfig:
    return StreamConfig("main", "rtsp://127.0.0.1/", recording=mode, **settings)  # type: ignore[arg-type]


def test_without_a_source_of_events_all_is_recorded_and_said() -> None:
    found = standing("front", stream(RecordingMode.EVENT), Quiet(alive=False), T0)
    assert found.orders == Orders()
    assert found.expected
    assert found.note == NO_SOURCE


def test_events_with_their_rolls_share_a_window_where_they_touch() -> None:
    config = stream(RecordingMode.EVENT, pre_roll_s=5, post_roll_s=10)
    events = Quiet(True, (second(100), second(110)), (second(124), None))
    found = standing("front", config, events, second(130))
    assert found.orders is not None
    assert found.orders.windows == ((second(95), 1 << 62),)
    assert found.expected
    later = standing("front", config, Quiet(True, (second(100), second(110))), second(120.5))
    assert later.orders is not None
    assert later.orders.windows == ((second(95), second(120)),)
    assert not later.expected
    assert later.note == "waiting for an event"


def test_a_calendar_is_listened_to_a_little_ahead() -> None:
    calendar = Schedule("UTC", (Slot(1, 480, 1080, RecordingMode.CONTINUOUS),))
    config = stream(RecordingMode.SCHEDULE, schedule=calendar)
    eight = 8 * 3600
    assert standing("front", config, Quiet(), second(eight - 60)).orders is None
    soon = standing("front", config, Quiet(), second(eight - 5))
    assert soon.orders is not None
    assert not soon.orders.always
    assert not soon.expected
    now = standing("front", config, Quiet(), second(eight + 0.5))
    assert now.orders == Orders(since_ns=second(eight))
    assert now.expected
    # The group in which eight o'clock lies is there whole.
    sieve = fresh()
    sift(sieve, groups(6, eight - 6), soon.orders)
    units = [picture(eight - 0.3, True), picture(eight + 0.2, False)]
    sift(sieve, units, soon.orders)
    assert sift(sieve, [], now.orders) == [eight - 0.3, eight + 0.2]
    assert standing("front", config, Quiet(), second(18 * 3600)).orders is None


def test_a_calendar_knows_the_hours_of_summer_time() -> None:
    """2026-10-25 has 25 hours in Berlin: two of them are called half past two."""
    calendar = Schedule("Europe/Berlin", (Slot(6, 120, 180, RecordingMode.CONTINUOUS),))
    config = stream(RecordingMode.SCHEDULE, schedule=calendar)
    start = 1_792_800_000 * S
    spans = expected_spans(config, start, start + 2 * 86_400 * S)
    assert sum(b - a for a, b in spans) == 2 * 3600 * S


@given(st.integers(0, 10 * 86_400), st.integers(1, 5 * 86_400))
@settings(max_examples=60, deadline=None)
def test_expected_spans_are_as_the_mode_of_each_minute(start: int, length: int) -> None:
    calendar = Schedule(
        "America/Sao_Paulo",
        (
            Slot(0, 0, 600, RecordingMode.CONTINUOUS),
            Slot(2, 30, 1440, RecordingMode.CONTINUOUS),
            Slot(3, 0, 90, RecordingMode.EVENT),
            Slot(7, 0, 1440, RecordingMode.CONTINUOUS),
        ),
        ("2026-09-25",),
    )
    config = stream(RecordingMode.SCHEDULE, schedule=calendar)
    begin, end = second(start), second(start + length)
    spans = expected_spans(config, begin, end)
    for at in range(start - start % 60 + 60, start + length, 613):
        inside = any(a <= second(at) < b for a, b in spans)
        assert inside is (calendar.mode_at(second(at)) is RecordingMode.CONTINUOUS)
    assert all(begin <= a < b <= end for a, b in spans)


# -- triggers -------------------------------------------------------------------------


class Rows:
    def __init__(self) -> None:
        self.kept: dict[str, Event] = {}
        self.away = False

    async def put_many(self, events: Iterable[Event]) -> None:
        if self.away:
            raise CatalogError("the catalog is away")
        self.kept |= {event.id: event for event in events}

    async def open(self, camera: str | None = None) -> list[Event]:
        return [event for event in self.kept.values() if event.end_ns is None]


def desk() -> tuple[TriggerDesk, VirtualClock, Rows, list[str]]:
    clock, rows, heard = VirtualClock(T0), Rows(), list[str]()
    return TriggerDesk(rows, clock, heard.append), clock, rows, heard


def say(
    made: TriggerDesk, clock: VirtualClock, active: bool, name: str = "e1", **more: object
) -> None:
    trigger = Trigger("front", "motion", "onvif", clock.now_ns(), active, name, **more)  # type: ignore[arg-type]
    made.sink(Delivery("vms.events.onvif.front", trigger))


async def test_an_event_is_opened_extended_and_closed() -> None:
    made, clock, rows, heard = desk()
    say(made, clock, True, score=0.4)
    for _ in range(10):
        clock.pass_(8)
        made.tick()
        say(made, clock, True, score=0.9)
    assert made.windows("front") == [(T0, None)]
    await made.flush()
    assert rows.kept["e1"].end_ns is None
    clock.pass_(3)
    say(made, clock, False)
    await made.flush()
    assert rows.kept["e1"] == Event("e1", "front", "motion", T0, second(83), "onvif", "", 0.9)
    assert made.windows("front") == [(T0, second(83))]
    assert heard == ["front", "front"]


async def test_silence_closes_an_event_as_of_its_last_word() -> None:
    made, clock, rows, _ = desk()
    say(made, clock, True)
    clock.pass_(9)
    say(made, clock, True)
    for _ in range(32):
        clock.pass_(1)
        made.tick()
    await made.flush()
    assert rows.kept["e1"].end_ns == second(9)


async def test_a_source_is_alive_for_a_minute_after_any_word() -> None:
    made, clock, _, _ = desk()
    assert not made.alive("front")
    say(made, clock, False, "")
    assert made.alive("front")
    clock.pass_(61)
    assert not made.alive("front")
    made.take(Trigger("front", "manual", "manual", clock.now_ns(), True, "m"))
    assert not made.alive("front"), "a button pressed is no source that would tell of the next"


async def test_what_a_dead_process_left_open_is_closed() -> None:
    made, _, rows, _ = desk()
    rows.kept["old"] = Event("old", "front", "motion", second(-500), None, "onvif")
    await made.close_left_open(second(-300))
    assert rows.kept["old"].end_ns == second(-300)


async def test_a_storm_of_events_and_a_catalog_away_fill_no_memory() -> None:
    made, clock, rows, _ = desk()
    rows.away = True
    for number in range(30_000):
        say(made, clock, True, f"n{number}")
        if number % 3:
            say(made, clock, False, f"n{number}")
        if number % 1000 == 0:
            clock.pass_(1)
            await made.flush()
            made.tick()
    assert made.lost > 0
    assert len(made.windows("front")) <= 128
    rows.away = False
    await made.flush()
    assert 0 < len(rows.kept) <= 20_000


async def test_a_source_whose_clock_is_wrong_is_not_believed() -> None:
    made, clock, _, _ = desk()
    made.take(Trigger("front", "motion", "onvif", second(-7200), True, "e"))
    assert made.windows("front") == [(T0, None)]
    made.take(Trigger("no/../camera", "motion", "onvif", clock.now_ns(), True, "e"))
    made.take(Trigger("front", "no kind!", "onvif", clock.now_ns(), True, "f"))
    assert made.windows("front") == [(T0, None)]


# -- what is covered ------------------------------------------------------------------


def test_pictures_that_follow_one_another_are_one_span() -> None:
    cover = Cover()
    for number in range(50):
        cover.note(picture(number / 25, number % 25 == 0, number=number))
    assert cover.take() == [(T0, second(49 / 25))]


def test_lost_pictures_part_the_span_and_late_ones_do_not() -> None:
    cover = Cover()
    for number in [*range(50), *range(125, 150)]:
        cover.note(picture(number / 25, False, number=number))
    assert cover.take() == [(T0, second(49 / 25)), (second(5), second(149 / 25))]
    late = picture(150 / 25, False, number=150)
    late.arrival_ns += 7 * S
    cover.note(late)
    assert cover.take() == [(second(5), late.arrival_ns)]


def test_a_camera_of_a_picture_every_five_seconds_has_no_gaps() -> None:
    cover = Cover()
    for number in range(20):
        cover.note(picture(number * 5, True, number=number))
    spans = cover.take()
    assert spans[-1][1] - spans[-1][0] >= 90 * S
    assert cover.limit_ns > 10 * S

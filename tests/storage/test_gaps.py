"""The account of what was missed, against a plain model, and over a month of virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from vms.common.model.evidence import Gap, GapCause
from vms.storage.gaps import StreamGaps, by_day

S = 1_000_000_000
DAY = 86_400 * S
T0 = 1_790_035_200 * S
"""2026-09-22 00:00:00 UTC."""


@dataclass
class Book:
    """What an account tells."""

    gaps: dict[str, Gap] = field(default_factory=dict)
    expected: dict[int, int] = field(default_factory=dict)
    missed: dict[tuple[int, GapCause], int] = field(default_factory=dict)

    def put(self, gap: Gap) -> None:
        self.gaps[gap.id] = gap

    def count(self, start: int, end: int, cause: GapCause | None) -> None:
        sign = 1 if end >= start else -1
        for day, part in by_day(min(start, end), max(start, end)):
            if cause is None:
                self.expected[day] = self.expected.get(day, 0) + sign * part
            else:
                key = (day, cause)
                self.missed[key] = self.missed.get(key, 0) + sign * part

    @property
    def spans(self) -> list[tuple[int, int | None, GapCause]]:
        found = [(g.start_ns, g.end_ns, g.cause) for g in self.gaps.values()]
        return sorted((g for g in found if g[1] is None or g[1] > g[0]), key=lambda g: g[0])


def account() -> tuple[StreamGaps, Book]:
    book = Book()
    made = StreamGaps("front", "main", book.put, book.count)
    made.advance(T0)
    return made, book


def test_footage_without_a_hole_leaves_no_gap() -> None:
    one, book = account()
    one.expect(T0, True)
    for second in range(1, 100):
        one.advance(T0 + (second - 3) * S, [(T0, T0 + second * S)])
    assert book.spans == []
    assert sum(book.expected.values()) == 96 * S


def test_less_than_two_seconds_are_not_noted() -> None:
    one, book = account()
    one.expect(T0, True)
    one.advance(T0 + 10 * S, [(T0, T0 + 5 * S), (T0 + 7 * S - 1, T0 + 10 * S)])
    assert book.spans == []
    one.advance(T0 + 20 * S, [(T0 + 12 * S, T0 + 20 * S)])
    assert book.spans == [(T0 + 10 * S, T0 + 12 * S, GapCause.CAMERA)]


def test_a_gap_opens_while_it_lasts_and_ends_with_footage() -> None:
    one, book = account()
    one.expect(T0, True)
    one.trouble(T0 + 1 * S, GapCause.NETWORK, "10.0.0.9 did not answer")
    one.advance(T0 + 5 * S)
    assert book.spans == [(T0, None, GapCause.NETWORK)]
    assert book.missed == {(T0 // DAY, GapCause.NETWORK): 5 * S}
    one.advance(T0 + 9 * S, [(T0 + 7 * S, T0 + 9 * S)])
    assert book.spans == [(T0, T0 + 7 * S, GapCause.NETWORK)]
    assert book.missed == {(T0 // DAY, GapCause.NETWORK): 7 * S}


def test_footage_that_waited_for_the_disk_takes_its_gap_back() -> None:
    one, book = account()
    one.expect(T0, True)
    one.advance(T0 + 10 * S, [(T0, T0 + 10 * S)])
    one.trouble(T0 + 21 * S, GapCause.DISK, "too slow")
    one.advance(T0 + 30 * S)
    assert book.missed == {(T0 // DAY, GapCause.DISK): 20 * S}
    one.advance(T0 + 31 * S, [(T0, T0 + 31 * S)])
    assert book.spans == []
    assert book.missed == {(T0 // DAY, GapCause.DISK): 0}


def test_a_cause_settles_and_later_another_begins_another_gap() -> None:
    one, book = account()
    one.expect(T0, True)
    one.advance(T0 + 1)
    one.trouble(T0 + 4 * S, GapCause.CAMERA, "no picture for 4 s")
    one.advance(T0 + 5 * S)
    one.trouble(T0 + 12 * S, GapCause.NETWORK, "no route")
    one.advance(T0 + 60 * S)
    one.trouble(T0 + 60 * S, GapCause.SETTINGS, "wrong password")
    one.advance(T0 + 90 * S)
    assert book.spans == [
        (T0, T0 + 60 * S, GapCause.NETWORK),
        (T0 + 60 * S, None, GapCause.SETTINGS),
    ]
    day = T0 // DAY
    assert book.missed[day, GapCause.NETWORK] == 60 * S
    assert book.missed[day, GapCause.SETTINGS] == 30 * S
    assert book.missed.get((day, GapCause.CAMERA), 0) == 0


def test_what_is_not_wanted_is_no_gap() -> None:
    one, book = account()
    one.expect(T0, True)
    one.advance(T0 + 10 * S, [(T0, T0 + 10 * S)])
    one.expect(T0 + 10 * S, False)
    one.expect(T0 + 500 * S, True)
    one.advance(T0 + 600 * S, [(T0 + 501 * S, T0 + 600 * S)])
    assert book.spans == []
    assert sum(book.expected.values()) == 110 * S


def test_the_days_part_at_midnight_of_utc() -> None:
    one, book = account()
    one.expect(T0, True)
    one.advance(T0 + DAY - 10 * S, [(T0, T0 + DAY - 10 * S)])
    one.advance(T0 + DAY + 30 * S)
    day = T0 // DAY
    assert book.expected == {day: DAY, day + 1: 30 * S}
    assert book.missed == {(day, GapCause.CAMERA): 10 * S, (day + 1, GapCause.CAMERA): 30 * S}


def test_a_step_of_the_clock_is_no_gap() -> None:
    one, book = account()
    one.expect(T0, True)
    one.advance(T0 + 10 * S, [(T0, T0 + 10 * S)])
    one.shift(T0 + 10 * S, T0 + 3610 * S)
    one.advance(T0 + 3620 * S, [(T0 + 3610 * S, T0 + 3620 * S)])
    assert book.spans == []
    assert sum(book.expected.values()) == 20 * S


def test_what_a_dead_process_missed_is_its_own() -> None:
    one, book = account()
    left = Gap("g", "front", "main", T0 - 50 * S, None, GapCause.NETWORK, "no route")
    one.resume(T0, left, [(T0, T0 + 100 * S)], [], T0 + 100 * S)
    one.expect(T0 + 100 * S, True)
    one.advance(T0 + 110 * S, [(T0 + 104 * S, T0 + 110 * S)])
    assert book.spans == [
        (T0 - 50 * S, T0, GapCause.NETWORK),
        (T0, T0 + 104 * S, GapCause.PROCESS),
    ]
    assert book.missed == {(T0 // DAY, GapCause.PROCESS): 104 * S}


def test_after_a_restart_another_trouble_begins_another_gap_at_once() -> None:
    one, book = account()
    one.resume(T0, None, [(T0, T0 + 10 * S)], [(T0 - S, T0 + 4 * S)], T0 + 10 * S)
    one.trouble(T0 + 12 * S, GapCause.SETTINGS, "wrong password")
    one.advance(T0 + 20 * S)
    assert [(s, c) for s, _, c in book.spans] == [
        (T0 + 4 * S, GapCause.PROCESS),
        (T0 + 10 * S, GapCause.SETTINGS),
    ]


# -- against a plain model ------------------------------------------------------------

Cell = tuple[bool, bool, int]
"""For one span of seconds: expected, footage is there, trouble (index into _CAUSES)."""
_CAUSES = [None, GapCause.DISK, GapCause.NETWORK]

histories = st.lists(
    st.tuples(st.integers(1, 40), st.booleans(), st.booleans()), min_size=1, max_size=30
)


def model(history: list[tuple[int, bool, bool]]) -> tuple[list[tuple[int, int]], int]:
    """Gaps as (first second, end) and seconds expected, by looking at each second."""
    expected = [e for length, e, _ in history for _ in range(length)]
    there = [f for length, _, f in history for _ in range(length)]
    gaps: list[tuple[int, int]] = []
    begin = None
    for at in range(len(expected) + 1):
        missed = at < len(expected) and expected[at] and not there[at]
        if missed and begin is None:
            begin = at
        if not missed and begin is not None:
            if at - begin >= 2:
                gaps.append((begin, at))
            begin = None
    return gaps, sum(expected)


@settings(max_examples=300, deadline=None)
@given(histories, st.integers(0, 12), st.integers(1, 7), st.sampled_from([T0, T0 + DAY - 60 * S]))
def test_any_history_is_accounted_for_as_by_a_plain_model(
    history: list[tuple[int, bool, bool]], lag: int, every: int, origin: int
) -> None:
    """Changes are told when they happen, footage as late as the horizon allows."""
    book = Book()
    one = StreamGaps("front", "main", book.put, book.count)
    one.advance(origin)
    edges: list[tuple[int, bool]] = []
    spans: list[list[int]] = []
    at = 0
    for length, expected, there in history:
        edges.append((at, expected))
        if there:
            if spans and spans[-1][1] == at:
                spans[-1][1] = at + length
            else:
                spans.append([at, at + length])
        at += length
    end = at
    told = 0
    for now in range(0, end + lag + every + 1, every):
        while edges and edges[0][0] <= now:
            when, expected = edges.pop(0)
            one.expect(origin + when * S, expected)
        if now >= end and told == 0:
            one.expect(origin + end * S, False)
            told = 1
        known = [(origin + a * S, origin + min(b, now) * S) for a, b in spans if a < now]
        one.advance(origin + max(0, now - lag) * S, known[-3:])
    if not told:
        one.expect(origin + end * S, False)
    one.advance(origin + (end + 50) * S)
    gaps, seconds = model(history)
    assert [((a - origin) // S, ((b or 0) - origin) // S) for a, b, _ in book.spans] == gaps
    assert sum(book.expected.values()) == seconds * S
    assert sum(book.missed.values()) == sum(b - a for a, b in gaps) * S


def test_a_month_adds_up() -> None:
    """Thirty days: each day one outage of its own length, one restart a week."""
    one, book = account()
    one.expect(T0, True)
    want: dict[int, int] = {}
    covered = T0
    for day in range(30):
        start, length = T0 + day * DAY + 7200 * S, (day + 1) * 10 * S
        for minute in range(1, 1441):
            now = T0 + day * DAY + minute * 60 * S
            if now <= start:
                covers = [(covered, now)]
            elif now < start + length:
                covers = [(covered, start)] if now - start < 60 * S else []
            else:
                covered = max(covered, start + length)
                covers = [(covered, now)]
            if start < now < start + length:
                one.trouble(now, GapCause.NETWORK, "away")
            one.advance(now, covers)
        want[T0 // DAY + day] = want.get(T0 // DAY + day, 0) + length
        if day % 7 == 6:
            # A restart of a minute: another account goes on from the mark.
            left, mark = None, one.counted_ns
            one = StreamGaps("front", "main", book.put, book.count)
            now = mark + 60 * S
            one.resume(mark, left, [(mark, now)], [(covered, mark)], now)
            covered = now
            one.advance(now, [(now, now)])
            want[mark // DAY] = want.get(mark // DAY, 0) + 60 * S
    for day in range(30):
        number = T0 // DAY + day
        assert book.expected[number] == DAY
        missed = sum(n for (d, _), n in book.missed.items() if d == number)
        assert missed == want[number], day
    by_cause = {cause: 0 for _, cause in book.missed}
    for (_, cause), length in book.missed.items():
        by_cause[cause] += length
    # Of outages within one minute nobody heard why.
    short = 10 * S * sum(range(1, 7))
    assert by_cause == {
        GapCause.NETWORK: 10 * S * (30 * 31 // 2) - short,
        GapCause.CAMERA: short,
        GapCause.PROCESS: 4 * 60 * S,
    }

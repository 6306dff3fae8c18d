"""What is to be deleted, and what never is: pure, without catalog, disk or clock.

See docs/design/retention.md. All times are UTC nanoseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vms.common.model.camera import Camera, StreamConfig
from vms.common.model.evidence import ANY_CAMERA, ANY_EVENT, Hold, RetentionRule
from vms.common.model.segment import SegmentRow

DAY_NS = 86_400_000_000_000
_PRE_ROLL_S, _POST_ROLL_S = 5.0, 10.0
"""Of cameras that are no longer known."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rolls:
    """How far the footage of an event reaches before its start and after its end."""

    before_ns: int
    after_ns: int

    @classmethod
    def of(cls, camera: Camera | None) -> Rolls:
        """The longest of the camera's streams; the usual ones where it is not known any more."""
        streams: Iterable[StreamConfig] = camera.streams if camera else ()
        before = max((s.pre_roll_s for s in streams), default=_PRE_ROLL_S)
        after = max((s.post_roll_s for s in streams), default=_POST_ROLL_S)
        return cls(round(before * 1e9), round(after * 1e9))


@dataclass(frozen=True, slots=True)
class Promise:
    """How long one camera's footage stays: `keep_ns`, None: until its room is needed.

    `kinds` is how long an event keeps footage, by its kind ("*": of any kind). Where several
    apply the longest does. `most_bytes` is the ceiling of all its streams; None: none.
    """

    keep_ns: int | None
    kinds: Mapping[str, int]
    most_bytes: int | None

    def terms(self) -> tuple[int, ...]:
        """The ages at which footage may be due, the shortest first."""
        if self.keep_ns is None:
            return ()
        longer = {keep for keep in self.kinds.values() if keep > self.keep_ns}
        return (self.keep_ns, *sorted(longer))

    def kinds_for(self, term_ns: int) -> tuple[str, ...] | None:
        """The kinds of event that keep footage for `term_ns`; None: all."""
        named = tuple(sorted(kind for kind, keep in self.kinds.items() if keep == term_ns))
        return None if ANY_EVENT in named else named


def promise_of(
    camera: str, rules: Mapping[str, RetentionRule], default_days: float, total_bytes: int
) -> Promise:
    """The camera's own rule, else that of all, else `default_days`.

    `total_bytes` is the size of all volumes, for shares of it.
    """
    rule = rules.get(camera) or rules.get(ANY_CAMERA) or RetentionRule(ANY_CAMERA, default_days)
    ceilings = [rule.max_bytes] if rule.max_bytes is not None else []
    if rule.share is not None and total_bytes > 0:
        ceilings.append(int(rule.share * total_bytes))
    return Promise(
        None if rule.days is None else _ns(rule.days),
        {kind: _ns(days) for kind, days in rule.event_days.items()},
        min(ceilings) if ceilings else None,
    )


def _ns(days: float) -> int:
    return round(days * DAY_NS)


@dataclass(frozen=True, slots=True)
class Kept:
    """Spans in which there were events that keep footage, by how long they keep it.

    The spans of each are in order and do not overlap.
    """

    rolls: Rolls
    spans: Mapping[int, Sequence[Span]]

    def window(self, rows: Sequence[SegmentRow]) -> Span:
        """Where events may lie that have footage in one of `rows`."""
        first = min(row.start_ns for row in rows) - self.rolls.after_ns
        return max(0, first), max(row.end_ns for row in rows) + self.rolls.before_ns

    def term_ns(self, row: SegmentRow) -> int:
        """How long events keep the row; 0: there were none."""
        start, end = row.start_ns - self.rolls.after_ns, row.end_ns + self.rolls.before_ns
        return max((t for t, some in self.spans.items() if overlaps(some, start, end)), default=0)


def overlaps(spans: Sequence[Span], start_ns: int, end_ns: int) -> bool:
    """Whether one of the spans, which are in order and apart, overlaps [start_ns, end_ns)."""
    place = bisect_left(spans, end_ns, key=lambda span: span[0])
    return place > 0 and spans[place - 1][1] > start_ns


def due_ns(row: SegmentRow, promise: Promise, kept: Kept) -> int | None:
    """When the row may go; None: not by its age."""
    if promise.keep_ns is None:
        return None
    return row.end_ns + max(promise.keep_ns, kept.term_ns(row))


class Held:
    """What holds in force protect. Made anew when they change."""

    def __init__(self, holds: Iterable[Hold] = ()) -> None:
        """`holds`: those in force."""
        spans: dict[str, list[Span]] = {}
        for hold in sorted(holds, key=lambda hold: hold.start_ns):
            mine = spans.setdefault(hold.camera, [])
            if mine and hold.start_ns <= mine[-1][1]:
                mine[-1] = (mine[-1][0], max(mine[-1][1], hold.end_ns))
            else:
                mine.append((hold.start_ns, hold.end_ns))
        self._spans = spans

    def __contains__(self, row: SegmentRow) -> bool:
        return overlaps(self._spans.get(row.camera, ()), row.start_ns, row.end_ns)


def freed(before: Mapping[str, Hold], now: Mapping[str, Hold]) -> list[tuple[str, int, int]]:
    """(camera, start, end) of what holds protected before and perhaps no longer do."""
    return [
        (hold.camera, hold.start_ns, hold.end_ns)
        for key, hold in before.items()
        if (new := now.get(key)) is None or new.end_ns < hold.end_ns
    ]


def to_free(rows: Iterable[SegmentRow], bytes_wanted: int, held: Held) -> list[SegmentRow]:
    """The first of `rows` that nothing holds, until they come to `bytes_wanted`."""
    chosen: list[SegmentRow] = []
    for row in rows:
        if bytes_wanted <= 0:
            break
        if row not in held:
            chosen.append(row)
            bytes_wanted -= row.size
    return chosen

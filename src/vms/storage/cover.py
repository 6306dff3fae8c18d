"""Which time is in files: spans of arrival of the pictures that were written.

The writing thread notes each picture, the event loop takes the spans. Pictures that
follow one another within `limit_ns` are one span; a stream of few pictures a second has
a longer limit, learned from pictures between which none is missing by their numbers.
"""

from __future__ import annotations

from collections import deque

from vms.common.model.media import AccessUnit

MISSED_NS = 2_000_000_000
"""A shorter time without a picture is not called a gap."""

Span = tuple[int, int]
"""Arrival of the first and of the last picture, UTC nanoseconds."""

_MOST_SPANS = 10_000


class Cover:
    """`note` belongs to the writing thread, `take` to the event loop's."""

    __slots__ = ("_done", "_media_ns", "_number", "_run", "_span", "_usual_ns", "limit_ns")

    def __init__(self) -> None:
        self.limit_ns = MISSED_NS
        self._done: deque[Span] = deque(maxlen=_MOST_SPANS)
        self._span: Span | None = None
        self._run = ""
        self._number = -1
        self._media_ns = 0
        self._usual_ns = 0

    def note(self, unit: AccessUnit) -> None:
        """A picture is in the file, or on its way there."""
        arrival, media, span = unit.arrival_ns, unit.pts_ns, self._span
        step = MISSED_NS << 20
        if span is None:
            self._span = (arrival, arrival)
        else:
            passed = arrival - span[1]
            # Pictures that were held up and come all at once are not missing.
            step = min(passed, media - self._media_ns) if unit.run == self._run else passed
            if step > 0 and unit.run == self._run and unit.number == self._number + 1:
                self._learn(step)
            if abs(step) < self.limit_ns and passed >= -MISSED_NS:
                self._span = (span[0], max(span[1], arrival))
            else:
                self._done.append(span)
                self._span = (arrival, arrival)
        if unit.run != self._run or media > self._media_ns:
            self._media_ns = media
        self._run, self._number = unit.run, unit.number

    def _learn(self, step: int) -> None:
        usual = self._usual_ns
        if step > max(8 * usual, MISSED_NS) and usual:
            # One long pause says nothing of how often pictures come.
            step = 2 * usual
        self._usual_ns = usual + ((step - usual) >> 3) if usual else step
        self.limit_ns = max(MISSED_NS, 5 * self._usual_ns // 2)

    def take(self) -> list[Span]:
        """The spans since the last call, in order; the newest is told again as it grows."""
        # Read first: what is then found done may tell of it too, which does no harm.
        newest = self._span
        spans = []
        while self._done:
            spans.append(self._done.popleft())
        if newest is not None:
            spans.append(newest)
        return spans

"""Media time within a Run: from the camera's ticks to ticks since the Run began."""

from __future__ import annotations

_NS = 1_000_000_000


class Timeline:
    """The times of one track in one Run.

    The first unit stands where it arrived, later ones where the camera's ticks put them.
    `place` answers None where the camera's time jumped: then a new Run must begin, at once or,
    after `anew`, with the next key picture.
    """

    __slots__ = ("_base", "_jump", "_last_arrival", "_last_pts", "_last_ticks", "_rate", "_start")

    def __init__(self, clock_rate: int, run_start_ns: int, jump_seconds: float) -> None:
        self._rate = clock_rate
        self._start = run_start_ns
        self._jump = int(jump_seconds * clock_rate)
        self._base: int | None = None
        self._last_ticks = 0
        self._last_pts = -1
        self._last_arrival = 0

    @property
    def clock_rate(self) -> int:
        return self._rate

    def place(self, ticks: int, arrival_ns: int) -> int | None:
        """The presentation time of a unit, in ticks since the Run began, never negative.

        A jump is media time that went back by more than the limit, or forward by more than
        the limit and the time that really passed. Media that comes late and all at once, as
        after a pause of the network, is none. Two units never get the same time one after
        the other: a camera that sets the marker bit inside a picture would make them so.
        """
        base = self._base
        if base is None:
            since = max(0, arrival_ns - self._start) * self._rate // _NS
            self._base = base = since - ticks
        else:
            step = ticks - self._last_ticks
            if step < -self._jump:
                return None
            if step > self._jump:
                passed = (arrival_ns - self._last_arrival) * self._rate // _NS
                if step > passed + self._jump:
                    return None
        pts = max(0, ticks + base)
        if pts == self._last_pts:
            pts += 1
        self._last_ticks = ticks
        self._last_pts = pts
        self._last_arrival = arrival_ns
        return pts

    def anew(self, ticks: int, arrival_ns: int) -> int:
        """The presentation time of a unit whose ticks jumped, by when it came.

        Those that follow it are placed by their ticks again.
        """
        passed = max(0, arrival_ns - self._last_arrival) * self._rate // _NS
        pts = self._last_pts + max(1, passed)
        self._base = pts - ticks
        self._last_ticks, self._last_pts, self._last_arrival = ticks, pts, arrival_ns
        return pts

"""The time that ages are measured by: it leaps ahead only once it has stood there for a while.

A clock that is wrong by years for a minute would else delete everything at once.
"""

from __future__ import annotations

from vms.common.clock import Clock

_LEAP_NS = 300_000_000_000
_AWAY_NS = 86_400_000_000_000
_PATIENCE_NS = 3_600_000_000_000


class Today:
    """Wall time, held back for an hour of the monotonic clock after a leap of minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: int | None = None
        self._leapt: tuple[int, int] | None = None

    def now_ns(self, newest_ns: int | None) -> int:
        """UTC nanoseconds. `newest_ns`: the end of the newest footage, None: there is none.

        Footage that ends more than a day ago at the start is such a leap too: the machine
        was off, or its clock is wrong.
        """
        wall, steady = self._clock.now_ns(), self._clock.monotonic_ns()
        offset = wall - steady
        if self._offset is None:
            away = newest_ns is not None and wall - newest_ns > _AWAY_NS
            self._offset = newest_ns - steady if away and newest_ns is not None else offset
        if offset - self._offset <= _LEAP_NS:
            self._offset, self._leapt = offset, None
            return wall
        if self._leapt is None or abs(offset - self._leapt[0]) > _LEAP_NS:
            self._leapt = (offset, steady)
        if steady - self._leapt[1] >= _PATIENCE_NS:
            self._offset, self._leapt = offset, None
            return wall
        return steady + self._offset

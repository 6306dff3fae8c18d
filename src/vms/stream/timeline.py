"""One unbroken line of media time over the Runs of a stream.

A camera's media time starts again with every Run. Viewers want it to go on: where a Run
ends, the time that passed by our own clock is put between. All tracks share one line, so
that picture and sound stay together.
"""

from __future__ import annotations

from vms.common.model.media import AccessUnit

_JUMP_NS = 10_000_000_000
_LEAST_GAP_NS = 40_000_000


class Timeline:
    """Nanoseconds from `start_ns` on, for the units of one stream in their order."""

    def __init__(self, start_ns: int = 0) -> None:
        self.breaks = 0
        """How often media time broke off and was joined again."""
        self.started = False
        self._newest_ns = start_ns
        self._arrival_ns = 0
        self._offset_ns = 0
        self._run = ""

    def ticks(self, unit: AccessUnit, rate: int) -> int:
        """The unit's presentation time on this line, in ticks of `rate` a second.

        Never negative while `start_ns` is not. Ticks of one Run differ exactly as its pts.
        """
        pts_ns = unit.pts_ns
        passed = max(0, unit.arrival_ns - self._arrival_ns) if self.started else 0
        expected = self._newest_ns + passed
        if unit.run != self._run or abs(pts_ns + self._offset_ns - expected) > _JUMP_NS:
            if self.started:
                self.breaks += 1
                expected = max(expected, self._newest_ns + _LEAST_GAP_NS)
            self._offset_ns = expected - pts_ns
            self._run = unit.run
        self.started = True
        line_ns = pts_ns + self._offset_ns
        if line_ns >= self._newest_ns:
            self._newest_ns, self._arrival_ns = line_ns, unit.arrival_ns
        clock = unit.parameters.clock_rate
        pts = unit.pts if clock == rate else unit.pts * rate // clock
        return max(0, pts + self._offset_ns * rate // 1_000_000_000)

    def at(self, utc_ns: int, rate: int) -> int:
        """Where the line is at `utc_ns` by the clock of arrivals, in ticks of `rate`."""
        return (self._newest_ns + utc_ns - self._arrival_ns) * rate // 1_000_000_000

"""One unbroken line of media time over the Runs of a track.

A camera's media time starts again with every Run and may jump within one. Viewers want
it to go on: where it breaks, the time that passed by our own clock is put between.
"""

from __future__ import annotations

from vms.common.model.media import AccessUnit

_JUMP_NS = 5_000_000_000
"""Media time that moves this much more or less than our clock between two units is a jump."""


class Timeline:
    """Ticks of `rate` a second, from `start`, for the units of one track in their order."""

    def __init__(self, rate: int, start: int) -> None:
        self.rate = rate
        self.last = start
        self.breaks = 0
        """How often media time broke off and was joined again."""
        self._offset = 0
        self._run: str | None = None
        self._arrival_ns = 0
        self._pts_ns = 0

    def ticks(self, unit: AccessUnit) -> int:
        """The unit's presentation time on this line. Never negative for start >= 0."""
        clock = unit.parameters.clock_rate
        pts = unit.pts if clock == self.rate else unit.pts * self.rate // clock
        pts_ns = unit.pts_ns
        passed = unit.arrival_ns - self._arrival_ns
        if unit.run != self._run:
            self._join(pts, max(0, passed) if self._run is not None else 0)
            self._run = unit.run
        elif abs(pts_ns - self._pts_ns - passed) > _JUMP_NS:
            self._join(pts, max(0, passed))
        self._arrival_ns, self._pts_ns = unit.arrival_ns, pts_ns
        self.last = pts + self._offset
        return self.last

    def _join(self, pts: int, passed_ns: int) -> None:
        if self._run is not None:
            self.breaks += 1
            # At least a tick, and never back: 40 ms stand in for a gap too short to measure.
            passed_ns = max(passed_ns, 40_000_000)
        self._offset = self.last + passed_ns * self.rate // 1_000_000_000 - pts

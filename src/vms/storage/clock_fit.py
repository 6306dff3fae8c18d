"""How a camera's clock stood to ours over one file: its offset, and how fast it drifted."""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Sequence

_EVERY_NS = 1_000_000_000
_MOST = 30_000
_JUMP_NS = 250_000_000
_JUMP_POINTS = 3
_FIT_POINTS = 10
_FIT_SPAN_NS = 60_000_000_000
_MOST_PPB = 1_000_000_000


class ClockFit:
    """Fed the key pictures of a file; at most one a second is kept, and `_MOST` in all."""

    __slots__ = ("_offsets", "_times")

    def __init__(self) -> None:
        self._times = array("q")
        self._offsets = array("q")

    def note(self, wall_ns: int, camera_ns: int | None) -> None:
        """A key picture that came at `wall_ns`, of which the camera says `camera_ns`."""
        if camera_ns is None or len(self._times) >= _MOST:
            return
        if self._times and wall_ns - self._times[-1] < _EVERY_NS:
            return
        self._times.append(wall_ns)
        self._offsets.append(camera_ns - wall_ns)

    def result(self) -> tuple[int | None, int | None]:
        """(median of camera minus ours in ns, drift in ppb); None where it cannot be told.

        A jump of the camera's clock is no drift: the longest stretch without one is taken.
        """
        if not self._times:
            return None, None
        return int(statistics.median_low(self._offsets)), drift_ppb(self._times, self._offsets)


def drift_ppb(times: Sequence[int], offsets: Sequence[int]) -> int | None:
    """Least squares over the longest stretch without a jump, in billionths; None: too short."""
    best = max(_stretches(offsets), key=lambda s: times[s[-1]] - times[s[0]], default=[])
    if len(best) < _FIT_POINTS or times[best[-1]] - times[best[0]] < _FIT_SPAN_NS:
        return None
    middle_t = sum(times[i] for i in best) / len(best)
    middle_o = sum(offsets[i] for i in best) / len(best)
    above = below = 0.0
    for i in best:
        aside = times[i] - middle_t
        above += aside * (offsets[i] - middle_o)
        below += aside * aside
    found = round(above / below * 1e9)
    return found if abs(found) < _MOST_PPB else None


def _stretches(offsets: Sequence[int]) -> list[list[int]]:
    """Places that belong together: a few odd ones alone are left out, more are a jump."""
    found: list[list[int]] = []
    now: list[int] = []
    odd: list[int] = []
    for place, offset in enumerate(offsets):
        if not now or abs(offset - offsets[now[-1]]) < _JUMP_NS:
            now.append(place)
            odd = []
        elif odd and abs(offset - offsets[odd[-1]]) >= _JUMP_NS:
            odd = [place]
        else:
            odd.append(place)
            if len(odd) >= _JUMP_POINTS:
                found.append(now)
                now, odd = odd, []
    return [*found, now] if now else found

"""UTC that does not jump: what footage is stamped by (see docs/design/time.md).

The machine's clock may be wrong when the system starts (a dead battery: 1970) and may be
set at any moment, by hand or by NTP. Footage has one line of time: it never runs back, so
that no two files of a stream claim the same moment, and where the clock turns out to have
been wrong since the start, what was recorded until then is shifted to where it belongs.

- The clock is carried on by the monotonic clock from an `Anchor`, and compared with the
  machine's clock about twice a second (`check`).
- Less than half a second off: the anchor slides there, by a twentieth of the time passing.
- Ahead: a new anchor at once. Back: where the clock has not proved itself since the anchor
  was made (ten minutes), a new anchor, and what was stamped by the old one is to be shifted.
  Else the anchor slides back, by a twentieth of the time passing, for up to 26 hours of
  error; beyond that it is held until the clock is set again.
- A clock that is behind the newest footage, or behind the making of this program, is not
  believed: time then goes on from there, until it is set.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from vms.common.clock import Clock

BUILT_NS = 1_788_220_800_000_000_000
"""2026-09-01: no clock that works says less."""
_SECOND = 1_000_000_000
STEP_NS = _SECOND // 2
"""What is more than this is a step."""
PROVEN_NS = 600 * _SECOND
SLIDE_MOST_NS = 26 * 3600 * _SECOND
_SLIDE = 20
_FINE_NS = 5_000_000
_MOST_RUNS = 16

CAMERA_OFF_NS = 2_000_000_000
"""A camera's clock that is further from ours is said."""

Key = tuple[str, str]
"""Camera and stream."""


class Anchor:
    """A line of time: never back, never a jump. Any thread may ask."""

    __slots__ = ("_from", "_monotonic_ns", "_offset", "_slide")

    def __init__(self, monotonic_ns: Callable[[], int], now_ns: int) -> None:
        self._monotonic_ns = monotonic_ns
        self._offset = now_ns - monotonic_ns()
        self._from = 0
        self._slide = 0

    def now_ns(self) -> int:
        now = self._monotonic_ns()
        if not self._slide:
            return now + self._offset
        return now + self._offset + self._slid(now)

    def _slid(self, now: int) -> int:
        most = (now - self._from) // _SLIDE
        return max(-most, min(most, self._slide))

    def slide(self, by_ns: int) -> None:
        """Go on more slowly, or faster, until `by_ns` is made up for."""
        now = self._monotonic_ns()
        self._offset += self._slid(now)
        self._from, self._slide = now, by_ns

    def left_ns(self) -> int:
        """What is still to be made up for."""
        return self._slide - self._slid(self._monotonic_ns())


@dataclass(frozen=True, slots=True)
class Step:
    """The line of time went on from `old_ns` at `new_ns`. `shifted`: what was stamped by the
    old anchor, which began at `began_ns`, is to be shifted by the difference."""

    old_ns: int
    new_ns: int
    shifted: bool
    began_ns: int


class WallClock:
    """A Clock. `check` and the listeners belong to the event loop's thread."""

    def __init__(self, clock: Clock, floor_ns: int = BUILT_NS) -> None:
        """`floor_ns`: time is not believed to be before this (the newest footage)."""
        self._clock = clock
        self.monotonic_ns = clock.monotonic_ns
        self.listeners: list[Callable[[Step], None]] = []
        self.problem = ""
        """What is wrong with the machine's clock, as a sentence; empty while all is well."""
        self._runs: dict[Key, list[str]] = {}
        self._shifts: dict[Key, tuple[tuple[str, int], ...]] = {}
        self._held = False
        self.begin(floor_ns)

    def begin(self, floor_ns: int) -> None:
        """Start anew, not before `floor_ns`: to be called before anything is stamped."""
        now = self._clock.now_ns()
        self._floor = floor_ns
        self._behind = now < floor_ns
        self._anchor_at(max(now, floor_ns + _SECOND) if self._behind else now)
        if self._behind:
            self._tell(now - self.anchor.now_ns())

    def now_ns(self) -> int:
        return self.anchor.now_ns()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def note_run(self, camera: str, stream: str, run: str) -> None:
        """A Run that is stamped by the present anchor."""
        runs = self._runs.setdefault((camera, stream), [])
        runs.append(run)
        del runs[:-_MOST_RUNS]

    def shifts(self, camera: str, stream: str) -> tuple[tuple[str, int], ...]:
        """(Run, nanoseconds): what is to be added to the times of what was recorded of it."""
        return self._shifts.get((camera, stream), ())

    def check(self) -> Step | None:
        """Compare with the machine's clock. To be called about twice a second."""
        real, label = self._clock.now_ns(), self.anchor.now_ns()
        off = real - label
        left = self.anchor.left_ns()
        if self._held and off <= -STEP_NS and not self._believes(real):
            return None
        if abs(off - left) < STEP_NS and left:
            self._tell(off)
            return None
        if abs(off) < STEP_NS:
            self._held = self._behind = False
            self._tell(0)
            if abs(off) > _FINE_NS:
                self.anchor.slide(off)
            return None
        if off > 0 or self._believes(real):
            return self._step(label, real)
        self._held = -off > SLIDE_MOST_NS
        self.anchor.slide(0 if self._held else off)
        self._tell(off)
        return None

    def _believes(self, real: int) -> bool:
        """Whether a clock that was set back is right, and was wrong since the anchor."""
        label = self.anchor.now_ns()
        if real - (label - self._began_label) < self._floor:
            return False
        far = label - real > SLIDE_MOST_NS and real < self._began_label
        return far or not self._is_proven()

    @property
    def proven(self) -> bool:
        """Whether what was stamped by the present anchor will not be shifted, but for a step
        that is out of all proportion."""
        return self._is_proven()

    def _is_proven(self) -> bool:
        return not self._behind and self.monotonic_ns() - self._began >= PROVEN_NS

    def _step(self, label: int, real: int) -> Step:
        step = Step(label, real, real < label or not self._is_proven(), self._began_label)
        if step.shifted:
            by = real - label
            for key, runs in self._runs.items():
                before = self._shifts.get(key, ())
                self._shifts[key] = (*before, *((run, by) for run in runs))[-_MOST_RUNS:]
        # Nothing later may reach into what was stamped so far.
        self._floor = max(self._floor, real if step.shifted else label)
        self._behind = self._held = False
        self._anchor_at(real)
        self._tell(0)
        for listener in self.listeners:
            listener(step)
        return step

    def _anchor_at(self, now_ns: int) -> None:
        self.anchor = Anchor(self.monotonic_ns, now_ns)
        self._began = self.monotonic_ns()
        self._began_label = now_ns
        self._runs = {}

    def _tell(self, off: int) -> None:
        if abs(off) < STEP_NS:
            self.problem = ""
            return
        said = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self._clock.now_ns() // _SECOND))
        behind = abs(off) // _SECOND
        self.problem = (
            f"the machine's clock ({said} UTC) is {behind} s behind the footage; "
            + ("set it: recordings go on from the newest footage and are put right then"
               if self._behind or self._held
               else "recordings close up to it slowly, so that no time is recorded twice")
        )  # fmt: skip


def clock_text(offset_ns: int) -> str:
    """What people are told of a camera's clock that is `offset_ns` ahead of ours; empty where
    that is no trouble."""
    if abs(offset_ns) <= CAMERA_OFF_NS:
        return ""
    side = "ahead of" if offset_ns > 0 else "behind"
    return (
        f"the camera's clock is {abs(offset_ns) / 1e9:.0f} s {side} ours; "
        "set it, or let it follow a time server"
    )

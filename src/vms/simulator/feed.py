"""Feeds: what gives the units of one track of one stream at their time to its viewers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

from vms.common.model.media import CodecParameters
from vms.simulator.faults import Faults
from vms.simulator.packets import Programme, Unit
from vms.simulator.studio import Shot, Studio

_SECOND = 1_000_000_000
_TOO_LATE = 2 * _SECOND


@dataclass(slots=True)
class Timebase:
    """The camera's time: RTP ticks count from `born_ns` (monotonic)."""

    born_ns: int
    wall_offset_ns: int

    @classmethod
    def now(cls) -> Timebase:
        mono = time.monotonic_ns()
        return cls(mono, time.time_ns() - mono)

    def ticks(self, mono_ns: int, rate: int) -> int:
        return (mono_ns - self.born_ns) * rate // _SECOND

    def wall_ns(self, mono_ns: int) -> int:
        return mono_ns + self.wall_offset_ns


class Viewer(Protocol):
    """Who takes units: one track of one client."""

    def moved(self, feed: Feed) -> None:
        """Another feed serves it from now on."""

    def deliver(self, unit: Unit, number: int, capture_ns: int) -> None:
        """`capture_ns` is monotonic: when the picture that is shown was taken."""


class Feed:
    """Base: viewers, and handing units on."""

    def __init__(self, parameters: CodecParameters, timebase: Timebase, faults: Faults) -> None:
        self.parameters = parameters
        self.clock_rate = parameters.clock_rate
        self.timebase = timebase
        self.faults = faults
        self._viewers: tuple[Viewer, ...] = ()
        self._last = -1

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    def join(self, viewer: Viewer) -> None:
        first = not self._viewers
        self._viewers = (*self._viewers, viewer)
        self._joined(first=first)

    def leave(self, viewer: Viewer) -> None:
        if viewer in self._viewers:
            self._viewers = tuple(other for other in self._viewers if other is not viewer)
            if not self._viewers:
                self._idle()

    def hand_over(self, other: Feed) -> None:
        """Let `other` serve the viewers from now on."""
        viewers, self._viewers = self._viewers, ()
        self._idle()
        other.count_from(self._last + 1)
        for viewer in viewers:
            viewer.moved(other)
            other.join(viewer)

    def count_from(self, number: int) -> None:
        """Number no unit lower than that, where the numbers are the feed's own."""

    def close(self) -> None:
        self._viewers = ()
        self._idle()

    def _joined(self, *, first: bool) -> None:
        raise NotImplementedError

    def _idle(self) -> None:
        raise NotImplementedError

    def _hand_out(self, unit: Unit, number: int, capture_ns: int) -> None:
        faults = self.faults
        unwanted = (faults.no_key and unit.key) if unit.stamped else faults.mute_audio
        if faults.stall or unwanted:
            return
        if faults.delay > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(faults.delay, self._send, unit, number, capture_ns)
        else:
            self._send(unit, number, capture_ns)

    def _send(self, unit: Unit, number: int, capture_ns: int) -> None:
        self._last = number
        for viewer in self._viewers:
            viewer.deliver(unit, number, capture_ns)


class ProgrammeFeed(Feed):
    """Plays a programme round and round while somebody watches.

    `phase_ns` shifts its pictures against those of other cameras. When the first viewer
    comes it goes on with the next key picture that is due, so that a picture comes at once;
    those who join later wait for one, as with a camera. `aligned` binds rounds to wall time
    (for audio, whose beep is on the second).
    """

    def __init__(
        self,
        programme: Programme,
        timebase: Timebase,
        faults: Faults,
        *,
        phase_ns: int = 0,
        aligned: bool = False,
    ) -> None:
        super().__init__(programme.parameters, timebase, faults)
        self._programme = programme
        self._phase_ns = phase_ns
        self._aligned = aligned
        self._delay_ns = programme.delay_ns
        self._next = 0
        self._epoch_ns = timebase.born_ns
        self._timer: asyncio.TimerHandle | None = None

    def count_from(self, number: int) -> None:
        self._next = max(self._next, number)

    def _joined(self, *, first: bool) -> None:
        if first:
            self._seek(time.monotonic_ns())
            self._plan()

    def _idle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _seek(self, now_ns: int) -> None:
        """Place the programme in time so that the next unit sent is a key picture."""
        items, round_ns = self._programme.items, self._programme.duration_ns
        if self._aligned:
            wall = self.timebase.wall_ns(now_ns)
            self._epoch_ns = now_ns - wall % round_ns
            self._next = next(
                (i for i, item in enumerate(items) if self._epoch_ns + item.at_ns >= now_ns),
                len(items),
            )
            return
        gone = max(self._next, (now_ns - self._epoch_ns) * len(items) // round_ns)
        while not items[gone % len(items)].unit.key:
            gone += 1
        self._next = gone
        step = round_ns // len(items)
        start = now_ns + (self.timebase.born_ns + self._phase_ns - now_ns) % step
        rounds, index = divmod(gone, len(items))
        self._epoch_ns = start - rounds * round_ns - items[index].at_ns

    def _due_ns(self) -> int:
        rounds, index = divmod(self._next, len(self._programme.items))
        at_ns = self._programme.items[index].at_ns
        return self._epoch_ns + rounds * self._programme.duration_ns + at_ns

    def _plan(self) -> None:
        wait = (self._due_ns() - time.monotonic_ns()) / _SECOND
        self._timer = asyncio.get_running_loop().call_later(max(0.0, wait), self._tick)

    def _tick(self) -> None:
        items = self._programme.items
        due, now = self._due_ns(), time.monotonic_ns()
        if now - due > _TOO_LATE and not self._aligned:
            self._epoch_ns += now - due
            due = now
        item = items[self._next % len(items)]
        number = self._next
        self._next += 1
        self._hand_out(item.unit, number, due + item.shift_ns - self._delay_ns)
        if self._viewers:
            self._plan()


class SceneFeed(Feed):
    """Passes on what a shared studio encodes, `offset` seconds later."""

    def __init__(
        self, studio: Studio, timebase: Timebase, faults: Faults, offset: float = 0.0
    ) -> None:
        super().__init__(studio.parameters, timebase, faults)
        self._studio = studio
        self._offset = offset

    def _joined(self, *, first: bool) -> None:
        if first:
            self._studio.subscribe(self._take)
        self._studio.ask_for_key()

    def _idle(self) -> None:
        self._studio.unsubscribe(self._take)

    def _take(self, shot: Shot) -> None:
        if self._offset:
            loop = asyncio.get_running_loop()
            loop.call_later(self._offset, self._hand_out, *shot)
        else:
            self._hand_out(*shot)

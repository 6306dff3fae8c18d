"""What a stream's recorder is to do at a moment: its mode, its events, its calendar. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from vms.common.model.camera import RecordingMode, StreamConfig
from vms.storage.sieve import Orders, Window

NO_SOURCE = "no source of events: recording continuously"
_NS = 1_000_000_000
_FAR_NS = 1 << 62
_LEAD_NS = 10 * _NS
"""How long before the calendar says so a stream is listened to, so that the group of
pictures in which its time begins is there whole."""
_FORGET_NS = 120 * _NS
_MOST_WINDOWS = 32


class Events(Protocol):
    """What is known of a camera's events."""

    def alive(self, camera: str) -> bool: ...

    def windows(self, camera: str) -> list[tuple[int, int | None]]: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How a stream is to be recorded now.

    `orders` None: not at all, nobody listens to it. `expected`: whether footage of this
    moment should be there. `note`: why it is as it is, where people should know. `mode`:
    what the calendar makes of it.
    """

    orders: Orders | None
    expected: bool
    mode: RecordingMode
    note: str = ""


def standing(camera: str, stream: StreamConfig, events: Events, now_ns: int) -> Standing:
    """The stream's standing at `now_ns` (UTC)."""
    mode = mode_at(stream, now_ns)
    if mode is RecordingMode.CONTINUOUS:
        return Standing(Orders(since_ns=_since(stream, now_ns), audio=stream.audio), True, mode)
    if mode is RecordingMode.EVENT:
        if not events.alive(camera):
            return Standing(Orders(audio=stream.audio), True, mode, NO_SOURCE)
        windows = _windows(stream, events.windows(camera), now_ns)
        expected = any(start + _pre_ns(stream) <= now_ns < end for start, end in windows)
        orders = Orders(False, 0, windows, _pre_ns(stream), stream.audio)
        return Standing(orders, expected, mode, "" if expected else "waiting for an event")
    if mode_at(stream, now_ns + _LEAD_NS) is not RecordingMode.OFF:
        return Standing(Orders(False, audio=stream.audio), False, mode, "its time begins soon")
    return Standing(None, False, mode, "outside its schedule")


def mode_at(stream: StreamConfig, t_ns: int) -> RecordingMode:
    """The mode at a moment: CONTINUOUS, EVENT or OFF."""
    if stream.recording is not RecordingMode.SCHEDULE:
        return stream.recording
    if stream.schedule is None:
        # A calendar that got lost must not cost footage.
        return RecordingMode.CONTINUOUS
    return stream.schedule.mode_at(t_ns)


def _since(stream: StreamConfig, now_ns: int) -> int:
    """From when what waits belongs to the recording: all, or since the calendar says so."""
    if stream.recording is not RecordingMode.SCHEDULE:
        return 0
    before = now_ns - _LEAD_NS
    if mode_at(stream, before) is RecordingMode.CONTINUOUS:
        return 0
    # The change lies in these seconds; calendars change on whole minutes.
    minute = 60 * _NS
    return now_ns - now_ns % minute


def _pre_ns(stream: StreamConfig) -> int:
    return int(stream.pre_roll_s * _NS)


def _windows(
    stream: StreamConfig, events: Iterable[tuple[int, int | None]], now_ns: int
) -> tuple[Window, ...]:
    """Events with what is recorded before and after them, joined where they touch."""
    post = int(stream.post_roll_s * _NS)
    joined: list[Window] = []
    for start, end in events:
        first = start - _pre_ns(stream)
        last = _FAR_NS if end is None else end + post
        if last < now_ns - _FORGET_NS:
            continue
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined[-_MOST_WINDOWS:])


def expected_spans(stream: StreamConfig, start_ns: int, end_ns: int) -> list[Window]:
    """When the stream should have been recorded by its calendar alone, within the span.

    Event mode expects nothing here: what happened meanwhile is not known.
    """
    found: list[Window] = []
    at = start_ns
    while at < end_ns:
        stop = end_ns
        if stream.recording is RecordingMode.SCHEDULE and stream.schedule is not None:
            change = stream.schedule.next_change(at)
            stop = end_ns if change is None else min(end_ns, max(change, at + 1))
        if mode_at(stream, at) is RecordingMode.CONTINUOUS:
            if found and found[-1][1] == at:
                found[-1] = (found[-1][0], stop)
            else:
                found.append((at, stop))
        at = stop
    return found

"""Where the units of a Run stand in a file: from ticks of each track to milliseconds.

The camera's ticks are believed while they go on as ticks do. A step back of more than
`BACK_MS` or ahead of more than `AHEAD_MS` is a jump: from there on the track is anchored
anew by the time of arrival, so that nothing is lost, and the file should end at the next
key picture.
"""

from __future__ import annotations

from vms.common.model.media import AccessUnit, CodecParameters

BACK_MS = 3000
AHEAD_MS = 5000
_ASIDE_NS = 3_000_000_000
_MOST_LATE_MS = 2000


class TrackTime:
    """The times of one track in one file."""

    __slots__ = ("anchor", "half", "last_arrival_ns", "last_ms", "number",
                 "parameters", "rate")  # fmt: skip

    def __init__(self, number: int, parameters: CodecParameters, anchor: int) -> None:
        """`number` is the track's in the file; at tick `anchor` the file shows 0."""
        self.number = number
        self.parameters = parameters
        self.rate = parameters.clock_rate
        self.half = self.rate // 2
        self.anchor = anchor
        self.last_ms = 0
        self.last_arrival_ns = 0

    def place(self, unit: AccessUnit) -> tuple[int, bool]:
        """(milliseconds in the file, whether the time jumped). May be negative."""
        ms = ((unit.pts - self.anchor) * 1000 + self.half) // self.rate
        step = ms - self.last_ms
        jumped = False
        if not -BACK_MS < step < AHEAD_MS and self.last_arrival_ns:
            passed = max(1, (unit.arrival_ns - self.last_arrival_ns) // 1_000_000)
            ms = self.last_ms + min(passed, AHEAD_MS)
            self.anchor = unit.pts - ms * self.rate // 1000
            jumped = True
        self.last_ms = ms
        self.last_arrival_ns = unit.arrival_ns
        return ms, jumped


class Timeline:
    """The tracks of one file. `late_ms` is how far units came behind the newest picture.

    A file shows its first key picture at `lead_ms`, so that what is shown before it and
    comes behind it (B-frames, audio of the same moment) has a time as well.
    """

    __slots__ = ("lead_ms", "tracks")

    def __init__(
        self,
        key: AccessUnit,
        others: dict[int, CodecParameters],
        first_units: dict[int, AccessUnit],
        lead_ms: int,
    ) -> None:
        """`others` are the tracks beside that of `key`, the first picture of the file.

        `first_units` holds the last unit known of each of them, by which the track is
        judged to run on the same clock as the pictures or not.
        """
        self.lead_ms = lead_ms
        rate = key.parameters.clock_rate
        self.tracks = {key.track: TrackTime(1, key.parameters, key.pts - lead_ms * rate // 1000)}
        zero_ns = key.pts_ns - lead_ms * 1_000_000
        for number, (track, parameters) in enumerate(others.items(), 2):
            zero = zero_ns
            known = first_units.get(track)
            if known is not None:
                due = key.arrival_ns + known.pts_ns - key.pts_ns
                if abs(known.arrival_ns - due) > _ASIDE_NS:
                    zero = known.pts_ns - (known.arrival_ns - key.arrival_ns) - lead_ms * 1_000_000
            self.tracks[track] = TrackTime(
                number, parameters, zero * parameters.clock_rate // 1_000_000_000
            )


def lateness(newest_ms: int, ms: int, so_far: int) -> int:
    """The greatest lead that a following file needs, never more than two seconds."""
    return min(_MOST_LATE_MS, max(so_far, newest_ms - ms))

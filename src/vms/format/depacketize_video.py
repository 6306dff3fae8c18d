"""Joining NAL units into pictures: what H.264 and H.265 have in common.

A picture ends with the marker bit, with a new timestamp, or where a slice says that it is
the first of its picture. Cameras get each of these wrong: they set the marker on parameter
sets, on every slice, or never, and give parameter sets the timestamp of the picture before.
"""

from __future__ import annotations

from collections.abc import Sequence

from vms.common.errors import ParseError
from vms.format.depacketize import MAX_UNIT, Unit

PACKET_OVERHEAD = 256
"""Bytes that one packet counts beside its payload, so that tiny ones cannot fill memory."""

# What a NAL unit is to the picture that is being joined.
VCL = 1
"""A slice."""
KEY = 2
"""A slice of a picture that decoding can start at."""
SETS = 3
"""A parameter set."""
BEFORE = 4
"""Stands before the first slice of a picture; the slice says of which (see `_edge`)."""
ANYWHERE = 5
"""May stand before or behind the slices."""
BEHIND = 6
"""Belongs to the picture before it."""
DROP = 7
"""Carries nothing."""


class PictureDepacketizer:
    """The state of the picture that is being joined, and the rules that end it."""

    def __init__(self, parameter_sets: Sequence[bytes] = ()) -> None:
        self.parameter_sets = tuple(parameter_sets)
        self._timestamp = -1
        self._parts: list[bytes] = []
        self._room = MAX_UNIT
        self._fragment = -1
        """Index in `_parts` of the length of the NAL unit being joined of fragments, or -1."""
        self._edge = (-1, 0)
        """Where, in `_parts` and `_sets`, begins what follows a slice and stands before one.

        The next slice decides: it belongs to the picture that slice begins, or it was put
        between the slices of one picture, as GStreamer does with parameter sets.
        """
        self._slices = False
        self._key = False
        self._damaged = False
        self._sets: list[bytes] = []
        self._stash: list[Unit] = []
        """Units that were complete when a malformed payload came; the next call gives them."""
        self._chain_broken = False
        self._unsure = False
        """Packets were lost, perhaps the first of the picture that comes next."""
        self._sets_in_band = False
        self._last_timestamp = -1
        self._marker_lies = False
        self._marks = False
        """A marker has ended a picture: one that waits for its marker is not whole."""

    def flush(self) -> Sequence[Unit]:
        """The picture that is still waiting for its end, if any."""
        self._end_fragment(damaged=True)
        units, self._stash = self._stash, []
        if self._slices:
            if self._marks and not self._marker_lies:
                self._damaged = True
            units.append(self._emit())
        return units

    def continuation(self) -> tuple[int, bytes]:
        """(timestamp, first payload bytes) of every packet that carries on the NAL unit in
        fragments now open, but does not end it; (-1, b"") where none is open."""
        at = self._fragment
        if at < 0 or self._room < 0:
            return -1, b""
        return self._timestamp, self._carries_on(self._parts[at + 1])

    def carry_on(self, bodies: list[bytes], octets: int) -> None:
        """Takes the bodies of packets that begin as `continuation` says; `octets` in all."""
        self._room -= octets + len(bodies) * PACKET_OVERHEAD
        if self._room >= 0:
            self._parts += bodies
        else:
            self._overflow()

    def _arrive(self, timestamp: int, lost: bool, out: list[Unit]) -> None:
        """Notes loss and a new timestamp before the payload itself is looked at."""
        if lost:
            self._chain_broken = True
            self._end_fragment(damaged=True)
            if self._parts or timestamp == self._last_timestamp:
                self._damaged = True
        if timestamp != self._timestamp:
            self._end_fragment(damaged=True)
            if self._slices:
                out.append(self._emit())
            elif not self._parts:
                lost = lost or self._damaged
                self._reset()
            self._timestamp = timestamp
        if lost and not self._parts:
            self._unsure = True

    def _begin(self, role: int, first: bool, out: list[Unit]) -> bool:
        """Decides where a NAL unit goes; False where it is dropped.

        `first` says that a slice is the first of its picture.
        """
        if role <= KEY:
            if self._unsure and not self._slices:
                # A key picture without the parameter sets that went before it is not whole.
                if self._sets_in_band or not self.parameter_sets:
                    self._damaged = True
                self._unsure = False
            if first:
                if self._slices:
                    out.append(self._emit())
            elif not self._slices:
                if self._timestamp == self._last_timestamp and not self._damaged:
                    self._marker_lies = True
                self._damaged = True
            else:
                self._edge = (-1, 0)
            self._slices = True
            if role == KEY:
                self._key = True
            return True
        if role == DROP or (role == BEHIND and not self._slices):
            return False
        if role in (SETS, BEFORE):
            self._unsure = False
            if self._slices and self._edge[0] < 0:
                self._edge = (len(self._parts), len(self._sets))
        return True

    def _whole(self, nal: bytes, role: int, first: bool, out: list[Unit]) -> None:
        """Adds a NAL unit that came in one piece."""
        self._end_fragment(damaged=True)
        if not self._begin(role, first, out):
            return
        self._room -= len(nal) + PACKET_OVERHEAD
        if self._room < 0:
            self._overflow()
            return
        self._parts.append(len(nal).to_bytes(4, "big"))
        self._parts.append(nal)
        if role == SETS:
            self._sets.append(bytes(nal))

    def _start_fragment(
        self, header: bytes, body: bytes, role: int, first: bool, out: list[Unit]
    ) -> None:
        """Begins a NAL unit that comes in fragments."""
        self._end_fragment(damaged=True)
        if not self._begin(role, first, out):
            return
        self._room -= len(body) + PACKET_OVERHEAD
        if self._room < 0:
            self._overflow()
            return
        self._fragment = len(self._parts)
        self._parts += (b"", header, body)

    def _end_fragment(self, *, damaged: bool = False) -> None:
        """Closes the NAL unit in fragments, if one is open; `damaged` where its end is missing.

        A slice cut short stays in the picture: decoders conceal it better than none.
        """
        at = self._fragment
        if at < 0:
            return
        self._fragment = -1
        parts = self._parts
        nal_size = sum(map(len, parts[at + 1 :]))
        parts[at] = nal_size.to_bytes(4, "big")
        if damaged:
            self._damaged = True
        elif self._is_parameter_set(parts[at + 1]):
            self._sets.append(b"".join(parts[at + 1 :]))

    def _marked(self, out: list[Unit]) -> None:
        """The marker bit was set on the packet just added."""
        if self._fragment >= 0:
            self._end_fragment(damaged=True)
        if self._slices and not self._marker_lies:
            self._marks = True
            out.append(self._emit())
        elif self._room < 0:
            self._reset()

    def _malformed(self, message: str, out: list[Unit]) -> ParseError:
        """Flags the picture and keeps what is complete; the caller raises what this gives."""
        self._stash = out
        self._damaged = True
        self._chain_broken = True
        return ParseError(message)

    def _overflow(self) -> None:
        """The picture is larger than any: it is thrown away, and what follows of it too."""
        self._parts.clear()
        self._sets.clear()
        self._edge = (-1, 0)
        self._fragment = -1
        self._slices = False
        self._damaged = True
        self._chain_broken = True
        self._room = -1

    def _emit(self) -> Unit:
        """The picture; what stands at its edge is kept for the next one."""
        edge, sets = self._edge
        kept: list[bytes] = []
        kept_sets: list[bytes] = []
        if edge >= 0:
            self._parts, kept = self._parts[:edge], self._parts[edge:]
            self._sets, kept_sets = self._sets[:sets], self._sets[sets:]
        data = b"".join(self._parts)
        if self._key and not self._damaged:
            self._chain_broken = False
        elif self._damaged:
            self._chain_broken = True
        unit = Unit(data, self._timestamp, self._key, self._chain_broken)
        if self._sets:
            self._sets_in_band = True
            unit.parameter_sets = self._changed_sets()
        self._last_timestamp = self._timestamp
        self._reset()
        if kept:
            self._parts, self._sets = kept, kept_sets
            self._room -= sum(map(len, kept)) + len(kept) * PACKET_OVERHEAD
        return unit

    def _reset(self) -> None:
        self._parts = []
        self._edge = (-1, 0)
        self._room = MAX_UNIT
        self._fragment = -1
        self._slices = self._key = self._damaged = False
        if self._sets:
            self._sets = []

    def _changed_sets(self) -> tuple[bytes, ...] | None:
        """All parameter sets in force after those of this picture; None if they are the same.

        A picture that brings a whole collection replaces what was known. One that brings a
        part replaces those with the same number.
        """
        known = {} if self._is_complete(self._sets) else self._by_name(self.parameter_sets)
        known.update(self._by_name(self._sets))
        merged = tuple(known[name] for name in sorted(known))
        if merged == self.parameter_sets or len(merged) > 64:
            return None
        self.parameter_sets = merged
        return merged

    def _by_name(self, nals: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
        return {self._set_name(nal): nal for nal in nals}

    def _carries_on(self, header: bytes) -> bytes:
        raise NotImplementedError

    def _is_parameter_set(self, header: bytes) -> bool:
        raise NotImplementedError

    def _is_complete(self, nals: Sequence[bytes]) -> bool:
        raise NotImplementedError

    def _set_name(self, nal: bytes) -> tuple[int, int]:
        """(NAL unit type, number) of a parameter set; never raises."""
        raise NotImplementedError

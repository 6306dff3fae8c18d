"""H.265 from RTP (RFC 7798): single NAL units, aggregation packets and fragmentation units."""

from __future__ import annotations

from collections.abc import Sequence

from vms.common.errors import ParseError
from vms.format import h265
from vms.format.bits import BitReader, unescape
from vms.format.depacketize import NOTHING, Unit
from vms.format.depacketize_video import (
    ANYWHERE,
    BEFORE,
    BEHIND,
    DROP,
    KEY,
    PACKET_OVERHEAD,
    SETS,
    VCL,
    PictureDepacketizer,
)

AGGREGATION = 48
FRAGMENT = 49

_ROLES = [VCL] * 32 + [ANYWHERE] * 16 + [DROP] * 16
_ROLES[h265.FIRST_IRAP : h265.LAST_IRAP + 1] = [KEY] * 8
_ROLES[h265.VPS] = _ROLES[h265.SPS] = _ROLES[h265.PPS] = SETS
_ROLES[h265.AUD] = BEFORE
_ROLES[h265.END_OF_SEQUENCE] = _ROLES[h265.END_OF_BITSTREAM] = BEHIND
_ROLES[h265.SUFFIX_SEI] = BEHIND
_ROLES[h265.FILLER] = DROP


class H265Depacketizer(PictureDepacketizer):
    """Single-stream mode without DONL fields (sprop-max-don-diff 0, as all cameras send)."""

    def push(
        self, data: bytes, start: int, end: int, marker: bool, timestamp: int, lost: bool
    ) -> Sequence[Unit]:
        size = end - start
        if size < 4:
            return self._push_rare(data, start, end, marker, timestamp, lost)
        if data[start] & 0x7E == FRAGMENT << 1:
            flags = data[start + 2]
            if (
                flags < 0x40
                and self._fragment >= 0
                and timestamp == self._timestamp
                and not (lost or marker)
            ):
                self._room -= size + PACKET_OVERHEAD
                if self._room >= 0:
                    self._parts.append(data[start + 3 : end])
                else:
                    self._overflow()
                return NOTHING
        return self._push_rare(data, start, end, marker, timestamp, lost)

    def _push_rare(
        self, data: bytes, start: int, end: int, marker: bool, timestamp: int, lost: bool
    ) -> Sequence[Unit]:
        out: list[Unit] = []
        if self._stash:
            out, self._stash = self._stash, out
        if lost or timestamp != self._timestamp:
            self._arrive(timestamp, lost, out)
        if end - start < 3:
            raise self._malformed(f"H.265 payload of {end - start} bytes", out)
        kind = (data[start] >> 1) & 0x3F
        if self._room >= 0:
            if kind == FRAGMENT:
                self._fragment_unit(data, start, end, out)
            elif kind < AGGREGATION:
                self._whole(data[start:end], _ROLES[kind], _is_first(data, start, end), out)
            elif kind == AGGREGATION:
                self._aggregate(data, start + 2, end, out)
            else:
                raise self._malformed(f"H.265 payload type {kind}", out)
        if marker:
            self._marked(out)
        return out

    def _fragment_unit(self, data: bytes, start: int, end: int, out: list[Unit]) -> None:
        if end - start < 4:
            raise self._malformed(f"fragmentation unit of {end - start} bytes", out)
        flags = data[start + 2]
        kind = flags & 0x3F
        if flags & 0x80:
            header = bytes((data[start] & 0x81 | kind << 1, data[start + 1]))
            first = bool(data[start + 3] & 0x80) and not (header[0] & 1 or header[1] & 0xF8)
            self._start_fragment(header, data[start + 3 : end], _ROLES[kind], first, out)
        elif self._fragment >= 0:
            self._room -= end - start + PACKET_OVERHEAD
            if self._room < 0:
                self._overflow()
                return
            self._parts.append(data[start + 3 : end])
        elif _ROLES[kind] != DROP:
            self._damaged = self._chain_broken = True
            return
        if flags & 0x40:
            self._end_fragment()

    def _aggregate(self, data: bytes, at: int, end: int, out: list[Unit]) -> None:
        while at < end:
            start = at + 2
            if start >= end:
                raise self._malformed("aggregation packet ends inside a length", out)
            at = start + (data[start - 2] << 8 | data[start - 1])
            if at > end or at - start < 3:
                raise self._malformed(
                    f"aggregation packet with a NAL unit of {at - start} bytes", out
                )
            role = _ROLES[(data[start] >> 1) & 0x3F]
            self._whole(data[start:at], role, _is_first(data, start, at), out)

    def _carries_on(self, header: bytes) -> bytes:
        kind = header[0] >> 1 & 0x3F
        return bytes((header[0] & 0x81 | FRAGMENT << 1, header[1], kind))

    def _is_parameter_set(self, header: bytes) -> bool:
        return h265.VPS <= (header[0] >> 1) & 0x3F <= h265.PPS

    def _is_complete(self, nals: Sequence[bytes]) -> bool:
        return {(nal[0] >> 1) & 0x3F for nal in nals} == {h265.VPS, h265.SPS, h265.PPS}

    def _set_name(self, nal: bytes) -> tuple[int, int]:
        kind = (nal[0] >> 1) & 0x3F
        try:
            if kind == h265.VPS:
                return kind, nal[2] >> 4
            if kind == h265.SPS:
                return kind, h265.parse_sps(nal).identifier
            return kind, BitReader(unescape(bytes(nal[2:18]))).ue()
        except (ParseError, IndexError):
            return kind, 0


def _is_first(data: bytes, start: int, end: int) -> bool:
    """True where first_slice_segment_in_pic_flag is set, in the base layer."""
    return (
        start + 2 < end
        and data[start + 2] & 0x80 != 0
        and not (data[start] & 1 or data[start + 1] & 0xF8)
    )

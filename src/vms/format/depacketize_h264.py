"""H.264 from RTP (RFC 6184): single NAL units, STAP-A and FU-A."""

from __future__ import annotations

from collections.abc import Sequence

from vms.common.errors import ParseError
from vms.format import h264
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

STAP_A = 24
FU_A = 28

_ROLES = [ANYWHERE] * 24 + [DROP] * 8
_ROLES[h264.SLICE] = _ROLES[h264.PARTITION_A] = _ROLES[3] = _ROLES[4] = VCL
_ROLES[h264.IDR] = KEY
_ROLES[h264.SPS] = _ROLES[h264.PPS] = SETS
_ROLES[h264.AUD] = BEFORE
_ROLES[h264.END_OF_SEQUENCE] = _ROLES[h264.END_OF_STREAM] = BEHIND
_ROLES[h264.FILLER] = _ROLES[0] = DROP


class H264Depacketizer(PictureDepacketizer):
    """Packetization modes 0 and 1. Filler data is left out; STAP-B, MTAP and FU-B are
    malformed (no camera sends interleaved mode)."""

    def push(
        self, data: bytes, start: int, end: int, marker: bool, timestamp: int, lost: bool
    ) -> Sequence[Unit]:
        size = end - start
        if size < 3:
            return self._push_rare(data, start, end, marker, timestamp, lost)
        kind = data[start] & 0x1F
        if kind == FU_A:
            flags = data[start + 1]
            if (
                flags < 0x40
                and self._fragment >= 0
                and timestamp == self._timestamp
                and not (lost or marker)
            ):
                self._room -= size + PACKET_OVERHEAD
                if self._room >= 0:
                    self._parts.append(data[start + 2 : end])
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
        if start >= end:
            raise self._malformed("empty H.264 payload", out)
        kind = data[start] & 0x1F
        if self._room >= 0:
            if kind == FU_A:
                self._fragment_unit(data, start, end, out)
            elif kind < STAP_A:
                self._whole(data[start:end], _ROLES[kind], _is_first(data, start, end), out)
            elif kind == STAP_A:
                self._aggregate(data, start + 1, end, out)
            else:
                raise self._malformed(f"H.264 payload type {kind}", out)
        if marker:
            self._marked(out)
        return out

    def _fragment_unit(self, data: bytes, start: int, end: int, out: list[Unit]) -> None:
        if end - start < 3:
            raise self._malformed(f"FU-A of {end - start} bytes", out)
        flags = data[start + 1]
        if flags & 0x80:
            kind = flags & 0x1F
            first = bool(data[start + 2] & 0x80)
            header = bytes((data[start] & 0xE0 | kind,))
            self._start_fragment(header, data[start + 2 : end], _ROLES[kind], first, out)
        elif self._fragment >= 0:
            self._room -= end - start + PACKET_OVERHEAD
            if self._room < 0:
                self._overflow()
                return
            self._parts.append(data[start + 2 : end])
        elif _ROLES[flags & 0x1F] != DROP:
            self._damaged = self._chain_broken = True
            return
        if flags & 0x40:
            self._end_fragment()

    def _aggregate(self, data: bytes, at: int, end: int, out: list[Unit]) -> None:
        while at < end:
            start = at + 2
            if start >= end:
                raise self._malformed("STAP-A ends inside a length", out)
            at = start + (data[start - 2] << 8 | data[start - 1])
            if at > end or at == start:
                raise self._malformed(f"STAP-A with a NAL unit of {at - start} bytes", out)
            role = _ROLES[data[start] & 0x1F]
            self._whole(data[start:at], role, _is_first(data, start, at), out)

    def _carries_on(self, header: bytes) -> bytes:
        return bytes((header[0] & 0xE0 | FU_A, header[0] & 0x1F))

    def _is_parameter_set(self, header: bytes) -> bool:
        return header[0] & 0x1F in (h264.SPS, h264.PPS)

    def _is_complete(self, nals: Sequence[bytes]) -> bool:
        return {nal[0] & 0x1F for nal in nals} == {h264.SPS, h264.PPS}

    def _set_name(self, nal: bytes) -> tuple[int, int]:
        kind = nal[0] & 0x1F
        begin = 4 if kind == h264.SPS else 1
        try:
            return kind, BitReader(unescape(bytes(nal[begin : begin + 16]))).ue()
        except ParseError:
            return kind, 0


def _is_first(data: bytes, start: int, end: int) -> bool:
    """True where first_mb_in_slice is 0: its Exp-Golomb code is a single 1."""
    return start + 1 < end and data[start + 1] & 0x80 != 0

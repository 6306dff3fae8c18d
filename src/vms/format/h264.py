"""H.264: NAL unit types, sequence parameter sets, decoder configuration.

Sources: ITU-T H.264 (08/2021) 7.3, 7.4, Annex A, Annex E; ISO/IEC 14496-15 5.3; RFC 6381.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format.annexb import ranges
from vms.format.bits import BitReader, believable_rate, unescape

SLICE = 1
PARTITION_A = 2
IDR = 5
SEI = 6
SPS = 7
PPS = 8
AUD = 9
END_OF_SEQUENCE = 10
END_OF_STREAM = 11
FILLER = 12

MAX_SIDE = 16384
"""Widest and highest picture believed, in pixels."""
_MAX_SPS_BYTES = 4096
_HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
_INTRA_ONLY = frozenset((44, 86, 100, 110, 122, 244))
# Table A-1: MaxDpbMbs by level_idc.
_MAX_DPB_MBS = {
    9: 396, 10: 396, 11: 900, 12: 2376, 13: 2376, 20: 2376, 21: 4752, 22: 8100, 30: 8100,
    31: 18000, 32: 20480, 40: 32768, 41: 32768, 42: 34816, 50: 110400, 51: 184320, 52: 184320,
    60: 696320, 61: 696320, 62: 696320,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sps:
    """What the system wants to know of a sequence parameter set.

    `width` and `height` in pixels after cropping; `frame_rate` in pictures a second, 0.0
    where the camera does not say; `reorder_frames` is the most pictures that may precede
    another in decoding order and follow it in output (0: no B-frames), taken from the
    profile and level where the camera does not say.
    """

    profile_idc: int
    constraint_flags: int
    level_idc: int
    width: int
    height: int
    frame_rate: float
    reorder_frames: int
    poc_type: int
    identifier: int = 0


def nal_type(nal: bytes | memoryview) -> int:
    """The nal_unit_type; ParseError for an empty unit."""
    if not nal:
        raise ParseError("empty NAL unit")
    return nal[0] & 0x1F


def parse_sps(nal: bytes | memoryview) -> Sps:
    """Reads a sequence parameter set (with its NAL header, without start code)."""
    if nal_type(nal) != SPS:
        raise ParseError(f"NAL unit type {nal_type(nal)} is not a sequence parameter set")
    if len(nal) > _MAX_SPS_BYTES:
        raise ParseError(f"sequence parameter set of {len(nal)} bytes")
    bits = BitReader(unescape(bytes(nal[1:])))
    profile, constraints, level = bits.u(8), bits.u(8), bits.u(8)
    identifier = bits.ue_at_most(31, "seq_parameter_set_id")
    chroma_format, separate_planes = 1, False
    if profile in _HIGH_PROFILES:
        chroma_format, separate_planes = _chroma(bits)
    bits.ue_at_most(12, "log2_max_frame_num_minus4")
    poc_type = _picture_order(bits)
    bits.ue_at_most(16, "max_num_ref_frames")
    bits.skip(1)
    width_mbs = bits.ue_at_most(MAX_SIDE // 16 - 1, "pic_width_in_mbs_minus1") + 1
    height_units = bits.ue_at_most(MAX_SIDE // 16 - 1, "pic_height_in_map_units_minus1") + 1
    frame_mbs_only = bits.flag()
    if not frame_mbs_only:
        bits.skip(1)
    bits.skip(1)
    height_mbs = height_units * (1 if frame_mbs_only else 2)
    width, height = width_mbs * 16, height_mbs * 16
    if bits.flag():
        unit_x = 2 if chroma_format in (1, 2) and not separate_planes else 1
        unit_y = 2 if chroma_format == 1 and not separate_planes else 1
        unit_y *= 1 if frame_mbs_only else 2
        width -= unit_x * (bits.ue() + bits.ue())
        height -= unit_y * (bits.ue() + bits.ue())
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ParseError(f"picture of {width}x{height} pixels")
    frame_rate, reorder = _vui(bits) if bits.left and bits.flag() else (0.0, None)
    if reorder is None:
        reorder = _implied_reorder(profile, constraints, level, width_mbs * height_mbs, poc_type)
    return Sps(
        profile, constraints, level, width, height, frame_rate, reorder, poc_type, identifier
    )


def _chroma(bits: BitReader) -> tuple[int, bool]:
    chroma_format = bits.ue_at_most(3, "chroma_format_idc")
    separate_planes = chroma_format == 3 and bits.flag()
    bits.ue_at_most(6, "bit_depth_luma_minus8")
    bits.ue_at_most(6, "bit_depth_chroma_minus8")
    bits.skip(1)
    if bits.flag():
        for index in range(8 if chroma_format != 3 else 12):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma_format, separate_planes


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) & 0xFF
        last = following or last


def _picture_order(bits: BitReader) -> int:
    poc_type = bits.ue_at_most(2, "pic_order_cnt_type")
    if poc_type == 0:
        bits.ue_at_most(12, "log2_max_pic_order_cnt_lsb_minus4")
    elif poc_type == 1:
        bits.skip(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue_at_most(255, "num_ref_frames_in_pic_order_cnt_cycle")):
            bits.se()
    return poc_type


def _vui(bits: BitReader) -> tuple[float, int | None]:
    """(frame rate, max_num_reorder_frames or None) of the VUI parameters (E.1.1).

    Cameras cut the VUI short more often than anything before it: what is missing is unknown.
    """
    frame_rate = 0.0
    try:
        if bits.flag() and bits.u(8) == 255:
            bits.skip(32)
        if bits.flag():
            bits.skip(1)
        if bits.flag():
            bits.skip(4)
            if bits.flag():
                bits.skip(24)
        if bits.flag():
            bits.ue()
            bits.ue()
        if bits.flag():
            units, scale = bits.u(32), bits.u(32)
            bits.skip(1)
            frame_rate = believable_rate(scale, 2 * units)
        nal_hrd = bits.flag()
        if nal_hrd:
            _skip_hrd(bits)
        vcl_hrd = bits.flag()
        if vcl_hrd:
            _skip_hrd(bits)
        if nal_hrd or vcl_hrd:
            bits.skip(1)
        bits.skip(1)
        if not bits.flag():
            return frame_rate, None
        bits.skip(1)
        for _ in range(4):
            bits.ue()
        return frame_rate, bits.ue_at_most(16, "max_num_reorder_frames")
    except ParseError:
        return frame_rate, None


def _skip_hrd(bits: BitReader) -> None:
    count = bits.ue_at_most(31, "cpb_cnt_minus1") + 1
    bits.skip(8)
    for _ in range(count):
        bits.ue()
        bits.ue()
        bits.skip(1)
    bits.skip(20)


def _implied_reorder(profile: int, constraints: int, level: int, mbs: int, poc_type: int) -> int:
    """max_num_reorder_frames where the VUI does not say (E.2.1)."""
    intra_only = profile in _INTRA_ONLY and constraints & 0x10
    if profile == 66 or poc_type == 2 or intra_only:
        return 0
    if level == 11 and constraints & 0x10:
        level = 9
    return min(_MAX_DPB_MBS.get(level, 696320) // mbs, 16)


def parameter_sets_in(data: bytes | memoryview) -> tuple[bytes, ...]:
    """The parameter sets of an access unit of length-prefixed NAL units, in their order."""
    return tuple(bytes(data[a:b]) for a, b in ranges(data) if data[a] & 0x1F in (SPS, PPS))


def is_key(data: bytes | memoryview) -> bool:
    """True where the access unit holds an IDR picture."""
    return any(data[start] & 0x1F == IDR for start, _ in ranges(data))


def first_sps(parameter_sets: Sequence[bytes]) -> bytes:
    """The first sequence parameter set; ParseError where there is none."""
    for nal in parameter_sets:
        if nal and nal[0] & 0x1F == SPS:
            if len(nal) < 4:
                raise ParseError(f"sequence parameter set of {len(nal)} bytes")
            return nal
    raise ParseError("no sequence parameter set")


def may_have_b_frames(parameter_sets: Sequence[bytes]) -> bool:
    """True unless the parameter sets rule out that pictures are shown out of order."""
    return parse_sps(first_sps(parameter_sets)).reorder_frames > 0


def codec_string(parameter_sets: Sequence[bytes]) -> str:
    """The name browsers know, as `avc1.42E01F` (RFC 6381 3.3)."""
    return f"avc1.{first_sps(parameter_sets)[1:4].hex().upper()}"


def avcc(parameter_sets: Sequence[bytes]) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1) with lengths of four bytes."""
    first = first_sps(parameter_sets)
    sps = [nal for nal in parameter_sets if nal and nal[0] & 0x1F == SPS]
    pps = [nal for nal in parameter_sets if nal and nal[0] & 0x1F == PPS]
    if len(sps) > 31 or len(pps) > 255 or any(len(nal) > 0xFFFF for nal in (*sps, *pps)):
        raise ParseError(f"{len(sps)} SPS and {len(pps)} PPS do not fit a configuration record")
    out = bytearray((1, first[1], first[2], first[3], 0xFF, 0xE0 | len(sps)))
    for nal in sps:
        out += len(nal).to_bytes(2, "big") + nal
    out.append(len(pps))
    for nal in pps:
        out += len(nal).to_bytes(2, "big") + nal
    if first[1] in (100, 110, 122, 144):
        bits = BitReader(unescape(bytes(first[4:])))
        bits.ue()
        out += bytes((0xFC | bits.ue() & 3, 0xF8 | bits.ue() & 7, 0xF8 | bits.ue() & 7, 0))
    return bytes(out)


def parse_avcc(data: bytes) -> tuple[tuple[bytes, ...], int]:
    """(parameter sets, bytes of each length) of an AVCDecoderConfigurationRecord."""
    if len(data) < 7 or data[0] != 1:
        raise ParseError("not an AVCDecoderConfigurationRecord")
    sets: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        if at >= len(data):
            raise ParseError("AVCDecoderConfigurationRecord ends too early")
        count = data[at] & mask
        at += 1
        for _ in range(count):
            start = at + 2
            at = start + int.from_bytes(data[at:start], "big")
            if start >= at or at > len(data):
                raise ParseError("parameter set runs past the configuration record")
            sets.append(bytes(data[start:at]))
    return tuple(sets), (data[4] & 3) + 1


def parameters(parameter_sets: Sequence[bytes], fallback_fps: float = 0.0) -> CodecParameters:
    """Codec parameters with a clock of 90 kHz; ParseError where no SPS can be read."""
    sps = parse_sps(first_sps(parameter_sets))
    return CodecParameters(
        codec=Codec.H264,
        clock_rate=90_000,
        parameter_sets=tuple(parameter_sets),
        width=sps.width,
        height=sps.height,
        frame_rate=sps.frame_rate or fallback_fps,
    )

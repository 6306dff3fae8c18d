"""H.265: NAL unit types, parameter sets, decoder configuration.

Sources: ITU-T H.265 (08/2021) 7.3, 7.4, Annex E; ISO/IEC 14496-15 8.3 and Annex E.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format.annexb import ranges
from vms.format.bits import BitReader, believable_rate, unescape

FIRST_IRAP = 16
LAST_IRAP = 23
VPS = 32
SPS = 33
PPS = 34
AUD = 35
END_OF_SEQUENCE = 36
END_OF_BITSTREAM = 37
FILLER = 38
PREFIX_SEI = 39
SUFFIX_SEI = 40

MAX_SIDE = 16384
"""Widest and highest picture believed, in pixels."""
_MAX_SPS_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Sps:
    """What the system wants to know of a sequence parameter set.

    `width` and `height` in pixels inside the conformance window; `frame_rate` in pictures a
    second, 0.0 where the camera does not say; `level_idc` is 30 times the level;
    `compatibility` holds the 32 compatibility flags, `constraints` the 6 bytes behind them;
    `reorder_frames` as in H.264 (0: no B-frames shown out of order).
    """

    profile_space: int
    tier: int
    profile_idc: int
    compatibility: int
    constraints: bytes
    level_idc: int
    width: int
    height: int
    frame_rate: float
    reorder_frames: int
    chroma_format: int
    bit_depth_luma: int
    bit_depth_chroma: int
    sub_layers: int
    temporal_nesting: bool
    identifier: int = 0


def nal_type(nal: bytes | memoryview) -> int:
    """The nal_unit_type; ParseError for a unit shorter than its header."""
    if len(nal) < 2:
        raise ParseError(f"NAL unit of {len(nal)} bytes")
    return (nal[0] >> 1) & 0x3F


def parse_sps(nal: bytes | memoryview) -> Sps:
    """Reads a sequence parameter set (with its NAL header, without start code)."""
    if nal_type(nal) != SPS:
        raise ParseError(f"NAL unit type {nal_type(nal)} is not a sequence parameter set")
    if len(nal) > _MAX_SPS_BYTES:
        raise ParseError(f"sequence parameter set of {len(nal)} bytes")
    bits = BitReader(unescape(bytes(nal[2:])))
    bits.skip(4)
    sub_layers = bits.u(3) + 1
    nesting = bits.flag()
    space, tier, profile = bits.u(2), bits.u(1), bits.u(5)
    compatibility = bits.u(32)
    constraints = bits.u(48).to_bytes(6, "big")
    level = bits.u(8)
    _skip_sub_layer_levels(bits, sub_layers)
    identifier = bits.ue_at_most(15, "sps_seq_parameter_set_id")
    chroma = bits.ue_at_most(3, "chroma_format_idc")
    separate_planes = chroma == 3 and bits.flag()
    width = bits.ue_at_most(MAX_SIDE, "pic_width_in_luma_samples")
    height = bits.ue_at_most(MAX_SIDE, "pic_height_in_luma_samples")
    if bits.flag():
        unit_x = 2 if chroma in (1, 2) and not separate_planes else 1
        unit_y = 2 if chroma == 1 and not separate_planes else 1
        width -= unit_x * (bits.ue() + bits.ue())
        height -= unit_y * (bits.ue() + bits.ue())
    if width <= 0 or height <= 0:
        raise ParseError(f"picture of {width}x{height} pixels")
    depth_luma = bits.ue_at_most(8, "bit_depth_luma_minus8") + 8
    depth_chroma = bits.ue_at_most(8, "bit_depth_chroma_minus8") + 8
    poc_bits = bits.ue_at_most(12, "log2_max_pic_order_cnt_lsb_minus4") + 4
    reorder = _reorder(bits, sub_layers)
    try:
        frame_rate = _rate_behind_tools(bits, chroma, sub_layers, poc_bits)
    except ParseError:
        frame_rate = 0.0
    return Sps(
        space, tier, profile, compatibility, constraints, level, width, height, frame_rate,
        reorder, chroma, depth_luma, depth_chroma, sub_layers, nesting, identifier,
    )  # fmt: skip


def _skip_sub_layer_levels(bits: BitReader, sub_layers: int) -> None:
    present = [(bits.flag(), bits.flag()) for _ in range(sub_layers - 1)]
    if sub_layers > 1:
        bits.skip(2 * (8 - (sub_layers - 1)))
    for profile_present, level_present in present:
        bits.skip((88 if profile_present else 0) + (8 if level_present else 0))


def _reorder(bits: BitReader, sub_layers: int) -> int:
    reorder = 0
    for _ in range(sub_layers if bits.flag() else 1):
        bits.ue_at_most(16, "sps_max_dec_pic_buffering_minus1")
        reorder = bits.ue_at_most(16, "sps_max_num_reorder_pics")
        bits.ue()
    return reorder


def _rate_behind_tools(bits: BitReader, chroma: int, sub_layers: int, poc_bits: int) -> float:
    """The frame rate in the VUI, which stands behind all coding tools (7.3.2.2)."""
    for _ in range(6):
        bits.ue()
    if bits.flag() and bits.flag():
        _skip_scaling_lists(bits)
    bits.skip(2)
    if bits.flag():
        bits.skip(8)
        bits.ue()
        bits.ue()
        bits.skip(1)
    _skip_short_term_sets(bits)
    if bits.flag():
        bits.skip((poc_bits + 1) * bits.ue_at_most(32, "num_long_term_ref_pics_sps"))
    bits.skip(2)
    return _vui_rate(bits) if bits.flag() else 0.0


def _skip_scaling_lists(bits: BitReader) -> None:
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.flag():
                bits.ue()
                continue
            if size > 1:
                bits.se()
            for _ in range(min(64, 1 << (4 + (size << 1)))):
                bits.se()


def _skip_short_term_sets(bits: BitReader) -> None:
    """st_ref_pic_set (7.3.7) for each index; only the picture counts matter for skipping."""
    counts: list[int] = []
    for index in range(bits.ue_at_most(64, "num_short_term_ref_pic_sets")):
        if index and bits.flag():
            bits.skip(1)
            bits.ue()
            kept = 0
            for _ in range(counts[index - 1] + 1):
                kept += 1 if bits.flag() or bits.flag() else 0
            counts.append(kept)
            if kept > 16:
                raise ParseError(f"reference picture set of {kept} pictures")
        else:
            count = bits.ue_at_most(16, "num_negative_pics")
            count += bits.ue_at_most(16, "num_positive_pics")
            for _ in range(count):
                bits.ue()
                bits.skip(1)
            counts.append(count)


def _vui_rate(bits: BitReader) -> float:
    """Pictures a second from the VUI timing (E.2.1), 0.0 where there is none."""
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
    bits.skip(3)
    if bits.flag():
        for _ in range(4):
            bits.ue()
    return _timing(bits) if bits.flag() else 0.0


def _timing(bits: BitReader) -> float:
    units, scale = bits.u(32), bits.u(32)
    return believable_rate(scale, units)


def _vps_rate(nal: bytes) -> float:
    """Pictures a second from the timing of a video parameter set (7.3.2.1), or 0.0."""
    try:
        bits = BitReader(unescape(bytes(nal[2:_MAX_SPS_BYTES])))
        bits.skip(12)
        sub_layers = bits.u(3) + 1
        bits.skip(17 + 96)
        _skip_sub_layer_levels(bits, sub_layers)
        _reorder(bits, sub_layers)
        layers = bits.u(6) + 1
        bits.skip(layers * bits.ue_at_most(1023, "vps_num_layer_sets_minus1"))
        return _timing(bits) if bits.flag() else 0.0
    except ParseError:
        return 0.0


def parameter_sets_in(data: bytes | memoryview) -> tuple[bytes, ...]:
    """The parameter sets of an access unit of length-prefixed NAL units, in their order."""
    return tuple(bytes(data[a:b]) for a, b in ranges(data) if VPS <= (data[a] >> 1) & 0x3F <= PPS)


def is_key(data: bytes | memoryview) -> bool:
    """True where the access unit holds a picture that decoding can start at (IRAP)."""
    return any(FIRST_IRAP <= (data[start] >> 1) & 0x3F <= LAST_IRAP for start, _ in ranges(data))


def _of_type(parameter_sets: Sequence[bytes], kind: int) -> list[bytes]:
    return [nal for nal in parameter_sets if len(nal) >= 2 and nal_type(nal) == kind]


def first_sps(parameter_sets: Sequence[bytes]) -> bytes:
    """The first sequence parameter set; ParseError where there is none."""
    found = _of_type(parameter_sets, SPS)
    if not found:
        raise ParseError("no sequence parameter set")
    return found[0]


def may_have_b_frames(parameter_sets: Sequence[bytes]) -> bool:
    """True unless the parameter sets rule out that pictures are shown out of order."""
    return parse_sps(first_sps(parameter_sets)).reorder_frames > 0


def codec_string(parameter_sets: Sequence[bytes]) -> str:
    """The name browsers know, as `hvc1.1.6.L93.B0` (ISO/IEC 14496-15 Annex E.3)."""
    sps = parse_sps(first_sps(parameter_sets))
    space = ("", "A", "B", "C")[sps.profile_space]
    flags = int(f"{sps.compatibility:032b}"[::-1], 2)
    parts = [
        "hvc1",
        f"{space}{sps.profile_idc}",
        f"{flags:X}",
        f"{'H' if sps.tier else 'L'}{sps.level_idc}",
    ]
    parts += [f"{byte:X}" for byte in sps.constraints.rstrip(b"\x00")]
    return ".".join(parts)


def hvcc(parameter_sets: Sequence[bytes]) -> bytes:
    """HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1), lengths of four bytes."""
    sps = parse_sps(first_sps(parameter_sets))
    out = bytearray((1, sps.profile_space << 6 | sps.tier << 5 | sps.profile_idc))
    out += sps.compatibility.to_bytes(4, "big") + sps.constraints
    out += bytes((sps.level_idc, 0xF0, 0, 0xFC, 0xFC | sps.chroma_format))
    out += bytes((0xF8 | sps.bit_depth_luma - 8, 0xF8 | sps.bit_depth_chroma - 8, 0, 0))
    out.append(min(sps.sub_layers, 7) << 3 | int(sps.temporal_nesting) << 2 | 3)
    arrays = [(kind, _of_type(parameter_sets, kind)) for kind in (VPS, SPS, PPS)]
    arrays = [(kind, nals) for kind, nals in arrays if nals]
    out.append(len(arrays))
    for kind, nals in arrays:
        out += bytes((0x80 | kind,)) + len(nals).to_bytes(2, "big")
        for nal in nals:
            if len(nal) > 0xFFFF:
                raise ParseError(f"parameter set of {len(nal)} bytes")
            out += len(nal).to_bytes(2, "big") + nal
    return bytes(out)


def parse_hvcc(data: bytes) -> tuple[tuple[bytes, ...], int]:
    """(parameter sets, bytes of each length) of an HEVCDecoderConfigurationRecord."""
    if len(data) < 23 or data[0] != 1:
        raise ParseError("not an HEVCDecoderConfigurationRecord")
    sets: list[bytes] = []
    at = 23
    for _ in range(data[22]):
        if at + 3 > len(data):
            raise ParseError("HEVCDecoderConfigurationRecord ends too early")
        kind, count = data[at] & 0x3F, int.from_bytes(data[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            start = at + 2
            at = start + int.from_bytes(data[at:start], "big")
            if start >= at or at > len(data):
                raise ParseError("parameter set runs past the configuration record")
            if VPS <= kind <= PPS:
                sets.append(bytes(data[start:at]))
    return tuple(sets), (data[21] & 3) + 1


def parameters(parameter_sets: Sequence[bytes], fallback_fps: float = 0.0) -> CodecParameters:
    """Codec parameters with a clock of 90 kHz; ParseError where no SPS can be read."""
    sps = parse_sps(first_sps(parameter_sets))
    rates = (sps.frame_rate, *(_vps_rate(nal) for nal in _of_type(parameter_sets, VPS)))
    return CodecParameters(
        codec=Codec.H265,
        clock_rate=90_000,
        parameter_sets=tuple(parameter_sets),
        width=sps.width,
        height=sps.height,
        frame_rate=next((rate for rate in rates if rate), fallback_fps),
    )

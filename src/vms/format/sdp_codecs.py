"""Codec parameters from a media description, and a media description from them.

Sources: RFC 6184 8.1 (H.264), RFC 7798 7.1 (H.265), RFC 3640 4.1 (AAC), RFC 7587 7 (Opus),
RFC 3551 (G.711).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format import aac, h264, h265
from vms.format.sdp import STATIC_FORMATS, Media, RtpMap

_NAMES = {
    "H264": Codec.H264,
    "H265": Codec.H265,
    "HEVC": Codec.H265,
    "MPEG4-GENERIC": Codec.AAC,
    "PCMU": Codec.PCMU,
    "PCMA": Codec.PCMA,
    "OPUS": Codec.OPUS,
}
_MAX_PARAMETER_SETS = 64


def select_format(media: Media) -> tuple[int, CodecParameters] | None:
    """(payload type, codec parameters) of the first format that is known here, or None.

    Parameter sets that are missing or damaged in the description leave size 0: they then
    come in band.
    """
    for number in media.payload_types():
        entry = media.rtpmap.get(number) or STATIC_FORMATS.get(number)
        codec = _NAMES.get(entry.name.upper()) if entry else None
        if entry is None or codec is None or codec.medium.value != media.kind.lower():
            continue
        try:
            found = _parameters(codec, entry, media.fmtp.get(number, {}), _frame_rate(media))
        except ParseError:
            continue
        return number, found
    return None


def codec_parameters(media: Media) -> CodecParameters | None:
    """The codec parameters of `select_format`."""
    found = select_format(media)
    return found[1] if found else None


def _parameters(
    codec: Codec, entry: RtpMap, fmtp: dict[str, str], frame_rate: float
) -> CodecParameters:
    match codec:
        case Codec.H264:
            nals = _decoded(fmtp.get("sprop-parameter-sets", ""))
            return _video(codec, entry.rate, nals, frame_rate)
        case Codec.H265:
            names = ("sprop-vps", "sprop-sps", "sprop-pps")
            nals = [nal for name in names for nal in _decoded(fmtp.get(name, ""))]
            return _video(codec, entry.rate, nals, frame_rate)
        case Codec.AAC:
            return aac.parameters(_aac_config(fmtp, entry), entry.rate)
        case _:
            return CodecParameters(codec, entry.rate, channels=entry.channels)


def _video(codec: Codec, rate: int, nals: list[bytes], frame_rate: float) -> CodecParameters:
    room = h264 if codec is Codec.H264 else h265
    try:
        read = room.parameters(nals, frame_rate)
    except ParseError:
        return CodecParameters(codec, rate, frame_rate=frame_rate)
    return CodecParameters(
        codec, rate, read.parameter_sets, read.width, read.height, read.frame_rate
    )


def _decoded(text: str) -> list[bytes]:
    nals: list[bytes] = []
    for part in text.split(",")[:_MAX_PARAMETER_SETS]:
        piece = part.strip().encode("ascii", "replace")
        try:
            nal = base64.b64decode(piece + b"=" * (-len(piece) % 4))
        except binascii.Error:
            continue
        while nal.startswith(b"\x00"):
            nal = nal.lstrip(b"\x00").removeprefix(b"\x01")
        if len(nal) > 2:
            nals.append(nal)
    return nals


def _aac_config(fmtp: dict[str, str], entry: RtpMap) -> bytes:
    try:
        config = bytes.fromhex(fmtp.get("config", ""))
    except ValueError as error:
        raise ParseError("AAC config is not hexadecimal") from error
    return config[:64] or aac.build_config(entry.rate, entry.channels)


def _frame_rate(media: Media) -> float:
    for name in ("framerate", "x-framerate"):
        text = media.attribute(name) or ""
        try:
            rate = float(text[:16])
        except ValueError:
            continue
        if 0.0 < rate <= 1000.0:
            return rate
    return 0.0


def media_for(parameters: CodecParameters, payload_type: int, control: str = "") -> Media:
    """A media description over RTP/AVP with one format; ParseError without parameter sets."""
    codec = parameters.codec
    name = {Codec.AAC: "MPEG4-GENERIC", Codec.OPUS: "opus"}.get(codec, codec.value.upper())
    channels = parameters.channels or 1 if codec.medium.value == "audio" else 1
    if codec is Codec.OPUS:
        channels = 2
    fmtp = _fmtp_of(parameters)
    attributes: tuple[tuple[str, str | None], ...] = ()
    if parameters.frame_rate:
        attributes = (("framerate", f"{parameters.frame_rate:g}"),)
    return Media(
        kind=codec.medium.value,
        port=0,
        protocol="RTP/AVP",
        formats=(str(payload_type),),
        rtpmap={payload_type: RtpMap(name, parameters.clock_rate, channels)},
        fmtp={payload_type: fmtp} if fmtp else {},
        control=control,
        attributes=attributes,
    )


def _fmtp_of(parameters: CodecParameters) -> dict[str, str]:
    sets = parameters.parameter_sets
    match parameters.codec:
        case Codec.H264:
            return {
                "packetization-mode": "1",
                "profile-level-id": h264.first_sps(sets)[1:4].hex().upper(),
                "sprop-parameter-sets": _encoded(sets),
            }
        case Codec.H265:
            kinds = (("sprop-vps", h265.VPS), ("sprop-sps", h265.SPS), ("sprop-pps", h265.PPS))
            return {
                name: _encoded(nal for nal in sets if h265.nal_type(nal) == kind)
                for name, kind in kinds
            }
        case Codec.AAC:
            return {
                "streamtype": "5",
                "profile-level-id": "1",
                "mode": "AAC-hbr",
                "sizelength": "13",
                "indexlength": "3",
                "indexdeltalength": "3",
                "config": parameters.config.hex(),
            }
        case _:
            return {}


def _encoded(nals: Iterable[bytes]) -> str:
    return ",".join(base64.b64encode(nal).decode() for nal in nals)

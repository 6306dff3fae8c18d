"""Matroska TrackEntry elements from CodecParameters, and back.

Codec mappings: https://www.matroska.org/technical/codec_specs.html. H.264 and H.265 carry
their avcC/hvcC record, AAC its AudioSpecificConfig, Opus an OpusHead (RFC 7845, 5.1), and
G.711 a WAVEFORMATEX under A_MS/ACM.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters, Medium
from vms.format import h264, h265
from vms.format import mkv_ebml as ebml

_CODEC_IDS = {
    Codec.H264: "V_MPEG4/ISO/AVC",
    Codec.H265: "V_MPEGH/ISO/HEVC",
    Codec.AAC: "A_AAC",
    Codec.OPUS: "A_OPUS",
    Codec.PCMU: "A_MS/ACM",
    Codec.PCMA: "A_MS/ACM",
}
_WAVE_FORMATS = {Codec.PCMA: 6, Codec.PCMU: 7}
_WAVE = struct.Struct("<HHIIHHH")
_VIDEO_CLOCK = 90_000
_MAX_TRACKS = 64
_MAX_SIDE = 32_767
_MAX_CHANNELS = 255


def tracks_element(tracks: Sequence[CodecParameters]) -> bytes:
    """The Tracks element; a track's number is its place in `tracks`, from 1.

    Raises ParseError where parameter sets cannot be put into a codec record.
    """
    return ebml.element(ebml.TRACKS, *(_entry(n, t) for n, t in enumerate(tracks, 1)))


def _entry(number: int, track: CodecParameters) -> bytes:
    video = track.medium is Medium.VIDEO
    parts = [
        ebml.unsigned(ebml.TRACK_NUMBER, number),
        ebml.unsigned(ebml.TRACK_UID, number),
        ebml.unsigned(ebml.TRACK_TYPE, 1 if video else 2),
        ebml.unsigned(ebml.FLAG_LACING, 0),
        ebml.text(ebml.LANGUAGE, "und"),
        ebml.text(ebml.CODEC_ID, _CODEC_IDS[track.codec]),
    ]
    private = codec_private(track)
    if private:
        parts.append(ebml.element(ebml.CODEC_PRIVATE, private))
    if video:
        parts.append(
            ebml.element(
                ebml.VIDEO,
                ebml.unsigned(ebml.PIXEL_WIDTH, track.width),
                ebml.unsigned(ebml.PIXEL_HEIGHT, track.height),
            )
        )
        return ebml.element(ebml.TRACK_ENTRY, *parts)
    if track.codec is Codec.OPUS:
        # A decoder that starts anywhere needs 80 ms to settle (RFC 7845, 4.6).
        parts.append(ebml.unsigned(ebml.CODEC_DELAY, 0))
        parts.append(ebml.unsigned(ebml.SEEK_PRE_ROLL, 80_000_000))
    audio = [
        ebml.real(ebml.SAMPLING_FREQUENCY, float(track.clock_rate)),
        ebml.unsigned(ebml.CHANNELS, _channels(track)),
    ]
    if track.codec in _WAVE_FORMATS:
        audio.append(ebml.unsigned(ebml.BIT_DEPTH, 8))
    parts.append(ebml.element(ebml.AUDIO, *audio))
    return ebml.element(ebml.TRACK_ENTRY, *parts)


def _channels(track: CodecParameters) -> int:
    return track.channels or (2 if track.codec is Codec.OPUS else 1)


def codec_private(track: CodecParameters) -> bytes:
    """What a decoder of `track` must have before its first block."""
    if track.codec is Codec.H264:
        return h264.avcc(track.parameter_sets)
    if track.codec is Codec.H265:
        return h265.hvcc(track.parameter_sets)
    if track.codec is Codec.AAC:
        return track.config
    channels = _channels(track)
    if track.codec is Codec.OPUS:
        return b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 0, track.clock_rate, 0, 0)
    rate = track.clock_rate
    return _WAVE.pack(_WAVE_FORMATS[track.codec], channels, rate, rate * channels, channels, 8, 0)


def parse_tracks(body: bytes) -> dict[int, CodecParameters]:
    """Track number to parameters; tracks of codecs that are not ours are left out.

    Raises ParseError.
    """
    found: dict[int, CodecParameters] = {}
    for element_id, entry in ebml.children(body):
        if element_id != ebml.TRACK_ENTRY:
            continue
        if len(found) >= _MAX_TRACKS:
            raise ParseError(f"more than {_MAX_TRACKS} tracks")
        fields = dict(ebml.children(entry))
        number = ebml.to_unsigned(fields.get(ebml.TRACK_NUMBER, b""))
        if not 0 < number < 128 or number in found:
            raise ParseError(f"{number} cannot be a track's number")
        track = _parse_entry(fields)
        if track is not None:
            found[number] = track
    return found


def _parse_entry(fields: dict[int, bytes]) -> CodecParameters | None:
    codec_id = ebml.to_text(fields.get(ebml.CODEC_ID, b""))
    private = fields.get(ebml.CODEC_PRIVATE, b"")
    if codec_id in ("V_MPEG4/ISO/AVC", "V_MPEGH/ISO/HEVC"):
        video = dict(ebml.children(fields.get(ebml.VIDEO, b"")))
        if codec_id == "V_MPEG4/ISO/AVC":
            codec, (sets, length_size) = Codec.H264, h264.parse_avcc(private)
        else:
            codec, (sets, length_size) = Codec.H265, h265.parse_hvcc(private)
        if length_size != 4:
            raise ParseError(f"NAL units behind lengths of {length_size} bytes, not 4")
        width, height = (
            ebml.to_unsigned(video.get(which, b""))
            for which in (ebml.PIXEL_WIDTH, ebml.PIXEL_HEIGHT)
        )
        if width > _MAX_SIDE or height > _MAX_SIDE:
            raise ParseError(f"a picture of {width} by {height}")
        return CodecParameters(
            codec, _VIDEO_CLOCK, parameter_sets=tuple(sets), width=width, height=height
        )
    audio = dict(ebml.children(fields.get(ebml.AUDIO, b"")))
    rate = ebml.to_real(audio.get(ebml.SAMPLING_FREQUENCY, b""))
    channels = ebml.to_unsigned(audio.get(ebml.CHANNELS, b"\x01"))
    if channels > _MAX_CHANNELS:
        raise ParseError(f"{channels} audio channels")
    if codec_id == "A_AAC":
        return CodecParameters(Codec.AAC, _rate(rate), config=private, channels=channels)
    if codec_id == "A_OPUS":
        return CodecParameters(Codec.OPUS, 48_000, channels=channels)
    if codec_id == "A_MS/ACM" and len(private) >= _WAVE.size:
        wave, channels, hertz, *_ = _WAVE.unpack_from(private)
        for codec, number in _WAVE_FORMATS.items():
            if wave == number:
                return CodecParameters(codec, _rate(hertz), channels=channels)
    return None


def _rate(value: float) -> int:
    if not 1000 <= value <= 768_000:
        raise ParseError(f"{value} is not a sampling rate")
    return int(value)

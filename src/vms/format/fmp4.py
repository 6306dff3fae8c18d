"""Fragmented MP4 (ISO/IEC 14496-12) built by hand: one init segment, then fragments.

A track is named by its track ID: its place in the list given to `init_segment`, counted
from 1. Times are ticks of the track's timescale. A fragment is one `moof` and one `mdat`
and costs a few microseconds, so that every picture can be one.

Sample entries: `avc1` (ISO/IEC 14496-15), `hvc1` (14496-15), `mp4a` (14496-14), `Opus`
(Encapsulation of Opus in ISO BMFF), `ulaw` and `alaw` (QuickTime), and `vp09` (what this
system encodes itself). Video samples are NAL units behind lengths of 4 bytes, or VP9 frames.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters, Medium
from vms.format import aac, h264, h265, vp9
from vms.format.vp9 import Vp9Parameters

_SYNC = 0x02000000
_NOT_SYNC = 0x01010000
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_BOX = struct.Struct(">I4s")

Track = CodecParameters | Vp9Parameters

PLAYABLE = frozenset({Codec.H264, Codec.H265, Codec.AAC, Codec.OPUS})
"""The codecs that have a sample entry here and that browsers play."""
STORABLE = PLAYABLE | {Codec.PCMU, Codec.PCMA}
"""With those that have one, though few browsers play them."""
_G711 = {Codec.PCMU: b"ulaw", Codec.PCMA: b"alaw"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One encoded picture or audio frame. Times in ticks of the track's timescale.

    `composition_offset` is presentation time minus decoding time, signed.
    """

    data: bytes
    duration: int
    key: bool
    composition_offset: int = 0


def init_segment(
    tracks: Sequence[Track], timescales: Sequence[int] | None = None, duration_ms: int = 0
) -> bytes:
    """`ftyp` and `moov` for `tracks`. A timescale left out is the track's clock rate.

    `duration_ms` is that of all fragments to come, 0 where it is not known.

    Raises ParseError where a track lacks what its sample entry needs (parameter sets,
    AudioSpecificConfig) or has a codec that MP4 does not carry here.
    """
    if not tracks:
        raise ParseError("an MP4 needs at least one track")
    scales = list(timescales) if timescales is not None else [t.clock_rate for t in tracks]
    if len(scales) != len(tracks):
        raise ParseError(f"{len(tracks)} tracks but {len(scales)} timescales")
    traks = [
        _trak(i, track, scale)
        for i, (track, scale) in enumerate(zip(tracks, scales, strict=True), 1)
    ]
    trexs = [
        full(b"trex", 0, 0, struct.pack(">5I", i, 1, 0, 0, 0)) for i in range(1, len(tracks) + 1)
    ]
    mvhd = full(
        b"mvhd",
        0,
        0,
        struct.pack(">5I2H2I", 0, 0, 1000, 0, 0x10000, 0x100, 0, 0, 0),
        _MATRIX,
        bytes(24),
        struct.pack(">I", len(tracks) + 1),
    )
    ftyp = box(b"ftyp", b"iso6", struct.pack(">I", 1), b"iso6", b"isom", b"mp41")
    if duration_ms:
        trexs.insert(0, full(b"mehd", 1, 0, struct.pack(">Q", duration_ms)))
    return ftyp + box(b"moov", mvhd, *traks, box(b"mvex", *trexs))


def segment_index(timescale: int, references: Iterable[tuple[int, int]]) -> bytes:
    """A `sidx` for what follows it: (bytes, ticks) of each part, at most 65,535 of them, all
    beginning with a key picture of the first track."""
    entries = [struct.pack(">III", size, ticks, 0x90000000) for size, ticks in references]
    head = struct.pack(">IIQQHH", 1, timescale, 0, 0, 0, len(entries))
    return full(b"sidx", 1, 0, head, *entries)


def padding(size: int) -> bytes:
    """A `free` box of `size` bytes, at least 8, or nothing for 0."""
    return _BOX.pack(size, b"free") + bytes(size - 8) if size else b""


def mime_type(tracks: Iterable[Track]) -> str:
    """What MediaSource.isTypeSupported wants, like `video/mp4; codecs="avc1.42E01F"`."""
    listed = list(tracks)
    kind = "video" if any(t.medium is Medium.VIDEO for t in listed) else "audio"
    return f'{kind}/mp4; codecs="{", ".join(map(codec_string, listed))}"'


def codec_string(track: Track) -> str:
    """RFC 6381 name of a track's encoding. Raises ParseError as `init_segment` does."""
    if isinstance(track, Vp9Parameters):
        return vp9.codec_string(track)
    if track.codec is Codec.H264:
        return h264.codec_string(track.parameter_sets)
    if track.codec is Codec.H265:
        return h265.codec_string(track.parameter_sets)
    if track.codec is Codec.AAC:
        return aac.codec_string(track.config)
    if track.codec is Codec.OPUS:
        return "opus"
    if track.codec in _G711:
        return _G711[track.codec].decode()
    raise ParseError(f"{track.codec} has no place in an MP4 here")


_ONE_SAMPLE = struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIIi III I4s")
_ONE_SAMPLE_OFFSET = struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIIi IIIi I4s")


def fragment(
    sequence: int,
    track: int,
    base_decode_time: int,
    duration: int,
    data: bytes,
    key: bool,
    composition_offset: int = 0,
) -> bytes:
    """One sample as `moof` and `mdat`. `sequence` counts fragments from 1."""
    size = len(data)
    flags = _SYNC if key else _NOT_SYNC
    if composition_offset:
        head = _ONE_SAMPLE_OFFSET.pack(
            104, b"moof", 16, b"mfhd", 0, sequence & 0xFFFFFFFF, 80, b"traf",
            16, b"tfhd", 0x020000, track, 20, b"tfdt", 0x01000000, base_decode_time,
            36, b"trun", 0x01000F01, 1, 112, duration, size, flags, composition_offset,
            size + 8, b"mdat",
        )  # fmt: skip
    else:
        head = _ONE_SAMPLE.pack(
            100, b"moof", 16, b"mfhd", 0, sequence & 0xFFFFFFFF, 76, b"traf",
            16, b"tfhd", 0x020000, track, 20, b"tfdt", 0x01000000, base_decode_time,
            32, b"trun", 0x01000701, 1, 108, duration, size, flags,
            size + 8, b"mdat",
        )  # fmt: skip
    return head + data


_SAMPLE = struct.Struct(">IIIi")
_PLAIN_SAMPLE = struct.Struct(">II")


def fragment_samples(
    sequence: int, track: int, base_decode_time: int, samples: Sequence[Sample]
) -> bytes:
    """Several samples in decoding order as one `moof` and `mdat`."""
    fields = 0x01000F01
    if all(s.key and not s.composition_offset for s in samples):
        # As in audio: what `trex` says of every sample, that it is one to begin with, holds.
        fields = 0x01000301
        table = b"".join(_PLAIN_SAMPLE.pack(s.duration, len(s.data)) for s in samples)
    else:
        table = b"".join(
            _SAMPLE.pack(
                s.duration, len(s.data), _SYNC if s.key else _NOT_SYNC, s.composition_offset
            )
            for s in samples
        )
    trun_size = 20 + len(table)
    traf_size = 44 + trun_size
    moof_size = 24 + traf_size
    head = struct.pack(
        ">I4sI4sII I4s I4sII I4sIQ I4sIIi",
        moof_size, b"moof", 16, b"mfhd", 0, sequence & 0xFFFFFFFF, traf_size, b"traf",
        16, b"tfhd", 0x020000, track, 20, b"tfdt", 0x01000000, base_decode_time,
        trun_size, b"trun", fields, len(samples), moof_size + 8,
    )  # fmt: skip
    body = [s.data for s in samples]
    return b"".join((head, table, _BOX.pack(8 + sum(map(len, body)), b"mdat"), *body))


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of that type around `parts`."""
    body = b"".join(parts)
    return _BOX.pack(8 + len(body), kind) + body


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with a version and flags ahead of `parts`."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _trak(number: int, track: Track, timescale: int) -> bytes:
    one = struct.pack(">I", 1)
    stbl = box(
        b"stbl",
        full(b"stsd", 0, 0, one, sample_entry(track)),
        full(b"stts", 0, 0, bytes(4)),
        full(b"stsc", 0, 0, bytes(4)),
        full(b"stsz", 0, 0, bytes(8)),
        full(b"stco", 0, 0, bytes(4)),
    )
    return box(b"trak", track_header(number, track), media_boxes(track, timescale, 0, stbl))


def track_header(number: int, track: Track, duration: int = 0) -> bytes:
    """`tkhd`; `duration` in ticks of the movie, 0 in a fragmented file."""
    video = track.medium is Medium.VIDEO
    return full(
        b"tkhd",
        0 if duration < 1 << 32 else 1,
        3,
        struct.pack(">5I" if duration < 1 << 32 else ">QQIIQ", 0, 0, number, 0, duration),
        bytes(8),
        struct.pack(">hhHH", 0, 0, 0 if video else 0x100, 0),
        _MATRIX,
        struct.pack(">II", track.width << 16, track.height << 16) if video else bytes(8),
    )


def media_boxes(track: Track, timescale: int, duration: int, stbl: bytes) -> bytes:
    """`mdia` around the sample table; `duration` in ticks, 0 in a fragmented file."""
    video = track.medium is Medium.VIDEO
    large = duration >= 1 << 32
    mdhd = full(
        b"mdhd",
        1 if large else 0,
        0,
        struct.pack(">QQIQHH" if large else ">IIIIHH", 0, 0, timescale, duration, 0x55C4, 0),
    )
    handler = b"vide" if video else b"soun"
    hdlr = full(b"hdlr", 0, 0, bytes(4), handler, bytes(12), b"vms\0")
    header = full(b"vmhd", 0, 1, bytes(8)) if video else full(b"smhd", 0, 0, bytes(4))
    dinf = box(b"dinf", full(b"dref", 0, 0, struct.pack(">I", 1), full(b"url ", 0, 1)))
    return box(b"mdia", mdhd, hdlr, box(b"minf", header, dinf, stbl))


def sample_entry(track: Track) -> bytes:
    """What stands in `stsd` for the track. Raises ParseError as `init_segment` does."""
    if isinstance(track, Vp9Parameters):
        return _visual(b"vp09", track, box(b"vpcC", vp9.vpcc(track)))
    if track.codec is Codec.H264:
        return _visual(b"avc1", track, box(b"avcC", h264.avcc(track.parameter_sets)))
    if track.codec is Codec.H265:
        return _visual(b"hvc1", track, box(b"hvcC", h265.hvcc(track.parameter_sets)))
    if track.codec is Codec.AAC:
        return _mp4a(track)
    if track.codec is Codec.OPUS:
        channels = track.channels or 2
        dops = struct.pack(">BBHIhB", 0, channels, 0, track.clock_rate, 0, 0)
        return _audio(b"Opus", channels, 48000, box(b"dOps", dops))
    if track.codec in _G711:
        return _audio(_G711[track.codec], track.channels or 1, track.clock_rate, b"")
    raise ParseError(f"{track.codec} has no place in an MP4 here")


def _visual(kind: bytes, track: Track, config: bytes) -> bytes:
    return box(
        kind,
        bytes(6),
        struct.pack(">H16xHHIII", 1, track.width, track.height, 0x480000, 0x480000, 0),
        struct.pack(">H32xHh", 1, 24, -1),
        config,
    )


def _audio(kind: bytes, channels: int, rate: int, config: bytes) -> bytes:
    # The field for the rate has 16 bits before its point; a higher rate is left 0, as
    # players take it from the codec's own configuration.
    shown = rate << 16 if rate < 0x10000 else 0
    entry = struct.pack(">6xH8xHHHHI", 1, channels, 16, 0, 0, shown)
    return box(kind, entry, config)


def _mp4a(track: CodecParameters) -> bytes:
    if not track.config:
        raise ParseError("AAC without its AudioSpecificConfig cannot be put into an MP4")
    specific = _descriptor(0x05, track.config)
    # Object type 0x40 (AAC), stream type audio, no buffer size or bit rate known.
    decoder = _descriptor(0x04, struct.pack(">BB3xII", 0x40, 0x15, 0, 0), specific)
    es = _descriptor(0x03, struct.pack(">HB", 0, 0), decoder, _descriptor(0x06, b"\x02"))
    return _audio(b"mp4a", track.channels or 2, track.clock_rate, full(b"esds", 0, 0, es))


def _descriptor(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) > 127:
        raise ParseError("an AudioSpecificConfig of more than 64 bytes is not one")
    return bytes((tag, len(body))) + body

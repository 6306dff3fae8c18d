"""From packets of FFmpeg to access units: NAL units behind lengths, ticks of our clocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters, Medium
from vms.format import aac, h264, h265
from vms.format.annexb import split_annexb, split_length_prefixed, to_length_prefixed

_CODECS = {
    "h264": Codec.H264,
    "hevc": Codec.H265,
    "aac": Codec.AAC,
    "pcm_mulaw": Codec.PCMU,
    "pcm_alaw": Codec.PCMA,
    "opus": Codec.OPUS,
}
_NS = 1_000_000_000
_ADTS_SHORT, _ADTS_LONG = 7, 9
_OPUS_RATE = 48_000


@dataclass(slots=True)
class AvUnit:
    """What `UnitSink.unit` takes, but for the track."""

    parameters: CodecParameters
    data: bytes
    ticks: int
    key: bool
    damaged: bool


def codec_of(stream: VideoStream | AudioStream) -> Codec | None:
    """Our codec, or None where it does not pass through the system."""
    codec = _CODECS.get(stream.codec_context.name)
    return codec if codec and codec.medium.value == stream.type else None


class AvTrack:
    """One stream of a container. Raises ParseError where its data is not what it should be."""

    def __init__(self, index: int, stream: VideoStream | AudioStream, codec: Codec) -> None:
        self.index = index
        self.stream_index = stream.index
        self._codec = codec
        extradata = stream.codec_context.extradata or b""
        self._length_size = 0
        """Bytes of the lengths before NAL units; 0 where they stand behind start codes."""
        self._adts = codec is Codec.AAC and not extradata
        self.parameters = self._first_parameters(stream, extradata)
        self._base = Fraction(stream.time_base or Fraction(1, 90_000))
        self._scale = self._base * self.parameters.clock_rate
        rate = self.parameters.frame_rate
        self._usual = int(self.parameters.clock_rate / rate) if rate else 0
        self._last = -self._usual
        self.shift = 0
        """Ticks added to all times: how often a file was played before."""
        self.begin: int | None = None
        self.end = 0
        """Where the earliest unit begins and the latest ends, in ticks without `shift`."""

    def unit(self, packet: av.Packet[Any]) -> AvUnit | None:
        """The access unit in a packet; None where it is empty."""
        data = bytes(packet)
        if not data:
            return None
        key = packet.is_keyframe
        if self._codec.medium is Medium.VIDEO:
            data = self._video(data, key)
        elif self._adts:
            data = self._strip_adts(data)
        when = packet.pts if packet.pts is not None else packet.dts
        ticks = self._last + self._usual if when is None else int(when * self._scale)
        self._last = ticks
        self.begin = ticks if self.begin is None else min(self.begin, ticks)
        self.end = max(self.end, ticks + (int((packet.duration or 0) * self._scale) or self._usual))
        return AvUnit(self.parameters, data, ticks + self.shift, key, packet.is_corrupt)

    def decode_time(self, packet: av.Packet[Any]) -> float | None:
        """Seconds at which the packet is due, in decoding order."""
        when = packet.dts if packet.dts is not None else packet.pts
        if when is None:
            return None
        return float(when * self._base) + self.shift / self.parameters.clock_rate

    def _first_parameters(
        self, stream: VideoStream | AudioStream, extradata: bytes
    ) -> CodecParameters:
        codec = self._codec
        if isinstance(stream, VideoStream):
            rate = float(stream.average_rate or 0)
            sets: tuple[bytes, ...] = ()
            if extradata[:1] == b"\x01":
                read_record = h264.parse_avcc if codec is Codec.H264 else h265.parse_hvcc
                sets, self._length_size = read_record(extradata)
            elif extradata:
                sets = self._sets_in(to_length_prefixed(split_annexb(extradata)))
            context = stream.codec_context
            bare = CodecParameters(codec, 90_000, sets, context.width, context.height, rate)
            return self._read(bare, sets)
        channels = stream.codec_context.channels
        if codec is Codec.AAC:
            if extradata:
                return aac.parameters(extradata)
            return CodecParameters(codec, stream.codec_context.sample_rate, channels=channels)
        clock = _OPUS_RATE if codec is Codec.OPUS else stream.codec_context.sample_rate
        return CodecParameters(codec, clock, channels=channels)

    def _read(self, old: CodecParameters, sets: tuple[bytes, ...]) -> CodecParameters:
        read = h264.parameters if self._codec is Codec.H264 else h265.parameters
        try:
            return read(sets, old.frame_rate)
        except ParseError:
            return replace(old, parameter_sets=sets)

    def _sets_in(self, data: bytes) -> tuple[bytes, ...]:
        if self._codec is Codec.H264:
            return h264.parameter_sets_in(data)
        return h265.parameter_sets_in(data)

    def _video(self, data: bytes, key: bool) -> bytes:
        if not self._length_size:
            data = to_length_prefixed(split_annexb(data))
        elif self._length_size == 4:
            split_length_prefixed(data)
        else:
            data = _widen(data, self._length_size)
        if key:
            sets = self._sets_in(data)
            if sets and set(sets) - set(self.parameters.parameter_sets):
                self.parameters = self._read(self.parameters, sets)
        return data

    def _strip_adts(self, data: bytes) -> bytes:
        """An AAC frame without its ADTS header (ISO 13818-7, 6.2), which gives the config."""
        if len(data) < _ADTS_SHORT or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
            raise ParseError("AAC without configuration and without ADTS header")
        if not self.parameters.config:
            kind, rate = (data[2] >> 6) + 1, (data[2] >> 2) & 15
            channels = (data[2] & 1) << 2 | data[3] >> 6
            config = (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
            self.parameters = aac.parameters(config, self.parameters.clock_rate)
        return data[_ADTS_SHORT if data[1] & 1 else _ADTS_LONG :]


def _widen(data: bytes, size: int) -> bytes:
    """NAL units behind lengths of 1 to 3 bytes, with lengths of 4."""
    nals: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + size
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data):
            raise ParseError("NAL unit runs past its packet")
        nals.append(data[start:at])
    return to_length_prefixed(nals)

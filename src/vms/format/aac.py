"""AAC: AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) and the names made from it."""

from __future__ import annotations

from dataclasses import dataclass

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format.bits import BitReader

LC = 2
_SBR = 5
_PS = 29
_RATES = (
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
)  # fmt: skip
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
_MAX_RATE = 192_000


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """`object_type` 2 is AAC-LC; `sample_rate` in Hz and `channels` of the coded signal;
    `frame_samples` is the samples of one access unit (1024 or 960)."""

    object_type: int
    sample_rate: int
    channels: int
    frame_samples: int = 1024


def parse_config(data: bytes) -> AudioConfig:
    """Reads an AudioSpecificConfig; ParseError where it is cut short or reserved."""
    bits = BitReader(bytes(data[:64]))
    object_type = _object_type(bits)
    rate = _rate(bits)
    channels_index = bits.u(4)
    if object_type in (_SBR, _PS):
        rate_extended = _rate(bits)
        del rate_extended
        object_type = _object_type(bits)
    if channels_index >= len(_CHANNELS):
        raise ParseError(f"AAC channel configuration {channels_index} is reserved")
    short = object_type in (1, LC, 3, 4, 17, 19, 20, 22, 23) and bits.left > 0 and bits.flag()
    return AudioConfig(object_type, rate, _CHANNELS[channels_index], 960 if short else 1024)


def _object_type(bits: BitReader) -> int:
    value = bits.u(5)
    return 32 + bits.u(6) if value == 31 else value


def _rate(bits: BitReader) -> int:
    index = bits.u(4)
    if index < len(_RATES):
        return _RATES[index]
    rate = bits.u(24) if index == 15 else 0
    if not 0 < rate <= _MAX_RATE:
        raise ParseError(f"AAC sample rate index {index}, rate {rate}")
    return rate


def build_config(sample_rate: int, channels: int, object_type: int = LC) -> bytes:
    """An AudioSpecificConfig for one of the object types below 31; ParseError otherwise."""
    if not 0 < object_type < 31 or channels not in _CHANNELS[1:]:
        raise ParseError(f"no AudioSpecificConfig for type {object_type}, {channels} channels")
    if not 0 < sample_rate <= _MAX_RATE:
        raise ParseError(f"AAC sample rate of {sample_rate} Hz")
    channels_index = _CHANNELS.index(channels)
    if sample_rate in _RATES:
        value = object_type << 11 | _RATES.index(sample_rate) << 7 | channels_index << 3
        return value.to_bytes(2, "big")
    value = object_type << 35 | 15 << 31 | sample_rate << 7 | channels_index << 3
    return value.to_bytes(5, "big")


def codec_string(config: bytes) -> str:
    """The name browsers know, as `mp4a.40.2` (RFC 6381 3.3)."""
    bits = BitReader(bytes(config[:64]))
    return f"mp4a.40.{_object_type(bits)}"


def parameters(config: bytes, clock_rate: int = 0) -> CodecParameters:
    """Codec parameters of an AudioSpecificConfig; the clock is the sample rate unless given."""
    audio = parse_config(config)
    return CodecParameters(
        codec=Codec.AAC,
        clock_rate=clock_rate or audio.sample_rate,
        config=bytes(config),
        channels=audio.channels,
    )

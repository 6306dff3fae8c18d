"""Sound for cameras that have a microphone: a murmur, and a beep on every full second."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import av
import numpy as np
from numpy.typing import NDArray

from vms.common.errors import ConfigError
from vms.common.model.media import Codec, CodecParameters
from vms.format import aac, g711
from vms.simulator.packets import Item, Programme, audio_unit

_SECOND = 1_000_000_000
_ROUND_S = 8
_AAC_RATE = 16_000
_AAC_FRAME = 1024
_BEEP_S = 0.08


@cache
def sound(codec: Codec) -> Programme:
    """Eight seconds of sound, to be played round and round. ConfigError for a video codec."""
    if codec is Codec.AAC:
        parameters = aac.parameters(aac.build_config(_AAC_RATE, 1))
        frames = list(_aac(_samples(_AAC_RATE)))
        length = _AAC_FRAME
    elif codec in (Codec.PCMU, Codec.PCMA):
        parameters = CodecParameters(codec, g711.SAMPLE_RATE, channels=1)
        encode = g711.encode_ulaw if codec is Codec.PCMU else g711.encode_alaw
        length = g711.SAMPLE_RATE // 50
        frames = [encode(part) for part in _samples(g711.SAMPLE_RATE).reshape(-1, length)]
    else:
        raise ConfigError(f"the simulator has no audio as {codec}; use aac, pcmu or pcma")
    step = length * _SECOND // parameters.clock_rate
    items = tuple(Item(audio_unit(codec, frame), i * step) for i, frame in enumerate(frames))
    return Programme(parameters, items, step * len(items))


def _samples(rate: int) -> NDArray[np.int16]:
    time = np.arange(rate * _ROUND_S) / rate
    murmur = np.random.default_rng(3).normal(0, 120, time.size)
    murmur += 180 * np.sin(2 * np.pi * 100 * time)
    within = time % 1.0
    envelope = np.sin(np.pi * np.clip(within / _BEEP_S, 0, 1))
    beep = 9000 * envelope * np.sin(2 * np.pi * 1000 * within)
    samples: NDArray[np.int16] = (murmur + beep).clip(-32768, 32767).astype(np.int16)
    return samples


def _aac(samples: NDArray[np.int16]) -> Iterator[bytes]:
    """One round of raw AAC-LC frames that fits behind itself: the second of three."""
    context = av.CodecContext.create("aac", "w")
    context.sample_rate, context.layout, context.format = _AAC_RATE, "mono", "fltp"
    context.bit_rate = 32_000
    count = samples.size // _AAC_FRAME
    packets: list[bytes] = []
    floats = (samples.astype(np.float32) / 32768).reshape(count, 1, _AAC_FRAME)
    for index in range(3 * count):
        frame = av.AudioFrame.from_ndarray(floats[index % count], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = _AAC_RATE, index * _AAC_FRAME
        packets += [bytes(packet) for packet in context.encode(frame)]
    # The encoder is one frame behind: its packet k holds the samples of frame k - 1.
    yield from packets[count + 1 : 2 * count + 1]

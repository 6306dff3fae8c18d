"""G.711 companding (ITU-T G.711), by tables."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 8000


def _ulaw_table() -> NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    base = (code & 0x0F) << 4
    magnitude = np.where(segment == 0, base + 8, (base + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_ULAW = _ulaw_table()
_ALAW = _alaw_table()


@cache
def _encoder(law: str) -> NDArray[np.uint8]:
    """Code of each 16-bit sample (as unsigned index): the nearest value the law can say."""
    decoded = (_ULAW if law == "ulaw" else _ALAW).astype(np.int32)
    order = np.argsort(decoded, kind="stable")
    values = decoded[order]
    samples = np.arange(-32768, 32768, dtype=np.int32)
    above = np.clip(np.searchsorted(values, samples), 1, 255)
    nearer_below = samples - values[above - 1] <= values[above] - samples
    codes = order[np.where(nearer_below, above - 1, above)].astype(np.uint8)
    return np.roll(codes, -32768)


def decode_ulaw(data: bytes) -> NDArray[np.int16]:
    """Samples (int16, 8 kHz) of mu-law bytes."""
    return _ULAW[np.frombuffer(data, dtype=np.uint8)]


def decode_alaw(data: bytes) -> NDArray[np.int16]:
    """Samples (int16, 8 kHz) of A-law bytes."""
    return _ALAW[np.frombuffer(data, dtype=np.uint8)]


def encode_ulaw(samples: NDArray[np.int16]) -> bytes:
    """mu-law bytes of int16 samples."""
    return bytes(_encoder("ulaw")[samples.astype(np.int16).view(np.uint16)].tobytes())


def encode_alaw(samples: NDArray[np.int16]) -> bytes:
    """A-law bytes of int16 samples."""
    return bytes(_encoder("alaw")[samples.astype(np.int16).view(np.uint16)].tobytes())

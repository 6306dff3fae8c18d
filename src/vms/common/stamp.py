"""The machine-readable stamp in every picture that the simulator makes.

A bar of cells in the picture itself, which survives decoding, scaling and a screenshot; beside
it, `sei_stamp` says the same without decoding. Geometry and byte order are in
docs/reference/stamp.md.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]

COLUMNS = 64
ROWS = 2
MARKER = 0xA5C3
"""The first 16 cells; half of them are light, which gives the reader its threshold."""

LIGHT = 235
DARK = 16
DIM = 96
"""Light cells of cameras that people look at: twice the contrast that a reader asks for."""

_MIN_CONTRAST = 40.0

_BODY = struct.Struct(">I6s")
_MARKER_BITS = np.array([(MARKER >> (15 - i)) & 1 for i in range(16)], dtype=bool)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the bar says: the frame number (32 bit) and UTC in ms since 1970."""

    number: int
    wall_ms: int


def bar_height(width: int) -> int:
    """Rows of pixels that the bar takes at the top of a picture `width` pixels wide."""
    return round(ROWS * width / COLUMNS)


def draw_stamp(luma: Luma, number: int, wall_ms: int, light: int = LIGHT) -> None:
    """Write the bar over the top of `luma` (height x width, uint8), in place.

    `number` is taken modulo 2**32, `wall_ms` modulo 2**48. Needs at least 64 x 2 pixels.
    `light` is the luma of the cells that are 1.
    """
    width = luma.shape[1]
    levels = _levels(number, wall_ms, light)
    columns, edge, bottom = _layout(width)
    luma[:edge] = levels[0][columns]
    luma[edge:bottom] = levels[1][columns]


def read_stamp(luma: Luma) -> Stamp | None:
    """The stamp at the top of `luma` (height x width, uint8, any scale), None if unreadable.

    The picture must be whole in width; each cell needs some 3 pixels (192 in width).
    """
    height, width = luma.shape
    if width < 2 * COLUMNS or height < bar_height(width):
        return None
    cells = _sample(luma)
    marker = cells[: _MARKER_BITS.size]
    light, dark = float(marker[_MARKER_BITS].mean()), float(marker[~_MARKER_BITS].mean())
    if light - dark < _MIN_CONTRAST:
        return None
    raw = np.packbits(cells > (light + dark) / 2).tobytes()
    if int.from_bytes(raw[:2], "big") != MARKER or zlib.crc32(raw[2:12]) != int.from_bytes(
        raw[12:], "big"
    ):
        return None
    number, wall = _BODY.unpack(raw[2:12])
    return Stamp(number, int.from_bytes(wall, "big"))


def _levels(number: int, wall_ms: int, light: int) -> Luma:
    body = _BODY.pack(number & 0xFFFFFFFF, (wall_ms & (2**48 - 1)).to_bytes(6, "big"))
    raw = MARKER.to_bytes(2, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    bits = np.unpackbits(np.frombuffer(raw, np.uint8)).reshape(ROWS, COLUMNS)
    return (bits * np.uint8(light - DARK) + np.uint8(DARK)).astype(np.uint8)


@lru_cache(maxsize=32)
def _layout(width: int) -> tuple[NDArray[np.intp], int, int]:
    """For each pixel of a row its column, then the first pixel rows below each cell row."""
    columns = np.minimum((np.arange(width) * COLUMNS) // width, COLUMNS - 1)
    return columns, round(width / COLUMNS), bar_height(width)


def _sample(luma: Luma) -> NDArray[np.float64]:
    """The mean of the middle half of each of the 128 cells, row by row."""
    cell = luma.shape[1] / COLUMNS
    reach = max(1, round(cell / 2))
    starts = ((np.arange(COLUMNS) + 0.5) * cell - reach / 2).round().astype(np.intp)
    across = starts[:, None] + np.arange(reach)
    rows = []
    for row in range(ROWS):
        top = round((row + 0.5) * cell - reach / 2)
        band = luma[top : top + reach].mean(axis=0)
        rows.append(band[across].mean(axis=1))
    return np.concatenate(rows)

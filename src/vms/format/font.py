"""A bitmap font of 5 x 7 pixels, for names and clocks burnt into pictures."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

GLYPH_WIDTH, GLYPH_HEIGHT = 5, 7
_ADVANCE = GLYPH_WIDTH + 1

# 35 bits a glyph: seven rows of five pixels, the top left one first.
_GLYPHS = {
    " ": 0x0,
    "A": 0x3A31FC631,
    "B": 0x7A31F463E,
    "C": 0x3A308422E,
    "D": 0x7A318C63E,
    "E": 0x7E10F421F,
    "F": 0x7E10F4210,
    "G": 0x3A30BC62F,
    "H": 0x4631FC631,
    "I": 0x38842108E,
    "J": 0x1C4210A4C,
    "K": 0x4654C5251,
    "L": 0x42108421F,
    "M": 0x4775AC631,
    "N": 0x4739ACE71,
    "O": 0x3A318C62E,
    "P": 0x7A31F4210,
    "Q": 0x3A318D64D,
    "R": 0x7A31F5251,
    "S": 0x3A307062E,
    "T": 0x7C8421084,
    "U": 0x46318C62E,
    "V": 0x46318C544,
    "W": 0x4631AD771,
    "X": 0x462A22A31,
    "Y": 0x462A21084,
    "Z": 0x7C222221F,
    "a": 0x000E0BE2F,
    "b": 0x421E8C63E,
    "c": 0x000E8420E,
    "d": 0x042F8C62F,
    "e": 0x000E8FE0E,
    "f": 0x191E42108,
    "g": 0x01F18BC2E,
    "h": 0x421E8C631,
    "i": 0x100C2108E,
    "j": 0x080610A4C,
    "k": 0x4212A6292,
    "l": 0x30842108E,
    "m": 0x001AAD6B5,
    "n": 0x001E8C631,
    "o": 0x000E8C62E,
    "p": 0x001E8FA10,
    "q": 0x000F8BC21,
    "r": 0x0016C4210,
    "s": 0x000F8383E,
    "t": 0x211E42106,
    "u": 0x00118C62F,
    "v": 0x00118C544,
    "w": 0x00118D6AA,
    "x": 0x001151151,
    "y": 0x00118BC2E,
    "z": 0x001F1111F,
    "0": 0x3A33AE62E,
    "1": 0x11842108E,
    "2": 0x3A211111F,
    "3": 0x3A213062E,
    "4": 0x08CA97C42,
    "5": 0x7E1E0862E,
    "6": 0x3A10F462E,
    "7": 0x7C2222108,
    "8": 0x3A317462E,
    "9": 0x3A317842E,
    "-": 0x000070000,
    ":": 0x008401080,
    ".": 0x00000018C,
    ",": 0x000001088,
    "/": 0x042222210,
    "_": 0x00000001F,
    "#": 0x295F57D4A,
    "(": 0x088421082,
    ")": 0x208421088,
    "+": 0x0084F9080,
    "!": 0x108421004,
    "?": 0x3A2111004,
}


def text_mask(text: str, scale: int) -> NDArray[np.bool_]:
    """Which pixels of a line of `text` are ink, each font pixel `scale` pixels wide.

    Letters with accents are drawn without them; what the font lacks is drawn as '?'.
    """
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in plain if not unicodedata.combining(c)) or " "
    cells = np.zeros((GLYPH_HEIGHT, len(plain) * _ADVANCE - 1), dtype=bool)
    for index, letter in enumerate(plain):
        left = index * _ADVANCE
        cells[:, left : left + GLYPH_WIDTH] = _glyph(letter)
    return cells.repeat(scale, axis=0).repeat(scale, axis=1)


@lru_cache(maxsize=128)
def _glyph(letter: str) -> NDArray[np.bool_]:
    value = _GLYPHS.get(letter, _GLYPHS["?"])
    bits = [(value >> shift) & 1 for shift in range(GLYPH_WIDTH * GLYPH_HEIGHT - 1, -1, -1)]
    return np.array(bits, dtype=bool).reshape(GLYPH_HEIGHT, GLYPH_WIDTH)

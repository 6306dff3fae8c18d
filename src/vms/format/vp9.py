"""VP9 as this system makes it: what an MP4 or a Matroska file says of it.

https://www.webmproject.org/vp9/mp4/ (VP Codec ISO Media File Format Binding). Cameras send
none; it is what masked and burned-in video is encoded in where no other encoder is at hand.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vms.common.model.media import Medium

CLOCK_RATE = 90_000

# Level: most luma samples a second, most luma samples a picture (VP9 levels, annex A).
_LEVELS = (
    (10, 829_440, 36_864),
    (11, 2_764_800, 73_728),
    (20, 4_608_000, 122_880),
    (21, 9_216_000, 245_760),
    (30, 20_736_000, 552_960),
    (31, 36_864_000, 983_040),
    (40, 83_558_400, 2_228_224),
    (41, 160_432_128, 2_228_224),
    (50, 311_951_360, 8_912_896),
    (51, 588_251_136, 8_912_896),
    (52, 1_176_502_272, 8_912_896),
    (60, 1_176_502_272, 35_651_584),
    (61, 2_353_004_544, 35_651_584),
)
_HIGHEST = 62


@dataclass(frozen=True, slots=True)
class Vp9Parameters:
    """A track of VP9, profile 0 (8 bits, 4:2:0). Sizes in pixels, `frame_rate` a second."""

    width: int
    height: int
    frame_rate: float = 0.0
    clock_rate: int = CLOCK_RATE

    @property
    def medium(self) -> Medium:
        return Medium.VIDEO


def level(track: Vp9Parameters) -> int:
    """The lowest level that holds the track, times ten."""
    picture = track.width * track.height
    rate = picture * (track.frame_rate or 30.0)
    for name, most_rate, most_picture in _LEVELS:
        if rate <= most_rate and picture <= most_picture:
            return name
    return _HIGHEST


def codec_string(track: Vp9Parameters) -> str:
    """RFC 6381 name: profile, level, bits."""
    return f"vp09.00.{level(track):02d}.08"


def vpcc(track: Vp9Parameters) -> bytes:
    """The body of `vpcC`, version and flags included."""
    # 8 bits, 4:2:0 with colour beside the left luma sample, limited range; BT.709 where large.
    colour = 1 if track.height >= 720 else 6
    bits = 8 << 4 | 0 << 1 | 0
    return struct.pack(">I6BH", 1 << 24, 0, level(track), bits, colour, colour, colour, 0)

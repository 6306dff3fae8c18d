"""A recording file as the catalog knows it."""

from __future__ import annotations

from dataclasses import dataclass

from vms.common.model.media import Codec

MAX_SEGMENT_NS = 6 * 3600 * 1_000_000_000
"""No segment lasts longer; a search looks this far back for one that reaches into its span.

The recorder starts a new segment each hour.
"""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One MKV file of whole GOPs of one stream in one Run.

    `path` is relative to the root of the volume, with '/' between its parts. `start_ns` is
    the UTC time in nanoseconds of the first picture, `end_ns` that of the end of the last
    one written so far: it grows, with `size` (bytes), `frames` and `key_frames`, while
    `closed` is false. `width` and `height` are in pixels.
    """

    id: str
    camera: str
    stream: str
    run: str
    path: str
    start_ns: int
    end_ns: int
    size: int
    frames: int
    key_frames: int
    codec: Codec
    width: int
    height: int
    closed: bool

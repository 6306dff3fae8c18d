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

    `volume` names the volume. `digest` is the last link of the index's chain in hex, empty
    while the file grows and for files of index schema 1. `clock_offset_ns` is the camera's
    clock minus ours (median over the file), `clock_drift_ppb` how much it gains in parts of
    10^9; None where the camera does not tell its time. `mode` is why it was recorded:
    "continuous" or "event".
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
    volume: str = "main"
    digest: str = ""
    clock_offset_ns: int | None = None
    clock_drift_ppb: int | None = None
    mode: str = "continuous"

"""What is burned into an export: the span asked for, and its text."""

from __future__ import annotations

from datetime import UTC

import numpy as np
from tests.support.storage_media import SECOND, START_NS, encode_video, picture
from tests.support.storage_media import units as make_units

from vms.storage.export.burn import Burned, Overlay
from vms.storage.export.writer_mp4 import Pictures


def burned(overlay: Overlay) -> Burned:
    units = make_units(*encode_video())
    return Burned(units[0].parameters, (), overlay, 25.0, START_NS, 200_000_000, SECOND)


def all_of(pictures: Pictures) -> list[int]:
    """The times of what comes out, in nanoseconds."""
    out = []
    for unit in make_units(*encode_video()):
        out += [time_ns for time_ns, _, _ in pictures.push(unit.pts_ns, unit.key, unit.data)]
    return out + [time_ns for time_ns, _, _ in pictures.flush()]


def test_only_the_span_comes_out_each_picture_once() -> None:
    pictures = burned(Overlay(name="Gate"))
    assert [round(t / 1_000_000) for t in all_of(pictures)] == list(range(200, 1000, 40))
    assert pictures.failed == 0


def test_text_stands_at_the_top_and_at_the_bottom_alone() -> None:
    frame = picture(5, 320, 192)
    before = frame.to_ndarray(format="gray")
    Overlay(name="Gate", watermark="ana", zone=UTC).draw(frame, START_NS)
    after = frame.to_ndarray(format="gray")
    rows = np.flatnonzero((before != after).any(axis=1))
    assert rows.min() < 10
    assert rows.max() > 182
    assert not (before != after)[40:150].any()

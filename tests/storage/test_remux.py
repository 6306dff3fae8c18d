"""Times of decoding, from pictures that come in decoding order with times of display."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.storage_media import encode_aac, encode_video

from vms.storage.remux import VIDEO_SCALE, Remuxer

MS = 1_000_000
Row = tuple[int, int, int]
"""(time of decoding, duration, offset) in ticks."""


def samples(data: bytes, track: int) -> list[Row]:
    """What the `trun` boxes of a track say."""
    rows: list[Row] = []
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"moof":
            number, decode = struct.unpack_from(">I", data, at + 44)[0], at + 60
            (time,) = struct.unpack_from(">Q", data, decode)
            fields, count = struct.unpack_from(">II", data, decode + 8 + 8)
            for n in range(count):
                if fields & 0x800:
                    duration, _, _, offset = struct.unpack_from(">IIIi", data, decode + 28 + n * 16)
                else:
                    duration, offset = struct.unpack_from(">I", data, decode + 28 + n * 8)[0], 0
                if number == track:
                    rows.append((time, duration, offset))
                time += duration
        at += size
    return rows


def remuxed(times_ms: list[int], every: int = 7) -> list[Row]:
    parameters, _ = encode_video()
    remuxer = Remuxer([parameters])
    data = b""
    for n, time in enumerate(times_ms):
        remuxer.push(0, time * MS, n == 0, b"x")
        if n % every == 0:
            data += remuxer.take()
    return samples(data + remuxer.take(last=True), 1)


def test_without_b_frames_both_times_are_one() -> None:
    rows = remuxed([0, 40, 80, 121, 160])
    assert rows == [
        (0, 3600, 0), (3600, 3600, 0), (7200, 3690, 0), (10890, 3510, 0), (14400, 3510, 0)
    ]  # fmt: skip


def test_b_frames_are_decoded_in_order_and_shown_when_due() -> None:
    rows = remuxed([0, 120, 40, 80, 240, 160, 200])
    assert [(d // 90, (d + o) // 90) for d, _, o in rows] == [
        (0, 0), (40, 120), (80, 40), (120, 80), (160, 240), (200, 160), (240, 200)
    ]  # fmt: skip


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=80),
    st.randoms(use_true_random=False),
    st.integers(1, 20),
)
def test_any_order_within_a_codecs_reach_keeps_its_times(
    steps: list[int], shuffler: object, every: int
) -> None:
    """Pictures held back by at most 16 others, however they are mixed."""
    times = [sum(steps[:n]) for n in range(len(steps))]
    mixed: list[int] = []
    for start in range(0, len(times), 17):
        block = times[start : start + 17]
        shuffler.shuffle(block)  # type: ignore[attr-defined]
        mixed += block
    rows = remuxed(mixed, every)
    assert [d + o for d, _, o in rows] == [t * VIDEO_SCALE // 1000 for t in mixed]
    decoded = [d for d, _, _ in rows]
    assert all(a < b for a, b in pairwise(decoded))
    assert all(a + r == b for (a, r, _), b in zip(rows, decoded[1:], strict=False))


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60))
def test_equal_and_odd_times_never_run_backwards(times: list[int]) -> None:
    decoded = [d for d, _, _ in remuxed(times)]
    assert len(decoded) == len(times)
    assert all(a < b for a, b in pairwise(decoded))


def test_sound_has_no_seams_though_its_times_are_rounded() -> None:
    parameters, _ = encode_aac()
    remuxer = Remuxer([parameters])
    data = b""
    for n in range(100):
        remuxer.push(0, n * 64 * MS + (n % 3 - 1) * MS * (n > 0), True, b"a")
        data += remuxer.take()
    rows = samples(data + remuxer.take(last=True), 1)
    assert rows == [(n * 1024, 1024, 0) for n in range(100)]


@pytest.mark.parametrize("gap_ms", [500, 10_000])
def test_a_gap_in_sound_stays_where_it_is(gap_ms: int) -> None:
    parameters, _ = encode_aac()
    remuxer = Remuxer([parameters])
    for n in range(20):
        remuxer.push(0, (n * 64 + (gap_ms if n >= 10 else 0)) * MS, True, b"a")
    rows = samples(remuxer.take(last=True), 1)
    assert rows[10][0] == (640 + gap_ms) * 16
    assert rows[9][0] == 9 * 1024

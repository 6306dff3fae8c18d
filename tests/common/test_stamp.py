from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.common.sei_stamp import pack_sei_stamp, unpack_sei_stamp
from vms.common.stamp import Stamp, bar_height, draw_stamp, read_stamp


def picture(width: int, height: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(16, 235, (height, width), dtype=np.uint8)


def half(luma: np.ndarray) -> np.ndarray:
    height, width = luma.shape[0] // 2 * 2, luma.shape[1] // 2 * 2
    blocks = luma[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return blocks.mean(axis=(1, 3)).astype(np.uint8)


@given(
    number=st.integers(0, 2**32 - 1),
    wall_ms=st.integers(0, 2**48 - 1),
    width=st.integers(192, 700),
)
def test_what_is_drawn_is_read(number: int, wall_ms: int, width: int) -> None:
    luma = picture(width, 40)
    draw_stamp(luma, number, wall_ms)
    assert read_stamp(luma) == Stamp(number, wall_ms)


@pytest.mark.parametrize("width", [640, 704, 720, 1280, 1920, 3840])
def test_it_survives_halving_and_noise(width: int) -> None:
    luma = picture(width, width * 9 // 16)
    draw_stamp(luma, 123456, 1_900_000_000_123)
    small = half(luma).astype(np.int16)
    small += np.random.default_rng(2).integers(-30, 30, small.shape, dtype=np.int16)
    assert read_stamp(small.clip(0, 255).astype(np.uint8)) == Stamp(123456, 1_900_000_000_123)


def test_it_survives_a_flat_and_faded_picture() -> None:
    luma = picture(640, 360)
    draw_stamp(luma, 7, 8)
    faded = (luma.astype(np.uint16) // 3 + 90).astype(np.uint8)
    assert read_stamp(faded) == Stamp(7, 8)


def test_no_stamp_is_none() -> None:
    assert read_stamp(picture(640, 360)) is None
    assert read_stamp(np.zeros((360, 640), np.uint8)) is None
    assert read_stamp(np.zeros((3, 20), np.uint8)) is None


def test_a_changed_cell_is_noticed() -> None:
    luma = picture(640, 360)
    draw_stamp(luma, 5, 6)
    luma[10:20, 630:] = 255 - luma[10:20, 630:]
    assert read_stamp(luma) is None


def test_numbers_wrap() -> None:
    luma = picture(640, 360)
    draw_stamp(luma, 2**32 + 3, 2**48 + 4)
    assert read_stamp(luma) == Stamp(3, 4)


def test_bar_height_is_a_thirty_second_of_the_width() -> None:
    assert bar_height(1280) == 40
    assert bar_height(640) == 20


def test_sei_stamp_round_trip() -> None:
    payload = pack_sei_stamp(99, 1_900_000_000_000_000_001)
    stamp = unpack_sei_stamp(payload)
    assert stamp is not None
    assert (stamp.number, stamp.sent_ns) == (99, 1_900_000_000_000_000_001)
    assert unpack_sei_stamp(payload[:15]) is None

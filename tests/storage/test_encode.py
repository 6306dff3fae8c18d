"""The encoder for changed pictures, by what decodes it: a picture out for each one in."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest
from tests.support.storage_media import picture

from vms.common.errors import StorageError
from vms.format import fmp4
from vms.format.fmp4 import Sample
from vms.storage.encode import CLOCK_RATE, Coded, Encoder

STEP = CLOCK_RATE // 25


def encoded(encoder: Encoder, count: int, **size: int) -> list[Coded]:
    made = []
    for number in range(count):
        frame = picture(number, **size)
        frame.pts, frame.time_base = number * STEP, Fraction(1, CLOCK_RATE)
        made += encoder.encode(frame)
    return made + encoder.flush()


@pytest.mark.parametrize(("width", "height"), [(160, 96), (640, 360), (162, 90)])
def test_each_picture_comes_out_once_and_decodes_from_an_mp4(width: int, height: int) -> None:
    encoder = Encoder(width, height, 25)
    made = encoded(encoder, 60, width=width, height=height)
    assert [one.pts for one in made] == [n * STEP for n in range(60)]
    assert [n for n, one in enumerate(made) if one.key] == [0, 50]
    data = fmp4.init_segment([encoder.parameters], [CLOCK_RATE])
    data += fmp4.fragment_samples(1, 1, 0, [Sample(one.data, STEP, one.key) for one in made])
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (width, height)
        frames = list(container.decode(stream))
    assert len(frames) == 60
    for number in (0, 20, 59):
        shown = frames[number].to_ndarray(format="rgb24")[:, -8:].mean()
        assert abs(shown - (number * 3) % 192) < 12, number


def test_a_key_picture_is_made_where_asked() -> None:
    encoder = Encoder(160, 96)
    keys = []
    for number in range(10):
        frame = picture(number)
        frame.pts = number * STEP
        keys += [one.key for one in encoder.encode(frame, key=number == 7)]
    assert [n for n, key in enumerate(keys) if key] == [0, 7]


def test_no_gpl_encoder_is_ever_chosen() -> None:
    for hint in ("", "h264", "vp9"):
        assert "264" not in Encoder(640, 480, hint=hint).name or Encoder(
            640, 480, hint=hint
        ).name.startswith(("h264_", "libopenh264"))


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (9000, 100), (-2, 2)])
def test_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(StorageError, match="pixels"):
        Encoder(*size)

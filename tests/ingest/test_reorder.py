"""UDP packets in any order: what can be put right is, within the limit."""

from __future__ import annotations

import asyncio
import random

import pytest

from vms.common.model.media import Codec, CodecParameters
from vms.format.rtp import build_header
from vms.ingest.reorder import ReorderBuffer
from vms.ingest.rtp_track import RtpTrack
from vms.ingest.source import SourceStats


class Sink:
    def __init__(self) -> None:
        self.got: list[int] = []

    def unit(self, *unit: object) -> None:
        data = unit[2]
        assert isinstance(data, bytes)
        self.got.append(int.from_bytes(data, "big"))


def row(number: int, ssrc: int = 3) -> bytes:
    return build_header(0, 65_500 + number, number * 160, ssrc) + number.to_bytes(2, "big")


def made(limit: float) -> tuple[ReorderBuffer, Sink, SourceStats]:
    stats, sink = SourceStats(), Sink()
    track = RtpTrack(0, CodecParameters(Codec.PCMU, 8000, channels=1), 0, stats)
    track.sink = sink
    return ReorderBuffer(track, limit), sink, stats


@pytest.mark.parametrize("seed", range(20))
async def test_shuffled_within_reach_comes_out_in_order(seed: int) -> None:
    buffer, sink, stats = made(0.2)
    rng = random.Random(seed)
    order = sorted(range(1, 300), key=lambda number: number + rng.uniform(0, 12))
    for number in (0, *order):
        buffer.packet(row(number))
        if rng.random() < 0.1:
            buffer.packet(row(number))
    assert sink.got == list(range(300))
    assert stats.packets_lost == 0
    buffer.close()


async def test_a_gap_is_given_up_after_the_limit() -> None:
    buffer, sink, stats = made(0.05)
    loop = asyncio.get_running_loop()
    for number in (0, 1, 4, 5, 8):
        buffer.packet(row(number))
    assert sink.got == [0, 1]
    began = loop.time()
    while len(sink.got) < 5:
        await asyncio.sleep(0.002)
        assert loop.time() - began < 0.2
    assert loop.time() - began > 0.03
    assert sink.got == [0, 1, 4, 5, 8]
    assert stats.packets_lost == 4
    buffer.packet(row(9))
    assert sink.got[-1] == 9
    buffer.close()


async def test_what_waits_is_bounded() -> None:
    buffer, sink, stats = made(60.0)
    buffer.packet(row(0))
    for number in range(2, 2000):
        buffer.packet(row(number))
        assert len(buffer._held) <= 513
    assert sink.got[0] == 0
    assert stats.packets_lost == 1
    assert sink.got == [0, *range(2, len(sink.got) + 1)]
    buffer.close()


async def test_strangers_do_not_wait() -> None:
    buffer, sink, stats = made(0.05)
    buffer.packet(row(0))
    for number in range(10, 40):
        buffer.packet(row(number, ssrc=9))
    buffer.packet(b"\x80")
    assert not buffer._held
    assert stats.packets_refused == 31
    buffer.packet(row(1))
    assert sink.got == [0, 1]
    buffer.close()


async def test_no_limit_means_no_waiting() -> None:
    buffer, sink, stats = made(0.0)
    for number in (0, 2, 1, 3):
        buffer.packet(row(number))
    assert sink.got == [0, 2, 3]
    assert stats.packets_lost == 1
    buffer.close()

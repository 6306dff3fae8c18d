"""One RTP stream: order, losses, strangers, clocks; and the fast way equals the plain one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vms.common.model.media import Codec, CodecParameters
from vms.format.rtcp import SenderReport
from vms.format.rtp import build_header
from vms.format.rtsp import RtspParser, interleave
from vms.ingest.rtp_track import RtpTrack
from vms.ingest.source import SourceStats

SETS = {
    Codec.H264: (bytes.fromhex("6742c01eda0280bfe584"), bytes.fromhex("68ce3c80")),
    Codec.H265: (b"\x40\x01\x0c\x01", b"\x42\x01\x01\x01", b"\x44\x01\xc0"),
}
US, THEM = 7, 8


class Sink:
    def __init__(self) -> None:
        self.units: list[tuple[int, bool, bool, bytes]] = []
        self.captured: list[int | None] = []
        self.ticks: list[int] = []

    def unit(
        self,
        track: int,
        parameters: CodecParameters,
        data: bytes,
        ticks: int,
        key: bool,
        damaged: bool,
        capture_ns: int | None,
    ) -> None:
        self.units.append((ticks & 0xFFFFFFFF, key, damaged, data))
        self.ticks.append(ticks)
        self.captured.append(capture_ns)


def track(
    codec: Codec = Codec.H264, sets: tuple[bytes, ...] | None = None
) -> tuple[RtpTrack, Sink]:
    parameters = CodecParameters(codec, 90_000, SETS[codec] if sets is None else sets, 640, 360)
    made, sink = RtpTrack(0, parameters, 96, SourceStats()), Sink()
    made.sink = sink
    return made, sink


def picture(codec: Codec, key: bool, size: int, mtu: int) -> list[bytes]:
    """Payloads of a picture of one slice, in fragments where it is larger than `mtu`."""
    body = b"\x80" + os.urandom(size)
    if codec is Codec.H264:
        kind = 5 if key else 1
        whole = bytes((0x60 | kind,)) + body
        lead = bytes((0x60 | 28,))
    else:
        kind = 19 if key else 1
        whole = bytes((kind << 1, 1)) + body
        lead = bytes((49 << 1, 1))
    if len(whole) <= mtu:
        return [whole]
    parts = [body[at : at + mtu - 10] for at in range(0, len(body), mtu - 10)]
    flags = [0x80] + [0] * (len(parts) - 2) + [0x40]
    return [lead + bytes((flag | kind,)) + part for flag, part in zip(flags, parts, strict=True)]


def packets(codec: Codec, sizes: Sequence[int], first: int = 65_530) -> list[bytes]:
    made: list[bytes] = []
    for number, size in enumerate(sizes):
        payloads = picture(codec, number % 5 == 0, size, 100)
        for index, payload in enumerate(payloads):
            marker = index == len(payloads) - 1
            stamp = 0xFFFF_F000 + number * 3600
            header = build_header(96, first + len(made), stamp, US, marker)
            made.append(header + payload)
    return made


@settings(deadline=None, max_examples=150)
@given(
    codec=st.sampled_from([Codec.H264, Codec.H265]),
    sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=20),
    lost=st.sets(st.integers(0, 200), max_size=4),
    twice=st.sets(st.integers(0, 200), max_size=3),
    foreign=st.sets(st.integers(0, 200), max_size=3),
    cuts=st.lists(st.integers(1, 2000), min_size=1, max_size=30),
)
def test_fast_way_gives_what_the_plain_one_gives(
    codec: Codec,
    sizes: list[int],
    lost: set[int],
    twice: set[int],
    foreign: set[int],
    cuts: list[int],
) -> None:
    stream = b""
    for index, packet in enumerate(packets(codec, sizes)):
        if index in lost:
            continue
        if index in foreign:
            stream += interleave(0, build_header(96, 5, 5, THEM) + b"\x61\x80abc")
            stream += interleave(1, b"\x80\xc9\x00\x01" + bytes(4))
        stream += interleave(0, packet)
        if index in twice:
            stream += interleave(0, packet)
    results = []
    for fast in (False, True):
        made, sink = track(codec)
        channels = {0: made.packet, 1: lambda *_: None}
        parser = RtspParser(channels, {0: made.run} if fast else None)
        at = turn = 0
        while at < len(stream):
            step = cuts[turn % len(cuts)]
            parser.feed(stream[at : at + step])
            at, turn = at + step, turn + 1
        stats = made._stats
        results.append((sink.units, stats.packets_lost, stats.packets_refused, made.expected))
    assert results[0] == results[1]
    if not (lost or foreign or twice):
        assert len(results[0][0]) == len(sizes)
        assert not any(damaged for _, _, damaged, _ in results[0][0])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=40))
def test_rubbish_never_raises(datagrams: list[bytes]) -> None:
    made, _ = track()
    for data in datagrams:
        made.packet(data, 0, len(data))
        headed = build_header(96, len(data), 1, US) + data
        made.packet(headed, 0, len(headed))


def feed(made: RtpTrack, rows: Sequence[bytes]) -> None:
    for row in rows:
        made.packet(row, 0, len(row))


def test_gap_counts_and_damages_until_the_next_key() -> None:
    made, sink = track()
    rows = packets(Codec.H264, [50] * 12, first=100)
    feed(made, rows[:3] + rows[5:])
    assert made._stats.packets_lost == 2
    flags = [(key, damaged) for _, key, damaged, _ in sink.units]
    assert flags[:3] == [(True, False), (False, False), (False, False)]
    assert flags[3] == (True, False) or flags[3][1]
    assert not any(damaged for _, damaged in flags[-7:])


def test_numbering_that_begins_anew_is_followed() -> None:
    made, sink = track()
    feed(made, packets(Codec.H264, [50] * 10, first=40_000))
    feed(made, packets(Codec.H264, [50] * 10, first=100))
    assert len(sink.units) >= 18
    assert made._stats.packets_lost == 0


def test_late_duplicate_is_dropped() -> None:
    made, sink = track()
    rows = packets(Codec.H264, [50] * 6, first=10)
    feed(made, [rows[0], rows[1], rows[0], rows[1], *rows[2:]])
    assert len(sink.units) == 6
    assert made._stats.packets_lost == 0


def test_another_source_is_followed_when_ours_is_gone() -> None:
    made, sink = track()
    feed(made, packets(Codec.H264, [50] * 3, first=10))
    theirs = [
        row[:8] + THEM.to_bytes(4, "big") + row[12:] for row in packets(Codec.H264, [50] * 80, 900)
    ]
    feed(made, theirs)
    assert made.ssrc == THEM
    assert len(sink.units) > 15
    assert made._stats.packets_refused > 50


def test_nothing_is_taken_before_there_is_a_sink() -> None:
    made, sink = track()
    made.sink = None
    stale = [row[:8] + THEM.to_bytes(4, "big") + row[12:] for row in packets(Codec.H264, [50])]
    feed(made, stale)
    made.sink = sink
    feed(made, packets(Codec.H264, [50] * 2))
    assert made.ssrc == US
    assert len(sink.units) == 2


def test_units_wait_for_parameter_sets() -> None:
    made, sink = track(sets=())
    feed(made, packets(Codec.H264, [50] * 2, first=10))
    assert sink.units == []
    assert "no parameter sets" in made._stats.note
    for number, nal in enumerate(SETS[Codec.H264]):
        feed(made, [build_header(96, 12 + number, 0xFFFF_F000 + 7200, US) + nal])
    feed(made, [build_header(96, 14, 0xFFFF_F000 + 7200, US, True) + b"\x65\x80abc"])
    assert len(sink.units) == 1
    assert made.parameters.parameter_sets == SETS[Codec.H264]
    assert made._stats.note == ""


def report(ntp_ns: int, rtp_time: int, ssrc: int = US) -> SenderReport:
    return SenderReport(ssrc, ntp_ns, rtp_time, ntp_middle=1)


def test_sender_reports_map_the_clock() -> None:
    made, sink = track()
    rows = packets(Codec.H264, [50] * 4, first=10)
    feed(made, rows[:2])
    base = 1_700_000_000_000_000_000
    made.sender_report(report(base, 0xFFFF_F000), base + 40_000_000)
    made.sender_report(report(base, 0xFFFF_F000), base + 10_000_000)
    feed(made, rows[2:])
    assert sink.captured[:2] == [None, None]
    assert sink.captured[2:] == [base + 80_000_000, base + 120_000_000]
    assert made._stats.clock_offset_ns == -10_000_000


@pytest.mark.parametrize(
    "bad",
    [report(0, 0xFFFF_F000), report(10**18, 0x7000_0000), report(10**18, 0xFFFF_F000, THEM)],
    ids=["no clock", "time of another age", "another source"],
)
def test_reports_that_cannot_be_are_left_out(bad: Any) -> None:
    made, sink = track()
    rows = packets(Codec.H264, [50] * 2, first=10)
    feed(made, rows[:1])
    made.sender_report(bad, 10**18)
    feed(made, rows[1:])
    assert sink.captured == [None, None]


def test_report_block_tells_losses() -> None:
    made, _ = track()
    assert made.report_block() is None
    rows = packets(Codec.H264, [50] * 12, first=65_530)
    feed(made, rows[:4] + rows[7:])
    block = made.report_block()
    assert block is not None
    assert (block.ssrc, block.lost) == (US, 3)
    assert block.highest_sequence == 65_530 + 11
    assert block.fraction_lost == 3 * 256 // 12
    again = made.report_block()
    assert again is not None
    assert again.fraction_lost == 0

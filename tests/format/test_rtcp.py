"""RTCP packets, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.common.errors import ParseError
from vms.format.rtcp import (
    Bye,
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
    Unknown,
    build_bye,
    build_fir,
    build_nack,
    build_pli,
    build_receiver_report,
    build_sender_report,
    build_source_description,
    ns_to_ntp,
    ntp_to_ns,
    parse_rtcp,
)

words = st.integers(0, 0xFFFFFFFF)
blocks = st.lists(
    st.builds(
        ReportBlock, words, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), words, words,
        words, words,
    ),
    max_size=31,
).map(tuple)  # fmt: skip
times = st.integers(0, 4_000_000_000 * 10**9)


@given(words, times, words, words, words, blocks)
def test_sender_report(
    ssrc: int, now: int, rtp_time: int, packets: int, octets: int, reports: tuple[ReportBlock, ...]
) -> None:
    data = build_sender_report(ssrc, now, rtp_time, packets, octets, reports)
    (read,) = parse_rtcp(data)
    assert isinstance(read, SenderReport)
    assert (read.ssrc, read.rtp_time, read.packets) == (ssrc, rtp_time, packets)
    assert (read.octets, read.reports) == (octets, reports)
    assert abs(read.ntp_ns - now) <= 1
    assert read.ntp_middle == int.from_bytes(data[10:14], "big")


@given(words, blocks)
def test_receiver_report(ssrc: int, reports: tuple[ReportBlock, ...]) -> None:
    assert parse_rtcp(build_receiver_report(ssrc, reports)) == [ReceiverReport(ssrc, reports)]


@given(words, st.text(max_size=60), st.lists(words, max_size=31), st.text(max_size=60))
def test_compound(ssrc: int, name: str, sources: list[int], reason: str) -> None:
    data = build_receiver_report(ssrc) + build_source_description(ssrc, name)
    data += build_bye(sources, reason) + build_pli(1, ssrc) + build_fir(2, [(ssrc, 7)])
    assert parse_rtcp(b"junk" + data + b"tail", 4, 4 + len(data)) == [
        ReceiverReport(ssrc),
        SourceDescription(((ssrc, name),)),
        Bye(tuple(sources), reason),
        Pli(1, ssrc),
        Fir(2, ((ssrc, 7),)),
    ]


@given(st.integers(0, 0xFFFF), st.sets(st.integers(0, 400), min_size=1))
def test_nack_through_a_wrap(first: int, steps: set[int]) -> None:
    sequences = tuple((first + step) & 0xFFFF for step in sorted(steps))
    assert parse_rtcp(build_nack(1, 2, sequences)) == [Nack(1, 2, sequences)]


def test_remb() -> None:
    body = bytes(7) + b"\x01" + b"REMB" + bytes((1, 3 << 2, 0x01, 0x00)) + bytes(3) + b"\x09"
    data = bytes((0x8F, 206, 0, len(body) // 4)) + body.replace(bytes(7) + b"\x01", b"\0\0\0\1" * 2)
    assert parse_rtcp(data) == [Remb(1, 256 << 3, (9,))]


@given(times)
def test_ntp_times_through_2036(now: int) -> None:
    seconds, fraction = ns_to_ntp(now)
    assert 0 <= seconds < 2**32
    assert abs(ntp_to_ns(seconds, fraction) - now) <= 1


def test_known_ntp_times() -> None:
    assert ntp_to_ns(0, 0) == 0
    assert ntp_to_ns(2_208_988_800 + 1, 1 << 31) == 1_500_000_000
    assert ntp_to_ns(5, 0) == (2**32 - 2_208_988_800 + 5) * 10**9


def test_an_unknown_packet_passes() -> None:
    assert parse_rtcp(b"\x81\xcc\x00\x01abcd") == [Unknown(204, 1, b"abcd")]


def test_padding_is_taken_off() -> None:
    assert parse_rtcp(b"\xa1\xcc\x00\x02abcd\0\0\0\4") == [Unknown(204, 1, b"abcd")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x80\xc8\x00\x00",
        b"\x80\xc8\xff\xff",
        b"\x41\xc8\x00\x00",
        b"\x9f\xc9\x00\x01abcd",
        b"\x81\xca\x00\x01abcd",
        b"\x81\xca\x00\x02abcd\x01\xffab",
        b"\x9f\xcb\x00\x00",
        b"\xa0\xcc\x00\x00",
        b"\xa0\xcc\x00\x01\x00\x00\x00\x05",
        b"\x81\xcc\x00\x00" * 65,
    ],
)
def test_lying_packets_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_rtcp(data)


def test_too_many_reports_are_refused() -> None:
    with pytest.raises(ParseError):
        build_receiver_report(1, [ReportBlock(1)] * 32)


framed = st.builds(
    lambda first, kind, body: bytes((0x80 | first & 0x3F, kind, 0, len(body) // 4)) + body,
    st.integers(0, 63),
    st.integers(199, 208),
    st.binary(max_size=96).map(lambda body: body + bytes(-len(body) % 4)),
)


@given(st.binary(max_size=200) | st.lists(framed, max_size=4).map(b"".join))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        assert parse_rtcp(data)
    except ParseError:
        return


@given(st.data())
def test_mutated_compounds(data: st.DataObject) -> None:
    packet = bytearray(
        build_sender_report(1, 10**18, 3, 4, 5, [ReportBlock(9)])
        + build_source_description(1, "camera")
        + build_bye([1, 2], "off")
        + build_nack(1, 2, [3, 4, 90])
    )
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_rtcp(bytes(packet[: data.draw(st.integers(0, len(packet)))]))
    except ParseError:
        return

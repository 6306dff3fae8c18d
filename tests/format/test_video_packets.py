"""Pictures into packets and back: real streams, losses, hostile bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.format_rtp import Payload, payloads_of, receive
from tests.support.format_streams import decode_video, encode_video

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format import h264, h265
from vms.format.annexb import split_length_prefixed, to_length_prefixed
from vms.format.depacketize import MAX_UNIT, create_depacketizer
from vms.format.depacketize_h264 import H264Depacketizer
from vms.format.depacketize_h265 import H265Depacketizer
from vms.format.packetize import packetize, packetize_h264, packetize_h265

GOP = (("g", "6"), ("keyint_min", "6"))
SLICES = {
    "libx264": (*GOP, ("slices", "4")),
    "libx265": (("x265-params", "log-level=none:slices=4:keyint=6:min-keyint=6"),),
}
PLAIN = {
    "libx264": (*GOP, ("x264-params", "sliced-threads=0")),
    "libx265": (("x265-params", "log-level=none:keyint=6:min-keyint=6"),),
}
MAKERS = {"libx264": H264Depacketizer, "libx265": H265Depacketizer}
SPLIT: dict[str, Callable[[bytes, int], list[bytes]]] = {
    "libx264": packetize_h264,
    "libx265": packetize_h265,
}
NAMES = {"libx264": "h264", "libx265": "hevc"}
ROOMS = {"libx264": h264, "libx265": h265}
both = pytest.mark.parametrize("codec", ["libx264", "libx265"])


@both
@pytest.mark.parametrize("mtu", [100, 333, 1400, 65000])
@pytest.mark.parametrize("sliced", [False, True])
def test_real_streams_come_out_as_they_went_in(codec: str, mtu: int, sliced: bool) -> None:
    units = encode_video(codec, options=(SLICES if sliced else PLAIN)[codec])
    payloads = payloads_of(units, SPLIT[codec], mtu, first=0xFFFFFFFF - 10_000)
    assert max(len(payload.data) for payload in payloads) <= mtu
    out = receive(MAKERS[codec](), payloads)
    assert [unit.data for unit in out] == list(units)
    assert [unit.timestamp for unit in out] == [
        (0xFFFFFFFF - 10_000 + 3600 * n) & 0xFFFFFFFF for n in range(len(units))
    ]
    assert [unit.key for unit in out] == [ROOMS[codec].is_key(unit) for unit in units]
    assert not any(unit.damaged for unit in out)
    assert out[0].parameter_sets == ROOMS[codec].parameter_sets_in(units[0])
    assert all(unit.parameter_sets is None for unit in out[1:])


@both
def test_what_comes_out_decodes(codec: str) -> None:
    units = encode_video(codec, options=SLICES[codec])
    out = receive(MAKERS[codec](), payloads_of(units, SPLIT[codec], 500))
    before = decode_video(NAMES[codec], list(units))
    after = decode_video(NAMES[codec], [unit.data for unit in out])
    assert len(after) == len(units)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@both
@given(data=st.data())
@settings(max_examples=60)
def test_nothing_whole_is_wrong_where_packets_are_lost(codec: str, data: st.DataObject) -> None:
    """A unit not flagged is the one that was sent, and so are those it depends on."""
    units = encode_video(codec, options=data.draw(st.sampled_from((SLICES, PLAIN)))[codec])
    mtu = data.draw(st.sampled_from((100, 700, 1400)))
    payloads = payloads_of(units, SPLIT[codec], mtu)
    drop = frozenset(data.draw(st.sets(st.integers(0, len(payloads) - 1), max_size=8)))
    out = receive(MAKERS[codec](), payloads, drop)
    whole = {unit.timestamp // 3600 for unit in out if not unit.damaged}
    dropped_units = {payloads[index].unit for index in drop}
    for unit in out:
        number = unit.timestamp // 3600
        if unit.damaged:
            continue
        assert unit.data == units[number]
        key = max(n for n in range(number + 1) if ROOMS[codec].is_key(units[n]))
        assert set(range(key, number + 1)) <= whole or not drop
        assert not dropped_units & set(range(key, number + 1))
    # Pictures that no loss touches come out whole again from the next key picture on.
    starts = [n for n in range(len(units)) if ROOMS[codec].is_key(units[n])]
    for start, end in zip(starts, [*starts[1:], len(units)], strict=True):
        if not dropped_units & set(range(start, end)):
            assert set(range(start, end)) <= whole


@both
def test_without_marker_bits_the_timestamp_ends_a_picture(codec: str) -> None:
    units = encode_video(codec, options=SLICES[codec])
    payloads = [replace(p, marker=False) for p in payloads_of(units, SPLIT[codec], 700)]
    out = receive(MAKERS[codec](), payloads)
    assert [unit.data for unit in out] == list(units)
    assert not any(unit.damaged for unit in out)


@both
def test_without_marker_bits_and_times_the_first_slice_does(codec: str) -> None:
    units = encode_video(codec, options=SLICES[codec])
    payloads = payloads_of(units, SPLIT[codec], 700)
    out = receive(MAKERS[codec](), [replace(p, marker=False, timestamp=9) for p in payloads])
    assert b"".join(unit.data for unit in out) == b"".join(units)
    assert len(out) == len(units)


@both
def test_marker_bits_on_parameter_sets_end_nothing(codec: str) -> None:
    units = encode_video(codec, options=PLAIN[codec])
    payloads: list[Payload] = []
    for number, unit in enumerate(units):
        for nal in split_length_prefixed(unit):
            pieces = SPLIT[codec](to_length_prefixed([bytes(nal)]), 700)
            payloads += [
                Payload(piece, piece is pieces[-1], number * 3600, number) for piece in pieces
            ]
    out = receive(MAKERS[codec](), payloads)
    assert [unit.data for unit in out] == list(units)


@both
def test_marker_bits_on_every_slice_are_seen_through(codec: str) -> None:
    units = encode_video(codec, options=SLICES[codec])
    payloads: list[Payload] = []
    for number, unit in enumerate(units):
        for nal in split_length_prefixed(unit):
            pieces = SPLIT[codec](to_length_prefixed([bytes(nal)]), 300)
            payloads += [
                Payload(piece, piece is pieces[-1], number * 3600, number) for piece in pieces
            ]
    out = receive(MAKERS[codec](), payloads)
    # The first picture comes in two halves: only then the camera's habit is known.
    assert [unit.data for unit in out[2:]] == list(units[1:])
    assert out[1].damaged


@both
def test_parameter_sets_with_the_time_of_the_picture_before(codec: str) -> None:
    units = encode_video(codec, options=PLAIN[codec])
    payloads = payloads_of(units, SPLIT[codec], 700, first=3600)
    early = [
        replace(p, timestamp=p.timestamp - 3600)
        if (p.data[0] & 0x1F == 24 and codec == "libx264") or p.data[0] >> 1 == 48
        else p
        for p in payloads
    ]
    assert early != payloads
    out = receive(MAKERS[codec](), early)
    assert [unit.data for unit in out] == list(units)
    assert [unit.timestamp for unit in out] == [3600 * (n + 1) for n in range(len(units))]


@both
def test_new_parameter_sets_in_band(codec: str) -> None:
    small, large = encode_video(codec, pictures=3), encode_video(codec, 640, 360, pictures=3)
    room = ROOMS[codec]
    depacketizer = MAKERS[codec](room.parameter_sets_in(small[0]))
    out = receive(depacketizer, payloads_of((*small, *large, *small), SPLIT[codec], 900))
    changes = [unit.parameter_sets for unit in out if unit.parameter_sets is not None]
    assert changes == [room.parameter_sets_in(large[0]), room.parameter_sets_in(small[0])]
    assert room.parameters(changes[0]).width == 640
    assert depacketizer.parameter_sets == room.parameter_sets_in(small[0])


@both
def test_one_new_parameter_set_replaces_that_of_its_number(codec: str) -> None:
    room, unit = ROOMS[codec], encode_video(codec)[0]
    sets = room.parameter_sets_in(unit)
    changed = sets[-1][:-1] + bytes((sets[-1][-1] ^ 0x10,))
    nals = [bytes(nal) for nal in split_length_prefixed(unit) if bytes(nal) not in sets]
    out = receive(
        MAKERS[codec](sets), payloads_of([to_length_prefixed([changed, *nals])], SPLIT[codec], 900)
    )
    assert out[0].parameter_sets == (*sets[:-1], changed)


def test_filler_is_left_out_and_end_of_sequence_starts_nothing() -> None:
    depacketizer = H264Depacketizer()
    out = receive(
        depacketizer,
        [
            Payload(b"\x65\x88aaa", False, 0),
            Payload(b"\x0c\xff\xff\xff\x80", True, 0),
            Payload(b"\x0a\x00\x00", False, 0),
            Payload(b"\x41\x9abbb", True, 3600),
        ],
    )
    assert [unit.data for unit in out] == [b"\0\0\0\5\x65\x88aaa", b"\0\0\0\5\x41\x9abbb"]


def test_units_complete_before_a_malformed_payload_are_kept() -> None:
    depacketizer = H264Depacketizer()
    assert not depacketizer.push(b"\x65\x88aaa", 0, 5, False, 0, False)
    with pytest.raises(ParseError):
        depacketizer.push(b"\x18\xff\xff\x65", 0, 4, False, 3600, False)
    out = depacketizer.push(b"\x41\x9abbb", 0, 5, True, 3600, False)
    assert [(unit.timestamp, unit.damaged) for unit in out] == [(0, False), (3600, True)]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x18\x00", b"\x18\x00\x05abc", b"\x18\x00\x00", b"\x1c\x85", b"\x19abcdef", b"\x1eab"],
)
def test_malformed_h264(payload: bytes) -> None:
    with pytest.raises(ParseError):
        H264Depacketizer().push(payload, 0, len(payload), True, 0, False)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x26", b"\x60\x01\x00", b"\x60\x01\x00\x09abc", b"\x62\x01\x93", b"\x64\x01a"],
)
def test_malformed_h265(payload: bytes) -> None:
    with pytest.raises(ParseError):
        H265Depacketizer().push(payload, 0, len(payload), True, 0, False)


@both
def test_a_picture_without_end_is_bounded(codec: str) -> None:
    depacketizer = MAKERS[codec]()
    start, middle = (
        (b"\x7c\x85", b"\x7c\x05") if codec == "libx264" else (b"\x62\x01\x93", b"\x62\x01\x13")
    )
    body = bytes(60_000)
    first = start + b"\x88" + body
    assert not depacketizer.push(first, 0, len(first), False, 1, False)
    for _ in range(1000):
        packet = middle + body
        assert not depacketizer.push(packet, 0, len(packet), False, 1, False)
        held = sum(map(len, depacketizer._parts))
        assert held <= MAX_UNIT
    whole = b"\x65\x88abc" if codec == "libx264" else b"\x26\x01\xafabc"
    out = depacketizer.push(whole, 0, len(whole), True, 2, False)
    assert [(unit.data[4:], unit.key) for unit in out] == [(whole, True)]


def test_tiny_fragments_are_bounded() -> None:
    depacketizer = H264Depacketizer()
    depacketizer.push(b"\x7c\x85\x88", 0, 3, False, 1, False)
    for _ in range(MAX_UNIT // 256 + 10):
        depacketizer.push(b"\x7c\x05\x00", 0, 3, False, 1, False)
    assert not depacketizer._parts


rtp_payloads = st.builds(
    Payload,
    st.binary(max_size=40)
    | st.builds(
        lambda head, body: head + body,
        st.sampled_from(
            (b"\x7c\x85", b"\x7c\x05", b"\x7c\x45", b"\x78\x00\x05", b"\x65\x88", b"\x41\x9a",
             b"\x67\x42", b"\x62\x01\x93", b"\x62\x01\x13", b"\x62\x01\x53", b"\x60\x01\x00\x05",
             b"\x26\x01\xaf", b"\x02\x01\xd0", b"\x40\x01", b"\x42\x01", b"\x44\x01")
        ),
        st.binary(max_size=12),
    ),
    st.booleans(),
    st.integers(0, 3),
)  # fmt: skip


@both
@given(payloads=st.lists(rtp_payloads, max_size=30), drop=st.frozensets(st.integers(0, 30)))
def test_arbitrary_payloads(codec: str, payloads: list[Payload], drop: frozenset[int]) -> None:
    depacketizer = MAKERS[codec]()
    for unit in receive(depacketizer, payloads, drop):
        assert split_length_prefixed(unit.data)
    assert not depacketizer.flush()


@both
@given(data=st.data())
def test_mutated_streams(codec: str, data: st.DataObject) -> None:
    payloads = payloads_of(encode_video(codec, pictures=4), SPLIT[codec], 1400)
    for _ in range(data.draw(st.integers(1, 6))):
        index = data.draw(st.integers(0, len(payloads) - 1))
        piece = bytearray(payloads[index].data)
        if piece:
            at = data.draw(st.integers(0, min(len(piece) - 1, 8)))
            piece[at] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(piece)) | st.just(len(piece)))
        payloads[index] = replace(payloads[index], data=bytes(piece[:cut]))
    for unit in receive(MAKERS[codec](), payloads):
        split_length_prefixed(unit.data)
        ROOMS[codec].is_key(unit.data)


h264_nals = st.builds(
    lambda kind, body: bytes((kind,)) + b"\x88" + body,
    st.sampled_from((0x67, 0x68, 0x06, 0x65)),
    st.binary(min_size=1, max_size=300),
)


@given(st.lists(h264_nals, min_size=1, max_size=6), st.integers(8, 200))
def test_h264_payloads_stay_below_the_mtu(nals: list[bytes], mtu: int) -> None:
    data = to_length_prefixed(nals)
    payloads = packetize(Codec.H264, data, mtu)
    assert all(len(payload) <= mtu for payload in payloads)


def test_too_small_an_mtu_is_refused() -> None:
    for split in SPLIT.values():
        with pytest.raises(ParseError):
            split(to_length_prefixed([b"\x65\x88" + bytes(50)]), 2)
    with pytest.raises(ParseError):
        packetize_h265(to_length_prefixed([b"\x26"]))


def test_the_maker_knows_each_codec() -> None:
    kinds = {
        codec: type(create_depacketizer(CodecParameters(codec, 90000))).__name__ for codec in Codec
    }
    assert kinds == {
        Codec.H264: "H264Depacketizer",
        Codec.H265: "H265Depacketizer",
        Codec.AAC: "AacDepacketizer",
        Codec.PCMU: "FrameDepacketizer",
        Codec.PCMA: "FrameDepacketizer",
        Codec.OPUS: "FrameDepacketizer",
    }


@both
def test_parameter_sets_between_slices_do_not_split_a_picture(codec: str) -> None:
    """GStreamer's payloaders put them before every slice of a key picture."""
    units = encode_video(codec, options=SLICES[codec])
    room = ROOMS[codec]
    sent = []
    for unit in units:
        nals = [bytes(nal) for nal in split_length_prefixed(unit)]
        sets = room.parameter_sets_in(unit)
        slices = [nal for nal in nals if nal not in sets]
        between = [*slices[:-1], *sets, slices[-1]]
        sent.append(to_length_prefixed([*sets, *between]) if sets else unit)
    assert any(old != new for old, new in zip(units, sent, strict=True))
    out = receive(MAKERS[codec](), payloads_of(sent, SPLIT[codec], 700))
    assert [unit.data for unit in out] == sent
    assert not any(unit.damaged for unit in out)

"""Audio frames into packets and back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.format_rtp import Payload, payloads_of, receive
from tests.support.format_streams import encode_aac

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format.depacketize import create_depacketizer
from vms.format.depacketize_audio import AacDepacketizer, FrameDepacketizer
from vms.format.packetize import packetize, packetize_aac, packetize_g711


@pytest.mark.parametrize("mtu", [50, 200, 1400])
def test_aac_of_a_real_encoder_comes_out_as_it_went_in(mtu: int) -> None:
    config, frames = encode_aac()
    payloads = payloads_of(frames, packetize_aac, mtu, step=1024, first=0xFFFFF000)
    depacketizer = create_depacketizer(CodecParameters(Codec.AAC, 16000, config=config))
    out = receive(depacketizer, payloads)
    assert [unit.data for unit in out] == frames
    assert [unit.timestamp for unit in out] == [
        (0xFFFFF000 + 1024 * n) & 0xFFFFFFFF for n in range(len(frames))
    ]
    assert all(unit.key and not unit.damaged for unit in out)


@given(st.data())
def test_lost_aac_fragments_cost_their_frame_alone(data: st.DataObject) -> None:
    _, frames = encode_aac()
    payloads = payloads_of(frames, packetize_aac, 150, step=1024)
    drop = frozenset(data.draw(st.sets(st.integers(0, len(payloads) - 1), max_size=5)))
    out = receive(AacDepacketizer(b"", {}), payloads, drop)
    hit = {payloads[index].unit for index in drop}
    assert [unit.data for unit in out] == [f for n, f in enumerate(frames) if n not in hit]


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=20))
def test_many_aac_frames_in_one_packet(frames: list[bytes]) -> None:
    head = b"".join((len(frame) << 3).to_bytes(2, "big") for frame in frames)
    packet = (len(head) * 8).to_bytes(2, "big") + head + b"".join(frames)
    units = AacDepacketizer(b"", {}).push(packet, 0, len(packet), True, 0xFFFFFFFF, False)
    assert [unit.data for unit in units] == frames
    assert [unit.timestamp for unit in units] == [
        (0xFFFFFFFF + 1024 * n) & 0xFFFFFFFF for n in range(len(frames))
    ]


def test_aac_low_bit_rate_mode() -> None:
    fmtp = {"sizelength": "6", "indexlength": "2", "indexdeltalength": "2", "mode": "AAC-lbr"}
    packet = b"\x00\x10" + bytes((3 << 2, 2 << 2)) + b"abcde"
    units = AacDepacketizer(b"", fmtp).push(packet, 0, len(packet), True, 0, False)
    assert [unit.data for unit in units] == [b"abc", b"de"]


def test_short_aac_frames_count_960_samples() -> None:
    config = bytes((0x14, 0x08 | 0x04))
    packet = b"\x00\x20" + b"\x00\x08" * 2 + b"ab"
    units = AacDepacketizer(config, {}).push(packet, 0, len(packet), True, 0, False)
    assert [unit.timestamp for unit in units] == [0, 960]


@given(
    st.lists(st.builds(Payload, st.binary(max_size=40), st.booleans(), st.integers(0, 2))),
    st.frozensets(st.integers(0, 20)),
    st.dictionaries(
        st.sampled_from(("sizelength", "indexlength", "indexdeltalength")),
        st.integers(0, 20).map(str) | st.text(max_size=5),
    ),
)
def test_arbitrary_aac(payloads: list[Payload], drop: frozenset[int], fmtp: dict[str, str]) -> None:
    with contextlib.suppress(ParseError):
        receive(AacDepacketizer(b"", fmtp), payloads, drop)


@given(st.binary(min_size=1, max_size=500), st.integers(1, 200))
def test_g711_is_cut_and_joined(samples: bytes, mtu: int) -> None:
    units = receive(FrameDepacketizer(), payloads_of([samples], packetize_g711, mtu))
    assert b"".join(unit.data for unit in units) == samples
    assert packetize(Codec.PCMU, samples, mtu) == packetize(Codec.PCMA, samples, mtu)


def test_an_opus_packet_stays_whole() -> None:
    frame = b"\x78" + bytes(2000)
    units = receive(
        FrameDepacketizer(), [Payload(p, False, 5) for p in packetize(Codec.OPUS, frame)]
    )
    assert [(unit.data, unit.timestamp) for unit in units] == [(frame, 5)]
    assert not FrameDepacketizer().push(b"", 0, 0, False, 0, False)


@pytest.mark.parametrize(("size", "mtu"), [(0, 100), (0x2000, 100), (100, 4)])
def test_aac_that_cannot_be_sent(size: int, mtu: int) -> None:
    with pytest.raises(ParseError):
        packetize_aac(bytes(size), mtu)

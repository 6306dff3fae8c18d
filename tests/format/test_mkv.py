"""The Matroska writer, judged by FFmpeg (through PyAV) and by our own reader."""

from __future__ import annotations

import io
from collections.abc import Sequence

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.storage_media import START_NS, Packet, encode_aac, encode_video, g711

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters, Medium
from vms.format.mkv import MkvWriter, encode_note
from vms.format.mkv_reader import Block, MkvReader

Track = tuple[CodecParameters, Sequence[Packet]]


def written(*tracks: Track, close: bool = True) -> bytes:
    """The file that the tracks make, all patches applied."""
    rows = sorted(
        (
            (pts * 1000 // parameters.clock_rate, number, key, data)
            for number, (parameters, packets) in enumerate(tracks, 1)
            for pts, key, data in packets
        ),
        key=lambda row: (row[0] if row[1] != 1 else 0, 0),
    )
    writer = MkvWriter([t[0] for t in tracks], START_NS, "front main", {"VMS_CAMERA": "front"})
    data = bytearray(writer.head)
    for ms, number, key, payload in rows:
        note = b""
        if number == 1 and key:
            note = encode_note(START_NS + ms * 1_000_000, START_NS - 5)
        data += writer.block(number, ms, key, len(payload), note) + payload
        assert len(data) == writer.position
        apply(data, writer.take_patches())
    if close:
        tail, patches = writer.finish(max(row[0] for row in rows) + 40)
        data += tail
        apply(data, patches)
        assert len(data) == writer.position
    return bytes(data)


def apply(data: bytearray, patches: list[tuple[int, bytes]]) -> None:
    for offset, piece in patches:
        assert offset + len(piece) <= len(data)
        data[offset : offset + len(piece)] = piece


def read(data: bytes, step: int = 1 << 20) -> tuple[MkvReader, list[Block]]:
    reader = MkvReader()
    blocks = []
    for at in range(0, len(data), step):
        blocks += reader.feed(data[at : at + step])
    return reader, blocks


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("close", [True, False])
def test_ffmpeg_reads_every_packet_back(codec: Codec, b_frames: int, close: bool) -> None:
    parameters, packets = encode_video(codec, b_frames=b_frames)
    data = written((parameters, packets), close=close)
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        got = [p for p in container.demux(stream) if p.size]
        assert [bytes(p) for p in got] == [p[2] for p in packets]
        assert [p.pts for p in got] == [p[0] // 90 for p in packets]
        assert [p.is_keyframe for p in got] == [p[1] for p in packets]
        assert (stream.width, stream.height) == (160, 96)
        if close:
            assert container.duration == 2_000_000
    with av.open(io.BytesIO(data)) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(packets)


def test_a_player_seeks_by_the_cues() -> None:
    parameters, packets = encode_video(pictures=250, gop=25)
    data = written((parameters, packets))
    with av.open(io.BytesIO(data)) as container:
        container.seek(6_300_000)
        frame = next(container.decode(video=0))
        assert frame.time == pytest.approx(6.0)


@pytest.mark.parametrize("audio", ["aac", "pcmu", "pcma"])
def test_audio_beside_video(audio: str) -> None:
    sound = encode_aac() if audio == "aac" else g711(Codec(audio))
    data = written(encode_video(), sound)
    with av.open(io.BytesIO(data)) as container:
        name = {"aac": "aac", "pcmu": "pcm_mulaw", "pcma": "pcm_alaw"}[audio]
        stream = container.streams.audio[0]
        assert stream.codec_context.name == name
        assert stream.rate == sound[0].clock_rate
        got = [bytes(p) for p in container.demux(stream) if p.size]
        assert got == [p[2] for p in sound[1]]
    with av.open(io.BytesIO(data)) as container:
        assert sum(f.samples for f in container.decode(audio=0)) >= sound[0].clock_rate * 1.9


def test_opus_is_named_with_its_head() -> None:
    parameters = CodecParameters(Codec.OPUS, 48_000, channels=2)
    silence = tuple((n * 960, True, b"\xfc\xff\xfe") for n in range(100))
    with av.open(io.BytesIO(written(encode_video(), (parameters, silence)))) as container:
        context = container.streams.audio[0].codec_context
        assert (context.name, context.sample_rate) == ("opus", 48_000)
        assert sum(f.samples for f in container.decode(audio=0)) > 48_000


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_our_reader_gives_back_what_was_written(step: int) -> None:
    video, sound = encode_video(b_frames=2), encode_aac()
    reader, blocks = read(written(video, sound), step)
    pictures = [b for b in blocks if b.track == 1]
    assert [(b.time_ns, b.key, b.data) for b in pictures] == [
        (p[0] // 90 * 1_000_000, p[1], p[2]) for p in video[1]
    ]
    assert [b.data for b in blocks if b.track == 2] == [p[2] for p in sound[1]]
    assert all(
        (b.wall_ns, b.camera_ns) == (START_NS + b.time_ns, START_NS - 5) for b in pictures if b.key
    )
    assert reader.header.tracks[1].parameter_sets == video[0].parameter_sets
    assert reader.header.tracks[2] == sound[0]
    assert reader.header.date_ns == START_NS
    assert reader.header.duration_ns is not None
    assert reader.header.tags == {"VMS_CAMERA": "front"}
    assert reader.header.title == "front main"
    assert reader.layout is not None


def test_the_reader_reads_what_ffmpeg_writes() -> None:
    parameters, packets = encode_video()
    out = io.BytesIO()
    with (
        av.open(io.BytesIO(written((parameters, packets)))) as source,
        av.open(out, "w", format="matroska") as target,
    ):
        track = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = track
                target.mux(packet)
    reader, blocks = read(out.getvalue())
    assert [b.data for b in blocks] == [p[2] for p in packets]
    assert [b.key for b in blocks] == [p[1] for p in packets]
    assert reader.header.tracks[1].parameter_sets == parameters.parameter_sets
    assert reader.layout is None


def test_reading_goes_on_from_any_cluster() -> None:
    data = written(encode_video(pictures=100))
    whole, blocks = read(data)
    for start in {b.cluster for b in blocks}:
        reader = MkvReader(start, whole.header)
        rest = reader.feed(data[start:])
        assert [b.offset for b in rest] == [b.offset for b in blocks if b.offset > start]


def test_a_cut_file_ends_at_its_last_whole_block() -> None:
    data = written(encode_video(), close=False)
    _, blocks = read(data)
    for cut in range(len(data) - 400, len(data)):
        reader, kept = read(data[:cut])
        expected = [b for b in blocks if b.offset + len(b.data) + 9 <= cut]
        assert len(kept) == len(expected)
        assert reader.whole_end == (kept[-1].offset + len(kept[-1].data) + 9)
        assert reader.open_cluster


_SMALL = written(encode_video(pictures=20, width=64, height=48), encode_aac(0.5))


@given(st.integers(0, len(_SMALL) - 1), st.binary(min_size=1, max_size=12), st.integers(1, 5000))
def test_damaged_files_raise_parse_errors_only(at: int, damage: bytes, step: int) -> None:
    data = _SMALL[:at] + damage + _SMALL[at + len(damage) :]
    try:
        reader, blocks = read(data, step)
    except ParseError:
        return
    assert reader.whole_end <= len(data)
    assert all(b.offset + len(b.data) <= len(data) for b in blocks)


@given(st.integers(0, 120), st.binary(max_size=300))
def test_hostile_heads_raise_parse_errors_only(at: int, tail: bytes) -> None:
    try:
        read(_SMALL[:at] + tail)
    except ParseError:
        return


@given(
    st.lists(st.tuples(st.integers(0, 100_000), st.booleans(), st.binary(max_size=40)), max_size=60)
)
def test_any_order_of_times_is_kept(rows: list[tuple[int, bool, bytes]]) -> None:
    parameters, _ = encode_video()
    writer = MkvWriter([parameters], START_NS)
    data = bytearray(writer.head)
    for ms, key, payload in rows:
        note = encode_note(START_NS, None) if key else b""
        data += writer.block(1, ms, key, len(payload), note) + payload
        apply(data, writer.take_patches())
    tail, patches = writer.finish(100_000)
    data += tail
    apply(data, patches)
    reader, blocks = read(bytes(data))
    assert [(b.time_ns // 1_000_000, b.key, b.data) for b in blocks] == rows
    assert reader.whole_end == len(data)
    assert parameters.medium is Medium.VIDEO

"""What the fuzzers call: each takes any bytes, and lets nothing but an assertion out.

A target drives a parser the way its users do and then what they do with the result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format import (
    aac,
    annexb,
    digest,
    h264,
    h265,
    index,
    index_rebuild,
    mkv_reader,
    rtcp,
    rtp,
    rtsp,
    rtsp_headers,
    sdp,
    sei,
)
from vms.format.bits import escape, unescape
from vms.format.depacketize import MAX_UNIT, create_depacketizer
from vms.format.packetize import packetize
from vms.format.sdp_codecs import media_for, select_format

_refused = contextlib.suppress(ParseError)


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cuts data into pieces: each is preceded by its length in one byte."""
    at = 0
    while at < len(data):
        yield data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]


def fuzz_rtsp(data: bytes) -> None:
    """A connection: the same bytes whole and in pieces give the same messages."""
    whole: list[object] = []
    failed = _messages([data], whole)
    step = (data[0] & 31) + 1 if data else 1
    parts: list[object] = []
    broken = _messages([data[at : at + step] for at in range(0, len(data), step)], parts)
    assert failed == broken
    # What stood before the fault in the same read is not handed out.
    assert parts[: len(whole)] == whole or failed


def _messages(pieces: list[bytes], out: list[object]) -> bool:
    parser = rtsp.RtspParser()
    with _refused:
        for piece in pieces:
            for message in parser.feed(piece):
                if isinstance(message, rtsp.Interleaved):
                    assert 0 <= message.start <= message.end <= len(message.data)
                    out.append(message.data[message.start : message.end])
                    continue
                out.append((message.headers, message.body, message.cseq))
                _headers(message)
        return False
    return True


def _headers(message: rtsp.Request | rtsp.Response) -> None:
    headers = message.headers
    with _refused:
        message.encode()
    for read, name in (
        (rtsp_headers.parse_transports, "Transport"),
        (rtsp_headers.parse_session, "Session"),
        (rtsp_headers.parse_rtp_info, "RTP-Info"),
        (digest.parse_authorization, "Authorization"),
    ):
        with _refused:
            read(headers.get(name))  # type: ignore[operator]
    with _refused:
        digest.parse_challenges(headers.get_all("WWW-Authenticate"))
    if isinstance(message, rtsp.Request):
        with _refused:
            rtsp_headers.without_credentials(message.url)


def fuzz_sdp(data: bytes) -> None:
    """A description that was read can be written and read again to the same."""
    with _refused:
        read = sdp.parse(data)
        for media in read.media:
            found = select_format(media)
            if found is not None:
                with _refused:
                    media_for(found[1], found[0])
        written = sdp.build(read)
        assert sdp.build(sdp.parse(written)) == written


def fuzz_rtp(data: bytes) -> None:
    """Packets of one track, through every depacketiser."""
    for codec in Codec:
        depacketizer = create_depacketizer(CodecParameters(codec, 90_000))
        units = []
        for piece in _pieces(data):
            with _refused:
                header = rtp.parse_rtp(piece)
                assert 0 <= header.start <= header.end <= len(piece)
                units += depacketizer.push(
                    piece,
                    header.start,
                    header.end,
                    header.marker,
                    header.timestamp,
                    bool(header.sequence & 1),
                )
        units += depacketizer.flush()
        for unit in units:
            assert 0 < len(unit.data) <= MAX_UNIT
            if codec in (Codec.H264, Codec.H265):
                annexb.ranges(unit.data)


def fuzz_rtcp(data: bytes) -> None:
    with _refused:
        assert rtcp.parse_rtcp(data)


def fuzz_nal(data: bytes) -> None:
    """Parameter sets, configuration records, SEI and rows of NAL units."""
    for room, build, parse in (
        (h264, h264.avcc, h264.parse_avcc),
        (h265, h265.hvcc, h265.parse_hvcc),
    ):
        with _refused:
            read = room.parse_sps(data)  # type: ignore[attr-defined]
            assert 0 < read.width <= 16384
            assert 0 < read.height <= 16384
            assert 0.0 <= read.frame_rate <= 1000.0
            assert parse(build([data])) == ((data,), 4)  # type: ignore[operator]
        for call in (room.parameters, room.codec_string):  # type: ignore[attr-defined]
            with _refused:
                call(list(_pieces(data)))
        with _refused:
            parse(data)  # type: ignore[operator]
    for codec in (Codec.H264, Codec.H265):
        with _refused:
            sei.find_user_data(data, codec, bytes(16))
        with _refused:
            for payload in packetize(codec, data, 20 + (data[0] if data else 0)):
                assert len(payload) <= 20 + data[0]
    assert unescape(escape(data + b"\x80")) == data + b"\x80"
    with _refused:
        aac.parameters(data)
    annexb.split_annexb(data)


def fuzz_digest(data: bytes) -> None:
    """Challenges that can be answered are answered; hostile answers never pass."""
    text = data.decode("utf-8", "replace")
    with _refused:
        for challenge in digest.parse_challenges(text.split("\n")):
            if challenge.strength:
                value = digest.authorization(challenge, "user", "secret", "PLAY", "rtsp://a/b")
                answer = digest.parse_authorization(value)
                assert digest.verify(answer, challenge, "user", "secret", "PLAY")
    with _refused:
        answer = digest.parse_authorization(text)
        known = digest.Challenge("digest", answer.realm, answer.nonce)
        assert not digest.verify(answer, known, answer.username, "secret", "PLAY")


def fuzz_index(data: bytes) -> None:
    """An index that is read can be written and read again to the same."""
    with _refused:
        read = index.parse(data)
        for one, following in pairwise(read.groups):
            assert one.offset + one.size <= following.offset
            assert one.wall_ns <= following.wall_ns
        again = index.parse(index.encode(replace(read, header=replace(read.header, schema=2))))
        index.check(again)
        assert [group.offset for group in again.groups] == [group.offset for group in read.groups]
        with _refused:
            index.check(read)


def fuzz_mkv(data: bytes) -> None:
    """A recording, whole and in pieces: the same pictures, and an index that lies within it."""
    step = (data[0] & 127) + 1 if data else 1
    whole, made = _remade(data, len(data) or 1)
    parts, remade = _remade(data, step)
    assert whole == parts
    assert (made is None) == (remade is None)
    if made is None:
        return
    assert made == remade
    for group in made.groups:
        assert 0 < group.size <= len(data) - group.offset
        assert group.pictures
    with _refused:
        written = index.encode(made)
        assert index.parse(written).groups == made.groups


def _remade(data: bytes, step: int) -> tuple[list[object], index.SegmentIndex | None]:
    """(times of the pictures read, the index made again) up to the damage, as who mends does."""
    reader = mkv_reader.MkvReader()
    rebuilder = index_rebuild.Rebuilder(mkv_reader.MkvReader())
    found: list[object] = []
    with _refused:
        for at in range(0, len(data), step):
            found += [
                (block.track, block.time_ns, block.key, block.offset)
                for block in reader.feed(data[at : at + step])
            ]
    with _refused:
        for at in range(0, len(data), step):
            rebuilder.feed(data[at : at + step])
    with _refused:
        return found, rebuilder.finish()
    return found, None


TARGETS: dict[str, Callable[[bytes], None]] = {
    "rtsp": fuzz_rtsp,
    "sdp": fuzz_sdp,
    "rtp": fuzz_rtp,
    "rtcp": fuzz_rtcp,
    "nal": fuzz_nal,
    "digest": fuzz_digest,
    "index": fuzz_index,
    "mkv": fuzz_mkv,
}

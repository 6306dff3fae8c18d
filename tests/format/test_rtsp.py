"""RTSP messages and interleaved frames."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.common.errors import ParseError
from vms.format.rtsp import (
    MAX_BODY,
    MAX_HEADER,
    Headers,
    Interleaved,
    Message,
    Request,
    Response,
    RtspParser,
    interleave,
)
from vms.format.rtsp_headers import (
    RtpInfo,
    Transport,
    parse_rtp_info,
    parse_session,
    parse_transport,
    parse_transports,
    resolve_control,
    without_credentials,
)

names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True).filter(
    lambda name: name.lower() != "content-length"
)
values = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40
).map(str.strip)  # fmt: skip
headers = st.lists(st.tuples(names, values), max_size=8).map(Headers)
urls = st.from_regex(r"rtsp://[a-z0-9.]{1,20}(:[0-9]{1,4})?/[!-~]{0,30}", fullmatch=True)
requests = st.builds(
    Request, st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), urls, headers, st.binary(max_size=99)
)
responses = st.builds(Response, st.integers(100, 999), headers, st.binary(max_size=99), values)
frames = st.tuples(st.integers(0, 255), st.binary(max_size=300))


def encode(message: object) -> bytes:
    return interleave(*message) if isinstance(message, tuple) else message.encode()  # type: ignore


def plain(message: Message) -> object:
    """What can be compared: content length left out, frames as their bytes."""
    if isinstance(message, Interleaved):
        return (message.channel, message.data[message.start : message.end])
    message.headers = Headers(
        item for item in message.headers.items() if item[0].lower() != "content-length"
    )
    if isinstance(message, Response):
        message.reason = message.reason or "?"
    return message


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(place, len(data)) for place in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(requests | responses | frames, max_size=6), st.lists(st.integers(0, 2000)))
def test_however_it_is_cut_it_gives_back_what_went_in(
    messages: list[object], cuts: list[int]
) -> None:
    data = b"".join(encode(message) for message in messages)
    parser = RtspParser()
    out = [plain(message) for piece in cut(data, cuts) for message in parser.feed(piece)]
    for message, read in zip(messages, out, strict=True):
        if isinstance(message, Response):
            assert isinstance(read, Response)
            assert (message.status, message.headers, message.body) == (
                read.status, read.headers, read.body,
            )  # fmt: skip
        else:
            assert read == message


@given(st.lists(frames, max_size=20), st.lists(st.integers(0, 6000)))
def test_frames_go_to_their_channels(sent: list[tuple[int, bytes]], cuts: list[int]) -> None:
    got: list[tuple[int, bytes]] = []
    channels = {
        number: lambda data, start, end, number=number: got.append((number, data[start:end]))
        for number in range(100)
    }
    parser = RtspParser(channels)
    data = b"".join(interleave(*frame) for frame in sent) + Request("PLAY", "*").encode()
    messages = [message for piece in cut(data, cuts) for message in parser.feed(piece)]
    assert [type(message) for message in messages] == [Request]
    assert got == [frame for frame in sent if frame[0] < 100]
    assert parser.strays == sum(frame[0] >= 100 for frame in sent)


def test_frames_are_not_copied() -> None:
    data = interleave(0, b"abc") + interleave(1, b"de")
    out = RtspParser().feed(data)
    assert all(isinstance(frame, Interleaved) and frame.data is data for frame in out)
    assert [(frame.start, frame.end) for frame in out] == [(4, 7), (11, 13)]  # type: ignore


def test_messages_of_the_field() -> None:
    text = (
        b"\r\n\r\nRTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\n"
        b'WWW-Authenticate: Digest realm="a"\r\nwww-authenticate: Basic realm="b"\r\n'
        b"X-Folded: one\r\n  two\r\nEmpty:\r\n\r\n"
        b"RTSP/1.0 200\r\ncseq:3\r\nContent-length:  4 \r\n\r\nbody"
    )
    first, second = RtspParser().feed(text)
    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert (first.status, first.reason, first.cseq) == (401, "Unauthorized", 2)
    assert first.headers.get_all("WWW-Authenticate") == ['Digest realm="a"', 'Basic realm="b"']
    assert first.headers.get("x-folded") == "one two"
    assert "EMPTY" in first.headers
    assert (second.status, second.cseq, second.body) == (200, 3, b"body")
    assert Request("OPTIONS", "*").cseq == -1
    assert Response(404).encode() == b"RTSP/1.0 404 Not Found\r\n\r\n"
    assert "secret" not in repr(Headers({"Authorization": "secret"}))


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x00",
        b"hello world",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"PLAY\r\n\r\n",
        b"PLAY rtsp://a\r\n\r\n",
        b"PLAY rtsp://a HTTP/1.1\r\n\r\n",
        b"RTSP/1.0 2000 OK\r\n\r\n",
        b"RTSP/1.0 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nno colon\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n: nameless\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 60000000\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 1e3\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"RTSP/1.0 200 OK\r\nA: " + b"b" * MAX_HEADER,
        b"R" * (MAX_HEADER + 10),
    ],
)
def test_what_is_not_rtsp_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        RtspParser().feed(data)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_endless_headers_are_refused_in_bounded_room(size: int) -> None:
    parser = RtspParser()
    start = time.thread_time()
    parser.feed(b"RTSP/1.0 200 OK\r\nA: b")

    def trickle() -> None:
        for _ in range(2 * MAX_HEADER // size):
            parser.feed(b"b" * size)
            assert parser._have <= MAX_HEADER + 1000

    with pytest.raises(ParseError):
        trickle()
    assert time.thread_time() - start < 2.0


def test_a_body_that_trickles_in() -> None:
    body = bytes(MAX_BODY)
    data = Response(200, body=body).encode()
    parser = RtspParser()
    start = time.thread_time()
    out = [message for at in range(len(data)) for message in parser.feed(data[at : at + 1])]
    assert time.thread_time() - start < 2.0
    assert isinstance(out[0], Response)
    assert out[0].body == body


@pytest.mark.parametrize(
    "message",
    [
        Request("PLAY", "rtsp://a/\r\nX: y"),
        Request("PLAY", "*", Headers({"A": "b\nc"})),
        Request("PLAY", "*", Headers({"A b": "c"})),
        Response(200, reason="O\rK"),
    ],
)
def test_line_breaks_are_not_written(message: Request | Response) -> None:
    with pytest.raises(ParseError):
        message.encode()


@given(st.lists(st.binary(max_size=60), max_size=10), st.booleans())
def test_arbitrary_bytes(pieces: list[bytes], started: bool) -> None:
    parser = RtspParser()
    try:
        if started:
            parser.feed(b"RTSP/1.0 200 OK\r\nA: ")
        for piece in pieces:
            for message in parser.feed(piece):
                plain(message)
    except ParseError:
        return


@given(st.data())
def test_mutated_messages(data: st.DataObject) -> None:
    text = bytearray(
        interleave(0, b"x" * 20)
        + Response(200, Headers({"CSeq": "1", "Session": "a;timeout=60"}), b"v=0\r\n").encode()
        + Request("SETUP", "rtsp://a/b", Headers({"Transport": "RTP/AVP"})).encode()
    )
    for _ in range(data.draw(st.integers(1, 5))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        RtspParser().feed(bytes(text))
    except ParseError:
        return


pairs = st.none() | st.tuples(st.integers(0, 255), st.integers(0, 255))
hosts = st.from_regex(r"[a-z0-9.:]{0,20}", fullmatch=True)
transports = st.builds(
    Transport, st.sampled_from(("RTP/AVP", "RTP/AVP/TCP", "RTP/SAVP")), st.booleans(), pairs,
    pairs, pairs, st.none() | st.integers(0, 0xFFFFFFFF), hosts, hosts,
    st.sampled_from(("", "PLAY", "record")),
)  # fmt: skip


@given(st.lists(transports, min_size=1, max_size=4))
def test_transports_give_back_what_went_in(sent: list[Transport]) -> None:
    assert parse_transports(",".join(transport.encode() for transport in sent)) == sent


def test_transports_of_the_field() -> None:
    read = parse_transport('RTP/AVP/TCP;unicast;interleaved=2;ssrc=00A1B2C3;mode="play"')
    assert (read.interleaved, read.ssrc, read.over_tcp) == ((2, 3), 0xA1B2C3, True)
    read = parse_transport("RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;ssrc=?")
    assert (read.client_port, read.server_port, read.ssrc) == ((5000, 5001), (6000, 6001), None)
    assert not read.over_tcp
    for value in ("", "RTP/AVP;client_port=x", "RTP/AVP;client_port=1-70000", ",".join("ab" * 20)):
        with pytest.raises(ParseError):
            parse_transport(value)


def test_session_and_rtp_info() -> None:
    assert parse_session("12ab;timeout=30") == ("12ab", 30)
    assert parse_session(" 12ab ; Timeout = 0") == ("12ab", 60)
    assert parse_session("12ab;timeout=soon") == ("12ab", 60)
    with pytest.raises(ParseError):
        parse_session(";timeout=3")
    assert parse_rtp_info("url=rtsp://a/b;seq=9;rtptime=77, url=c;seq=x,odd") == [
        RtpInfo("rtsp://a/b", 9, 77),
        RtpInfo("c"),
    ]


@pytest.mark.parametrize(
    ("base", "control", "wanted"),
    [
        ("rtsp://a/b", "trackID=1", "rtsp://a/b/trackID=1"),
        ("rtsp://a/b/", "trackID=1", "rtsp://a/b/trackID=1"),
        ("rtsp://a/b?c=d", "trackID=1", "rtsp://a/b?c=d/trackID=1"),
        ("rtsp://a/b", "*", "rtsp://a/b"),
        ("rtsp://a/b", "", "rtsp://a/b"),
        ("rtsp://a/b", "RTSP://x/y", "RTSP://x/y"),
    ],
)
def test_control_urls(base: str, control: str, wanted: str) -> None:
    assert resolve_control(base, control) == wanted


def test_urls_without_credentials() -> None:
    url = "rtsp://joe:pass@[::1]:554/a?b=c"
    assert without_credentials(url) == "rtsp://[::1]:554/a?b=c"
    assert without_credentials("rtsp://host/a") == "rtsp://host/a"
    for bad in ("rtsp://[", "rtsp://a:b/"):
        with pytest.raises(ParseError) as caught:
            without_credentials(bad)
        assert bad not in str(caught.value)


@given(st.text(max_size=60))
def test_arbitrary_header_values(text: str) -> None:
    for read in (parse_transports, parse_session, parse_rtp_info, without_credentials):
        try:
            read(text)
        except ParseError:
            continue

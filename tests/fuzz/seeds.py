"""Where the fuzzers begin: valid inputs of every kind, made by the project's own writers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.format.test_index import recording
from tests.support.format_streams import encode_aac, encode_video

from vms.common.model.media import Codec, CodecParameters
from vms.format import aac, digest, h264, h265, rtcp, rtp, rtsp, sdp, sei
from vms.format import index as indexes
from vms.format.annexb import split_length_prefixed, to_length_prefixed
from vms.format.packetize import packetize
from vms.format.sdp_codecs import media_for

_ROOMS = ((Codec.H264, "libx264", h264), (Codec.H265, "libx265", h265))


def seeds(target: str) -> list[bytes]:
    """Valid inputs of one target."""
    return {
        "rtsp": _rtsp,
        "sdp": _sdp,
        "rtp": _rtp,
        "rtcp": _rtcp,
        "nal": _nal,
        "digest": _digest,
        "index": _index,
        "mkv": _mkv,
    }[target]()


def write(target: str, folder: Path) -> Path:
    """Writes the seeds of one target into `folder`; gives the folder of that target."""
    place = folder / target
    place.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(target)):
        (place / f"seed-{number}").write_bytes(data)
    return place


def _digest() -> list[bytes]:
    texts = [
        digest.Challenge("digest", "camera", "abc", algorithm, qop, "o", True).header()
        for algorithm in (digest.MD5, digest.MD5_SESS, digest.SHA256, digest.SHA256_SESS)
        for qop in ((), ("auth", "auth-int"))
    ]
    answers = [
        digest.authorization(challenge, "user", "other", "PLAY", "rtsp://a/b", 1, "c0")
        for text in (*texts, 'Basic realm="x"')
        for challenge in digest.parse_challenges([text])
    ]
    return [text.encode() for text in (*texts, *answers, 'Negotiate a==, Basic realm="\\"x"')]


def _rtsp() -> list[bytes]:
    headers = {
        "CSeq": "3",
        "Session": "12345678;timeout=60",
        "Transport": "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=DEADBEEF,RTP/AVP;client_port=4-5",
        "RTP-Info": "url=rtsp://a/b;seq=1;rtptime=2",
        "WWW-Authenticate": 'Digest realm="a", nonce="b"',
        "Authorization": "Basic YTpi",
    }
    request = rtsp.Request("SETUP", "rtsp://u:p@a:554/b?c=d", rtsp.Headers(headers))
    response = rtsp.Response(200, rtsp.Headers(headers), b"v=0\r\n")
    frame = rtsp.interleave(0, bytes(20))
    return [
        request.encode(),
        response.encode(),
        frame + response.encode() + frame,
        b"\r\n\r\n" + request.encode(),
        b"PLAY * RTSP/1.0\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nab",
    ]


def _sdp() -> list[bytes]:
    audio = aac.parameters(encode_aac()[0])
    media = [media_for(audio, 97, "trackID=1")]
    media += [
        media_for(room.parameters(room.parameter_sets_in(encode_video(name)[0])), 96, "*")
        for _, name, room in _ROOMS
    ]
    media += [media_for(CodecParameters(Codec.OPUS, 48000), 98)]
    whole = sdp.SessionDescription(tuple(media), connection="IN IP4 0.0.0.0", control="*")
    texts = [sdp.build(sdp.SessionDescription((one,))) for one in media]
    return [sdp.build(whole), *texts, b"v=0\nm=audio 0 RTP/AVP 8\na=recvonly\n"]


def _packets(codec: Codec, units: list[bytes], mtu: int) -> bytes:
    out = bytearray()
    sequence = 0
    for number, unit in enumerate(units):
        payloads = packetize(codec, unit, mtu)
        for payload in payloads:
            marker = payload is payloads[-1]
            packet = rtp.build_header(96, sequence * 2, number * 3600, 1, marker) + payload
            out += bytes((len(packet),)) + packet
            sequence += 1
    return bytes(out)


def _rtp() -> list[bytes]:
    large = b"\x88" + bytes(500)
    found = [
        _packets(codec, units, mtu)
        for codec, units in (
            (
                Codec.H264,
                [to_length_prefixed([b"\x67\x42\xc0\x0d", b"\x68\xce", b"\x65\x88" + bytes(500)])],
            ),
            (Codec.H265, [to_length_prefixed([b"\x40\x01\x0c", b"\x26\x01" + large])]),
            (Codec.AAC, encode_aac()[1][:2]),
            (Codec.PCMU, [bytes(160)]),
        )
        for mtu in (100, 240)
    ]
    extended = bytearray(found[0])
    extended[1] |= 0x30
    return [*found, bytes(extended)]


def _rtcp() -> list[bytes]:
    blocks = [rtcp.ReportBlock(7, 1, -2, 3, 4, 5, 6)]
    report = rtcp.build_sender_report(1, 1_700_000_000_000_000_000, 2, 3, 4, blocks)
    parts = [
        report,
        rtcp.build_receiver_report(1, blocks),
        rtcp.build_source_description(1, "camera"),
        rtcp.build_bye([1, 2], "off"),
        rtcp.build_nack(1, 2, [3, 4, 99]),
        rtcp.build_pli(1, 2),
        rtcp.build_fir(1, [(2, 3)]),
        b"\x8f\xce\x00\x05" + bytes(8) + b"REMB\x01\x0c\x01\x00\x00\x00\x00\x09",
    ]
    return [*parts, b"".join(parts)]


def _nal() -> list[bytes]:
    found: list[bytes] = [encode_aac()[0]]
    for codec, name, room in _ROOMS:
        for options in ((), (("tune", ""), ("preset", "fast"))):
            sets = room.parameter_sets_in(encode_video(name, options=options)[0])
            found += sets
            found.append(b"".join(bytes((len(nal),)) + nal for nal in sets))
            found.append(h264.avcc(sets) if room is h264 else h265.hvcc(sets))
            stamp = sei.build_stamp_sei(codec, bytes(16), b"payload")
            found.append(to_length_prefixed([stamp, *sets]))
        unit = split_length_prefixed(encode_video(name, 64, 64)[1])
        found.append(to_length_prefixed(bytes(nal) for nal in unit))
    return found


def _index() -> list[bytes]:
    made = recording()[1]
    end = indexes.IndexEnd(made.groups[-1].wall_ns + 10**9, 2000, 9000, 50, len(made.groups))
    whole = replace(made, end=end)
    texts = [indexes.encode(one) for one in (made, whole)]
    moved = replace(whole, shifts=[indexes.Shift(-(10**9), indexes.last_link(whole))])
    first = replace(whole, header=replace(whole.header, schema=1))
    return [*texts, indexes.encode(moved), indexes.encode(first), texts[1][:-20]]


def _mkv() -> list[bytes]:
    data, made = recording()
    first = made.groups[0]
    return [data, data[: first.offset], data[: first.offset + first.size], data[:-7]]

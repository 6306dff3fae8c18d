"""Access units into RTP payloads: the other way round than `depacketize`.

Sources: RFC 6184 (H.264), RFC 7798 (H.265), RFC 3640 (AAC-hbr), RFC 3551, RFC 7587.
Every function gives the payloads of one access unit; the last one takes the marker bit
(of video). `mtu` is the most bytes of a payload, without IP, UDP and RTP headers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vms.common.errors import ParseError
from vms.common.model.media import Codec
from vms.format.annexb import ranges

DEFAULT_MTU = 1200
_STAP_A = 24
_FU_A = 28
_AGGREGATION = 48
_FRAGMENT = 49
_MAX_AAC_FRAME = 0x1FFF


def packetize(codec: Codec, data: bytes, mtu: int = DEFAULT_MTU) -> list[bytes]:
    """RTP payloads of one access unit of any codec."""
    return _BY_CODEC[codec](data, mtu)


def packetize_h264(data: bytes, mtu: int = DEFAULT_MTU) -> list[bytes]:
    """Single NAL units, STAP-A for small ones in a row, FU-A for large ones."""
    view = memoryview(data)
    payloads: list[bytes] = []
    for group in _groups(ranges(data), mtu, 1):
        start, end = group[0]
        if len(group) > 1:
            indicator = max(data[at] & 0x60 for at, _ in group) | _STAP_A
            indicator |= 0x80 if any(data[at] & 0x80 for at, _ in group) else 0
            payloads.append(_aggregate(view, bytes((indicator,)), group))
        elif end - start <= mtu:
            payloads.append(bytes(view[start:end]))
        else:
            header = data[start]
            indicator_byte, kind = header & 0xE0 | _FU_A, header & 0x1F
            payloads += _fragments(view, start + 1, end, bytes((indicator_byte,)), kind, mtu)
    return payloads


def packetize_h265(data: bytes, mtu: int = DEFAULT_MTU) -> list[bytes]:
    """Single NAL units, aggregation packets for small ones, fragmentation units."""
    view = memoryview(data)
    payloads: list[bytes] = []
    for group in _groups(ranges(data), mtu, 2):
        start, end = group[0]
        if end - start < 3:
            raise ParseError(f"H.265 NAL unit of {end - start} bytes")
        if len(group) > 1:
            layer = min((data[at] & 1) << 5 | data[at + 1] >> 3 for at, _ in group)
            temporal = min(data[at + 1] & 7 for at, _ in group)
            forbidden = 0x80 if any(data[at] & 0x80 for at, _ in group) else 0
            header = bytes(
                (forbidden | _AGGREGATION << 1 | layer >> 5, layer << 3 & 0xF8 | temporal)
            )
            payloads.append(_aggregate(view, header, group))
        elif end - start <= mtu:
            payloads.append(bytes(view[start:end]))
        else:
            header = bytes((data[start] & 0x81 | _FRAGMENT << 1, data[start + 1]))
            kind = (data[start] >> 1) & 0x3F
            payloads += _fragments(view, start + 2, end, header, kind, mtu)
    return payloads


def _groups(nals: Sequence[tuple[int, int]], mtu: int, header: int) -> list[list[tuple[int, int]]]:
    """NAL units that share a payload: neighbours that fit into it together."""
    groups: list[list[tuple[int, int]]] = []
    room = 0
    for start, end in nals:
        size = end - start + 2
        if groups and size <= room:
            groups[-1].append((start, end))
        else:
            groups.append([(start, end)])
            room = mtu - header
        room -= size
    return groups


def _aggregate(view: memoryview, header: bytes, group: list[tuple[int, int]]) -> bytes:
    parts: list[bytes | memoryview] = [header]
    for start, end in group:
        parts.append((end - start).to_bytes(2, "big"))
        parts.append(view[start:end])
    return b"".join(parts)


def _fragments(
    view: memoryview, start: int, end: int, header: bytes, kind: int, mtu: int
) -> list[bytes]:
    step = mtu - len(header) - 1
    if step < 1:
        raise ParseError(f"payloads of {mtu} bytes are too small")
    out: list[bytes] = []
    flag = 0x80
    for at in range(start, end, step):
        upto = min(at + step, end)
        if upto == end:
            flag |= 0x40
        out.append(b"".join((header, bytes((flag | kind,)), view[at:upto])))
        flag = 0
    return out


def packetize_aac(data: bytes, mtu: int = DEFAULT_MTU) -> list[bytes]:
    """One AAC frame in mode AAC-hbr (sizeLength 13, indexLength 3), in fragments if large."""
    if not 0 < len(data) <= _MAX_AAC_FRAME:
        raise ParseError(f"AAC frame of {len(data)} bytes; at most {_MAX_AAC_FRAME} fit AAC-hbr")
    header = b"\x00\x10" + (len(data) << 3).to_bytes(2, "big")
    step = mtu - len(header)
    if step < 1:
        raise ParseError(f"payloads of {mtu} bytes are too small")
    return [header + data[at : at + step] for at in range(0, len(data), step)]


def packetize_g711(data: bytes, mtu: int = DEFAULT_MTU) -> list[bytes]:
    """Samples as they are; each payload after the first starts `mtu` ticks later."""
    return [data[at : at + mtu] for at in range(0, len(data), mtu)]


def packetize_opus(data: bytes, mtu: int = DEFAULT_MTU) -> list[bytes]:
    """One Opus packet, which cannot be split (RFC 7587 4.2)."""
    del mtu
    return [data]


_BY_CODEC: dict[Codec, Callable[[bytes, int], list[bytes]]] = {
    Codec.H264: packetize_h264,
    Codec.H265: packetize_h265,
    Codec.AAC: packetize_aac,
    Codec.PCMU: packetize_g711,
    Codec.PCMA: packetize_g711,
    Codec.OPUS: packetize_opus,
}

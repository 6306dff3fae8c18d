"""Audio from RTP: AAC (RFC 3640), G.711 (RFC 3551) and Opus (RFC 7587)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vms.common.errors import ParseError
from vms.format import aac
from vms.format.depacketize import NOTHING, Unit

_MAX_FRAMES = 256


class FrameDepacketizer:
    """One packet is one frame: G.711 and Opus."""

    def push(
        self, data: bytes, start: int, end: int, marker: bool, timestamp: int, lost: bool
    ) -> Sequence[Unit]:
        if start >= end:
            return NOTHING
        return (Unit(data[start:end], timestamp, key=True),)

    def flush(self) -> Sequence[Unit]:
        return NOTHING


class AacDepacketizer:
    """mpeg4-generic, modes AAC-hbr and AAC-lbr: many frames a packet, or many packets a frame."""

    def __init__(self, config: bytes, fmtp: Mapping[str, str]) -> None:
        self._size_bits = _number(fmtp, "sizelength", 13)
        self._index_bits = _number(fmtp, "indexlength", 3)
        self._delta_bits = _number(fmtp, "indexdeltalength", 3)
        if not 0 < self._size_bits <= 16 or self._index_bits > 16 or self._delta_bits > 16:
            raise ParseError(f"AAC with lengths of {self._size_bits} bits")
        self._frame_samples = aac.parse_config(config).frame_samples if config else 1024
        self._fragments: list[bytes] = []
        self._wanted = 0
        self._timestamp = 0

    def push(
        self, data: bytes, start: int, end: int, marker: bool, timestamp: int, lost: bool
    ) -> Sequence[Unit]:
        if self._wanted and (lost or timestamp != self._timestamp):
            self._drop_fragments()
        if end - start < 2:
            raise ParseError(f"AAC payload of {end - start} bytes")
        header_bits = data[start] << 8 | data[start + 1]
        at = start + 2 + (header_bits + 7) // 8
        if at > end:
            raise ParseError("AAC headers run past the packet")
        sizes = self._sizes(data, start + 2, at, header_bits)
        if len(sizes) == 1 and (self._wanted or sizes[0][0] > end - at):
            return self._fragment(data[at:end], sizes[0][0], timestamp)
        units: list[Unit] = []
        for size, index in sizes:
            if at + size > end:
                raise ParseError(f"AAC frame of {size} bytes with {end - at} left")
            if size:
                stamp = (timestamp + index * self._frame_samples) & 0xFFFFFFFF
                units.append(Unit(data[at : at + size], stamp, key=True))
            at += size
        return units

    def flush(self) -> Sequence[Unit]:
        return NOTHING

    def _sizes(self, data: bytes, start: int, end: int, bits: int) -> list[tuple[int, int]]:
        """(bytes, position in frames) of each frame, from the AU headers (RFC 3640 3.2.1)."""
        value = int.from_bytes(data[start:end], "big") >> ((end - start) * 8 - bits)
        found: list[tuple[int, int]] = []
        position = -1
        index_bits = self._index_bits
        while bits >= self._size_bits + index_bits:
            bits -= self._size_bits
            size = (value >> bits) & ((1 << self._size_bits) - 1)
            bits -= index_bits
            position += 1 + ((value >> bits) & ((1 << index_bits) - 1))
            found.append((size, position))
            index_bits = self._delta_bits
            if len(found) > _MAX_FRAMES:
                raise ParseError(f"more than {_MAX_FRAMES} AAC frames in a packet")
        return found

    def _fragment(self, piece: bytes, size: int, timestamp: int) -> Sequence[Unit]:
        if not self._wanted:
            self._wanted, self._timestamp = size, timestamp
        self._fragments.append(piece)
        have = sum(map(len, self._fragments))
        if size != self._wanted or have > self._wanted or len(self._fragments) > _MAX_FRAMES:
            self._drop_fragments()
            raise ParseError(f"AAC fragments of {have} bytes for a frame of {size}")
        if have < self._wanted:
            return NOTHING
        unit = Unit(b"".join(self._fragments), timestamp, key=True)
        self._drop_fragments()
        return (unit,)

    def _drop_fragments(self) -> None:
        self._fragments.clear()
        self._wanted = 0


def _number(fmtp: Mapping[str, str], name: str, default: int) -> int:
    text = fmtp.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise ParseError(f"{name}={text[:40]!r} is not a number")
    return int(text)

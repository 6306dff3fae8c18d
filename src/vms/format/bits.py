"""Reading and writing bit strings as H.264 and H.265 lay them out (ITU-T H.264 7.2 and 9.1)."""

from __future__ import annotations

from vms.common.errors import ParseError


def unescape(nal: bytes) -> bytes:
    """The payload of a NAL unit without emulation prevention bytes (H.264 7.4.1)."""
    if b"\x00\x00\x03" not in nal:
        return nal
    out = bytearray()
    start = 0
    while (at := nal.find(b"\x00\x00\x03", start)) >= 0:
        out += nal[start : at + 2]
        start = at + 3
    out += nal[start:]
    return bytes(out)


def escape(payload: bytes) -> bytes:
    """Adds emulation prevention bytes, so that no start code appears inside a NAL unit."""
    out = bytearray()
    zeros = 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    if zeros:
        out.append(3)
    return bytes(out)


class BitReader:
    """Reads an unescaped payload from its first bit on; past its end is a ParseError."""

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = len(data) * 8
        self.position = 0

    @property
    def left(self) -> int:
        """Bits not read yet."""
        return self._end - self.position

    def u(self, bits: int) -> int:
        """An unsigned number of `bits` bits (at most some hundred)."""
        start = self.position
        end = start + bits
        if end > self._end:
            raise ParseError(f"bit string of {self._end} bits ends before bit {end}")
        self.position = end
        last = (end + 7) >> 3
        window = int.from_bytes(self._data[start >> 3 : last], "big")
        return (window >> (last * 8 - end)) & ((1 << bits) - 1)

    def flag(self) -> bool:
        return self.u(1) == 1

    def skip(self, bits: int) -> None:
        if self.position + bits > self._end:
            raise ParseError(f"bit string of {self._end} bits is too short to skip {bits}")
        self.position += bits

    def ue(self) -> int:
        """Unsigned Exp-Golomb code of at most 32 bits value."""
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
            if zeros > 32:
                raise ParseError("Exp-Golomb code longer than 32 bits")
        return (1 << zeros) - 1 + (self.u(zeros) if zeros else 0)

    def se(self) -> int:
        """Signed Exp-Golomb code."""
        code = self.ue()
        return (code + 1) >> 1 if code & 1 else -(code >> 1)

    def ue_at_most(self, limit: int, what: str) -> int:
        value = self.ue()
        if value > limit:
            raise ParseError(f"{what} is {value}, more than {limit}")
        return value


def believable_rate(scale: int, units: int) -> float:
    """`scale / units` pictures a second; 0.0 where no camera can mean that."""
    rate = scale / units if units else 0.0
    return rate if 0.0 < rate <= 1000.0 else 0.0

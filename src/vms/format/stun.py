"""STUN messages (RFC 8489) as ICE uses them (RFC 8445): parse, verify, build.

Only what a host that answers connectivity checks needs: binding messages with short-term
credentials (MESSAGE-INTEGRITY, HMAC-SHA1) and FINGERPRINT (CRC-32).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from vms.common.errors import ParseError

MAGIC = 0x2112A442
_COOKIE = MAGIC.to_bytes(4, "big")
_HEADER = struct.Struct(">HHI12s")
_ATTRIBUTE = struct.Struct(">HH")
_FINGERPRINT_XOR = 0x5354554E
_MAX_ATTRIBUTES = 32

BINDING_REQUEST = 0x0001
BINDING_INDICATION = 0x0011
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111

USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
XOR_MAPPED_ADDRESS = 0x0020
PRIORITY = 0x0024
USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029
ICE_CONTROLLING = 0x802A


@dataclass(frozen=True, slots=True)
class StunMessage:
    """One parsed message. `attributes` holds what stands before MESSAGE-INTEGRITY.

    Where a type occurs twice, the first counts (RFC 8489 section 14). `integrity` is the
    HMAC as sent, None where absent; `integrity_at` is where its attribute starts.
    """

    kind: int
    transaction: bytes
    attributes: dict[int, bytes]
    integrity: bytes | None
    integrity_at: int
    raw: bytes

    def verify(self, key: bytes) -> bool:
        """Whether MESSAGE-INTEGRITY is there and was made with `key` (the ICE password)."""
        if self.integrity is None:
            return False
        at = self.integrity_at
        covered = self.raw[:2] + (at + 4).to_bytes(2, "big") + self.raw[4:at]
        return hmac.compare_digest(hmac.digest(key, covered, hashlib.sha1), self.integrity)


def parse_stun(data: bytes) -> StunMessage:
    """Parse one datagram. Raises ParseError on anything that is not a whole message.

    A FINGERPRINT, where present, must be right and last.
    """
    if len(data) < 20:
        raise ParseError(f"a STUN message has 20 bytes or more, this has {len(data)}")
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind & 0xC000 or cookie != MAGIC:
        raise ParseError("not a STUN message: wrong first bits or magic cookie")
    if length & 3 or length + 20 != len(data):
        raise ParseError(f"STUN length {length} does not fit a datagram of {len(data)} bytes")
    attributes: dict[int, bytes] = {}
    integrity: bytes | None = None
    integrity_at = 0
    position = 20
    for _ in range(_MAX_ATTRIBUTES):
        if position == len(data):
            return StunMessage(kind, transaction, attributes, integrity, integrity_at, data)
        name, size = _ATTRIBUTE.unpack_from(data, position)
        end = position + 4 + size
        if end > len(data):
            raise ParseError(f"STUN attribute {name:#06x} reaches past the end of the message")
        value = data[position + 4 : end]
        if name == FINGERPRINT:
            if size != 4 or end != len(data):
                raise ParseError("STUN FINGERPRINT is not the last attribute, of 4 bytes")
            if int.from_bytes(value, "big") != zlib.crc32(data[:position]) ^ _FINGERPRINT_XOR:
                raise ParseError("STUN FINGERPRINT does not match the message")
        elif name == MESSAGE_INTEGRITY and integrity is None:
            if size != 20:
                raise ParseError(f"STUN MESSAGE-INTEGRITY has {size} bytes, not 20")
            integrity, integrity_at = value, position
        elif integrity is None:
            attributes.setdefault(name, value)
        position = end + (-size & 3)
    raise ParseError(f"a STUN message of more than {_MAX_ATTRIBUTES} attributes")


def build_stun(
    kind: int, transaction: bytes, attributes: Iterable[tuple[int, bytes]], key: bytes | None
) -> bytes:
    """A message with FINGERPRINT, and MESSAGE-INTEGRITY by `key` where that is given."""
    body = b"".join(
        _ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) & 3)
        for name, value in attributes
    )
    if key is not None:
        head = _HEADER.pack(kind, len(body) + 24, MAGIC, transaction)
        digest = hmac.digest(key, head + body, hashlib.sha1)
        body += _ATTRIBUTE.pack(MESSAGE_INTEGRITY, 20) + digest
    covered = _HEADER.pack(kind, len(body) + 8, MAGIC, transaction) + body
    check = zlib.crc32(covered) ^ _FINGERPRINT_XOR
    return covered + struct.pack(">HHI", FINGERPRINT, 4, check)


def error_value(code: int, reason: str) -> bytes:
    """The value of an ERROR-CODE attribute (RFC 8489 section 14.8)."""
    return struct.pack(">HBB", 0, code // 100, code % 100) + reason.encode()[:509]


def xor_address(host: str, port: int, transaction: bytes) -> bytes:
    """The value of an XOR-MAPPED-ADDRESS (RFC 8489 section 14.2). `host` is numeric."""
    packed = ipaddress.ip_address(host.partition("%")[0]).packed
    mask = _COOKIE + transaction
    mixed = bytes(a ^ b for a, b in zip(packed, mask, strict=False))
    family = 1 if len(packed) == 4 else 2
    return struct.pack(">BBH", 0, family, port ^ (MAGIC >> 16)) + mixed


def parse_xor_address(value: bytes, transaction: bytes) -> tuple[str, int]:
    """Host and port in an XOR-MAPPED-ADDRESS. Raises ParseError."""
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        raise ParseError("STUN XOR-MAPPED-ADDRESS is neither IPv4 nor IPv6")
    mask = _COOKIE + transaction
    packed = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    port = int.from_bytes(value[2:4], "big") ^ (MAGIC >> 16)
    return str(ipaddress.ip_address(packed)), port

"""The stamp beside every picture that the simulator makes: 16 bytes in a user-data SEI, which
are read without decoding, and without loading what draws the one in the picture (`stamp`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

STAMP_UUID = bytes.fromhex("a1d36c2e7b854f19b6e25d0c94f8e7a3")
"""Marks our user_data_unregistered SEI message (H.264 and H.265, payload type 5)."""

_SEI = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class SeiStamp:
    """What the SEI says: units sent before this one, and UTC in ns when it was sent."""

    number: int
    sent_ns: int


def pack_sei_stamp(number: int, sent_ns: int) -> bytes:
    """The 16 payload bytes that follow STAMP_UUID."""
    return _SEI.pack(number, sent_ns)


def unpack_sei_stamp(payload: bytes | memoryview) -> SeiStamp | None:
    """The reverse; None where `payload` is shorter than 16 bytes."""
    if len(payload) < _SEI.size:
        return None
    return SeiStamp(*_SEI.unpack_from(payload))

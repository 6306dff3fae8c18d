"""Packets for the tests of the depacketisers: what a camera would send, and what gets lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vms.common.errors import ParseError
from vms.format.depacketize import Depacketizer, Unit


@dataclass(frozen=True)
class Payload:
    data: bytes
    marker: bool
    timestamp: int
    unit: int = -1


def payloads_of(
    units: Sequence[bytes], packetize: object, mtu: int, step: int = 3600, first: int = 0
) -> list[Payload]:
    """The payloads of access units, with marker bits and 32-bit timestamps."""
    found: list[Payload] = []
    for number, unit in enumerate(units):
        pieces = packetize(unit, mtu)  # type: ignore[operator]
        timestamp = (first + number * step) & 0xFFFFFFFF
        for index, piece in enumerate(pieces):
            found.append(Payload(piece, index == len(pieces) - 1, timestamp, number))
    return found


def receive(
    depacketizer: Depacketizer,
    payloads: Iterable[Payload],
    drop: frozenset[int] = frozenset(),
    flush: bool = True,
) -> list[Unit]:
    """What comes out where the payloads with the numbers in `drop` are lost."""
    units: list[Unit] = []
    lost = False
    for index, payload in enumerate(payloads):
        if index in drop:
            lost = True
            continue
        # As inside a larger buffer.
        data = b"\xaa" * 7 + payload.data + b"\xbb" * 5
        with contextlib.suppress(ParseError):
            units += depacketizer.push(
                data, 7, 7 + len(payload.data), payload.marker, payload.timestamp, lost
            )
        lost = False
    if flush:
        units += depacketizer.flush()
    return units

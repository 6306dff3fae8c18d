"""What every depacketiser has in common: RTP payloads in, whole access units out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vms.common.model.media import Codec, CodecParameters

MAX_UNIT = 16 * 1024 * 1024
"""Bytes of one access unit, with some overhead for each packet; more is thrown away."""


@dataclass(slots=True, eq=False)
class Unit:
    """One access unit as it came off the wire.

    `data` as in AccessUnit; `timestamp` as it was given with the packets. `damaged`: packets
    of it were lost, or of one it depends on. `parameter_sets` holds all that are in force,
    where this unit changed them, and None where it did not.
    """

    data: bytes
    timestamp: int
    key: bool = False
    damaged: bool = False
    parameter_sets: tuple[bytes, ...] | None = None


NOTHING: tuple[Unit, ...] = ()


class Depacketizer(Protocol):
    """Joins the payloads of one RTP stream, given in order of their sequence numbers."""

    def push(
        self, data: bytes, start: int, end: int, marker: bool, timestamp: int, lost: bool
    ) -> Sequence[Unit]:
        """Takes the payload at `start` to `end` of `data`; gives the units now complete.

        `data` must be immutable. `timestamp` is 32 bits; `lost` says that packets between
        this and the one before are missing. Raises ParseError where the payload is malformed:
        the packet is then ignored, the unit it belonged to is flagged as damaged, and the next
        packet may follow.
        """
        ...

    def flush(self) -> Sequence[Unit]:
        """The unit that is still waiting for its end, if any; call at the end of a stream."""
        ...


def create_depacketizer(
    parameters: CodecParameters, fmtp: Mapping[str, str] | None = None
) -> Depacketizer:
    """The depacketiser for a codec; `fmtp` is the format's parameters from the SDP."""
    from vms.format.depacketize_audio import AacDepacketizer, FrameDepacketizer
    from vms.format.depacketize_h264 import H264Depacketizer
    from vms.format.depacketize_h265 import H265Depacketizer

    match parameters.codec:
        case Codec.H264:
            return H264Depacketizer(parameters.parameter_sets)
        case Codec.H265:
            return H265Depacketizer(parameters.parameter_sets)
        case Codec.AAC:
            return AacDepacketizer(parameters.config, fmtp or {})
        case _:
            return FrameDepacketizer()

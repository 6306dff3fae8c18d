"""What was asked of an export, as it stands in its row: times there are epoch milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from vms.common.errors import InvalidValue

MAX_CAMERAS = 64
MILLISECOND = 1_000_000


class Format(StrEnum):
    """MP4: for any player. MKV: the recording's very bytes. CASE: a ZIP that can be verified."""

    MP4 = "mp4"
    MKV = "mkv"
    CASE = "case"


@dataclass(frozen=True, slots=True)
class Burn:
    """What is written into the pictures; `zone` is the IANA name of the times shown."""

    time: bool = False
    name: bool = False
    watermark: bool = False
    zone: str = "UTC"

    def __bool__(self) -> bool:
        return self.time or self.name or self.watermark


@dataclass(frozen=True, slots=True)
class Spec:
    """`masks` False: cameras' privacy masks are not painted. Times UTC nanoseconds."""

    cameras: tuple[str, ...]
    start_ns: int
    end_ns: int
    stream: str = "main"
    format: Format = Format.MP4
    exact: bool = False
    audio: bool = True
    burn: Burn = Burn()
    masks: bool = True
    reason: str = ""

    def __post_init__(self) -> None:
        """Raises InvalidValue for wishes that cannot go together."""
        if self.format is not Format.MKV:
            return
        for wish, why in (
            (self.exact, "an exact cut"),
            (not self.audio, "leaving the sound out"),
            (bool(self.burn), "text in the pictures"),
        ):
            if wish:
                raise InvalidValue(
                    f"{why} needs the format mp4 or case: an mkv holds whole groups of "
                    "pictures, and the sound between them, byte for byte as recorded"
                )

    @property
    def keeps_bytes(self) -> bool:
        """Whether nothing that was asked takes other bytes than the recording's own."""
        plain = not self.exact and self.audio and not self.burn
        return plain and self.format is not Format.MP4

    def fields(self) -> dict[str, Any]:
        """As JSON, for `parse`."""
        burn = self.burn
        return {
            "cameras": list(self.cameras),
            "start": self.start_ns // MILLISECOND,
            "end": self.end_ns // MILLISECOND,
            "stream": self.stream,
            "format": self.format.value,
            "exact": self.exact,
            "audio": self.audio,
            "burn": {"time": burn.time, "name": burn.name, "watermark": burn.watermark},
            "zone": burn.zone,
            "masks": self.masks,
            "reason": self.reason,
        }


def parse(fields: Mapping[str, Any]) -> Spec:
    """The reverse of `Spec.fields`. Raises InvalidValue."""
    try:
        return Spec(
            tuple(fields["cameras"]),
            fields["start"] * MILLISECOND,
            fields["end"] * MILLISECOND,
            fields["stream"],
            Format(fields["format"]),
            fields["exact"],
            fields["audio"],
            Burn(**fields["burn"], zone=fields["zone"]),
            fields["masks"],
            fields["reason"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValue(f"the row of an export cannot be read: {error}") from error

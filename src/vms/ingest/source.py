"""The port behind which every kind of camera looks the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vms.common.model.media import CodecParameters


class UnitSink(Protocol):
    """Takes what a source gives, by direct call in the event loop; must not block."""

    def unit(
        self,
        track: int,
        parameters: CodecParameters,
        data: bytes,
        ticks: int,
        key: bool,
        damaged: bool,
        capture_ns: int | None,
    ) -> None:
        """One access unit. `ticks` counts `parameters.clock_rate` from any origin, and
        does not wrap; the camera's own jumps are left in it."""
        ...


@dataclass(slots=True)
class SourceStats:
    """Counted since `open`. `clock_offset_ns`: the camera's clock minus ours."""

    packets_lost: int = 0
    packets_refused: int = 0
    clock_offset_ns: int | None = None
    note: str = ""
    """What a person should know though media flows, such as a track left out."""


class Source(Protocol):
    """One connection to one stream, used once: open, run, close.

    All raise SourceError with a sentence that names the address without credentials.
    """

    @property
    def stats(self) -> SourceStats: ...

    @property
    def server(self) -> str:
        """What the other side calls itself, if it says so."""
        ...

    @property
    def certificate(self) -> str:
        """SHA-256 of the other side's TLS certificate, empty without one."""
        ...

    async def open(self) -> Sequence[CodecParameters]:
        """Connect and agree on tracks; the index in what is returned is the track number.
        Parameters may still lack sizes or parameter sets that come in band."""
        ...

    async def run(self, sink: UnitSink) -> None:
        """Deliver until the source ends (returns) or fails (raises)."""
        ...

    async def close(self) -> None:
        """Leave politely, within a second. Safe to call at any time, and twice."""
        ...

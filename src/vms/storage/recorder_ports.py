"""What the recorder needs of the catalog, and what it tells of each stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vms.common.model.camera import Camera, RecordingMode
from vms.storage.ledger import GapRows, Marks
from vms.storage.rows import SegmentRows
from vms.storage.triggers import EventRows
from vms.storage.wallclock import Holds


class CameraRows(Protocol):
    async def list(self) -> tuple[Camera, ...]: ...


class RecorderCatalog(Protocol):
    """What the recorder needs of the catalog."""

    @property
    def cameras(self) -> CameraRows: ...

    @property
    def segments(self) -> SegmentRows: ...

    @property
    def events(self) -> EventRows: ...

    @property
    def holds(self) -> Holds: ...

    @property
    def gaps(self) -> GapRows: ...

    @property
    def settings(self) -> Marks: ...


@dataclass(frozen=True, slots=True)
class RecordingState:
    """Whether a stream is being recorded now, and if not, why, as a sentence.

    `problem` is what the disk or the stream's bytes refuse; `reason` may also be but a wait,
    or, while it records, something that people should know. `mode` is what its settings and
    calendar say now; `expected`: whether it should be recorded at this moment.
    """

    camera: str
    stream: str
    recording: bool
    reason: str
    problem: str
    segment: str
    written_units: int
    written_bytes: int
    lost_units: int
    mode: str = RecordingMode.CONTINUOUS
    expected: bool = True

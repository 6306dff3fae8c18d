"""Settings of recording and playback."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from vms.common.config import Section

_MIB = 1024 * 1024


class StorageSettings(Section):
    """Where recordings go, and the bounds of what may wait."""

    root: Path | None = None
    """Directory of recordings; None: `recordings` in the data directory."""
    rotation_minutes: int = Field(default=60, ge=1, le=60)
    """A new file begins at each multiple of this in the UTC hour; must divide 60."""
    min_free_bytes: int = Field(default=256 * _MIB, ge=0)
    """Recording stops where less is free, so that the catalog and the system stay alive."""
    queue_bytes: int = Field(default=32 * _MIB, ge=_MIB)
    """What may wait for the disk, per stream; more is shed by whole groups of pictures."""
    queue_units: int = Field(default=2000, ge=50)
    total_queue_bytes: int = Field(default=256 * _MIB, ge=_MIB)
    """What may wait for the disk, all streams together."""
    writer_threads: int = Field(default=1, ge=1, le=16)
    linger_ms: float = Field(default=2.0, ge=0.1, le=100)
    """How long a busy writer waits for more to write at once; half of it is added delay.
    Longer, up to 40, for more than 50 streams."""
    start_wait_s: float = Field(default=2.0, ge=0, le=10)
    """How long a file waits for the parameters of the audio track before it begins."""
    extend_seconds: float = Field(default=3.0, gt=0, le=60)
    """How often the catalog learns how far open files have grown."""
    playback_responses: int = Field(default=16, ge=1)
    """Playback answers and snapshots served at once; more are asked to come again."""
    playback_max_seconds: int = Field(default=3600, ge=1)

    playback_idle_seconds: float = Field(default=300.0, gt=0)
    """A reader that takes nothing for this long gives its place to others."""

    @field_validator("rotation_minutes")
    @classmethod
    def _divides_the_hour(cls, value: int) -> int:
        if 60 % value:
            raise ValueError(f"{value} does not divide 60; use 60, 30, 20, 15, 10, 5 or less")
        return value

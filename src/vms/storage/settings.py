"""Settings of recording and playback."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from vms.common.config import Section

_MIB = 1024 * 1024


class VolumeSettings(Section):
    """A further directory for recordings, on a disk of its own."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,39}$")
    """The catalog knows its recordings by this name: never give it to another disk."""
    path: Path
    tier: Literal["fast", "archive"] = "fast"
    """`fast` is recorded to; `archive` takes what is older than `storage.archive_after_days`."""
    min_free_bytes: int = Field(default=256 * _MIB, ge=0)
    max_bytes: int | None = Field(default=None, ge=_MIB)
    """Recordings take no more than this; None: what the disk has."""


class StorageSettings(Section):
    """Where recordings go, and the bounds of what may wait."""

    root: Path | None = None
    """Directory of recordings; None: `recordings` in the data directory."""
    rotation_minutes: int = Field(default=60, ge=1, le=60)
    """A new file begins at each multiple of this in the UTC hour; must divide 60."""
    min_free_bytes: int = Field(default=256 * _MIB, ge=0)
    """Recording stops where less is free, so that the catalog and the system stay alive."""
    max_bytes: int | None = Field(default=None, ge=_MIB)
    """Recordings in `storage.root` take no more than this; None: what the disk has."""
    volumes: tuple[VolumeSettings, ...] = ()
    """More directories for recordings. `storage.root` is the volume named `main`."""
    retention_days: float = Field(default=30.0, gt=0)
    """How long recordings are kept where no rule of the camera says otherwise."""
    archive_after_days: float | None = Field(default=None, ge=0)
    """After how many days a recording moves to an archive volume; None: only when a fast
    volume runs low."""
    archive_bytes_per_second: int = Field(default=32 * _MIB, ge=_MIB)
    """How fast recordings are copied to the archive, at most."""
    warn_days: float = Field(default=3.0, ge=0)
    """How many days before a promise of retention breaks it is said."""
    queue_bytes: int = Field(default=32 * _MIB, ge=_MIB)
    """What may wait for the disk, per stream; more is shed by whole groups of pictures."""
    queue_units: int = Field(default=2000, ge=50)
    total_queue_bytes: int = Field(default=256 * _MIB, ge=_MIB)
    """What may wait for the disk, all streams together."""
    sync_seconds: float = Field(default=0.8, ge=0.1, le=60)
    """What has come is on the disk after this time at the latest: a power cut costs no more."""
    unsynced_bytes: int = Field(default=256 * _MIB, ge=_MIB)
    """What may be written and not yet on the disk, per volume; beyond, whole groups of
    pictures are shed."""
    pre_roll_bytes: int = Field(default=64 * _MIB, ge=_MIB)
    """What may wait in memory for an event, per stream; beyond, the pre-roll is shorter."""
    total_pre_roll_bytes: int = Field(default=512 * _MIB, ge=_MIB)
    """What may wait in memory for events, all streams together."""
    writer_threads: int = Field(default=1, ge=1, le=16)
    linger_ms: float = Field(default=2.0, ge=0.1, le=100)
    """How long a busy writer waits for more to write at once; half of it is added delay.
    Longer, up to 200, for more than 50 streams."""
    start_wait_s: float = Field(default=2.0, ge=0, le=10)
    """How long a file waits for the parameters of the audio track before it begins."""
    extend_seconds: float = Field(default=3.0, gt=0, le=60)
    """How often the catalog learns how far open files have grown."""
    exports_root: Path | None = None
    """Directory of exports; None: `exports` in the data directory."""
    export_days: float = Field(default=7.0, gt=0, le=3650)
    """How long an export can be fetched; then it is deleted."""
    export_max_bytes: int | None = Field(default=None, ge=_MIB)
    """All exports together take no more than this; None: what the disk has."""
    export_max_days: float = Field(default=31.0, gt=0, le=366)
    """The longest span of one export."""
    export_jobs: int = Field(default=1, ge=1, le=8)
    """Exports made at once."""
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

    @model_validator(mode="after")
    def _volumes_differ(self) -> StorageSettings:
        names = ["main", *(volume.name for volume in self.volumes)]
        paths = [volume.path for volume in self.volumes] + ([self.root] if self.root else [])
        for what, values in (("name", names), ("path", paths)):
            for value in values:
                if values.count(value) > 1:  # type: ignore[arg-type]
                    raise ValueError(
                        f"two volumes have the {what} {str(value)!r}; each needs its own"
                    )
        return self

"""`vms storage restamp`: recordings of a span, with their events and gaps, moved in time."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vms.auth.audit import AuditTrail, Named
from vms.catalog.port import Catalog
from vms.common.clock import SystemClock
from vms.common.errors import ConfigError
from vms.common.model.segment import SegmentRow
from vms.storage.notes_shift import move_events, move_gaps
from vms.storage.volumes import Volumes
from vms.storage.wallclock import check_restamp, restamp

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Times are UTC nanoseconds; `stream` None: all of the camera's."""

    camera: str
    stream: str | None
    start_ns: int
    end_ns: int
    shift_ns: int


@dataclass(frozen=True, slots=True)
class Done:
    """What was moved, or would be; `growing` recordings were left alone."""

    rows: Sequence[SegmentRow]
    events: int
    gaps: int
    growing: int


def moment_ns(text: str, option: str) -> int:
    """Raises ConfigError naming the option."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option} {text[:40]!r} is no time; write it as 2026-11-24T10:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000) * 1_000_000


async def restamp_span(
    volumes: Volumes, catalog: Catalog, wanted: Wanted, dry_run: bool = False
) -> Done:
    """Move what begins within the span. The audit trail is told first.

    Raises StorageError where that cannot be, ahead of any change; CatalogError, ConfigError.
    """
    if not wanted.shift_ns or wanted.end_ns <= wanted.start_ns:
        raise ConfigError("nothing is to be moved: --shift is 0, or --end not after --start")
    start, end = wanted.start_ns, wanted.end_ns
    found = await catalog.segments.spans(wanted.camera, wanted.stream, start, end)
    inside = [row for row in found if start <= row.start_ns < end]
    rows = [row for row in inside if row.closed]
    if not rows:
        raise ConfigError(f"no recording of {wanted.camera[:80]!r} begins in that span")
    growing = len(inside) - len(rows)
    await check_restamp(catalog.segments, catalog.holds, rows, wanted.shift_ns)
    if dry_run:
        return Done(rows, *await _move_notes(catalog, wanted, dry_run=True), growing)
    await AuditTrail(catalog.audit, SystemClock()).note_now(
        Named(f"command line ({getpass.getuser()})"), "", "restamp", wanted.camera, start, end,
        stream=wanted.stream, shift_s=wanted.shift_ns / _NS, recordings=len(rows),
    )  # fmt: skip
    # Whether a disk is away or another one is known only once it was looked at.
    for volume in volumes:
        await asyncio.to_thread(volume.problem)
    done = await restamp(volumes.path, catalog.segments, catalog.holds, rows, wanted.shift_ns)
    return Done(done, *await _move_notes(catalog, wanted), growing)


async def _move_notes(catalog: Catalog, wanted: Wanted, dry_run: bool = False) -> tuple[int, int]:
    """How many events and gaps were moved, or would be."""
    span = wanted.camera, wanted.start_ns, wanted.end_ns, wanted.shift_ns
    # Events are of the camera: they go with its recordings, not with those of one stream.
    events = 0 if wanted.stream else await move_events(catalog.events, *span, dry_run=dry_run)
    gaps = await move_gaps(catalog.gaps, *span, stream=wanted.stream, dry_run=dry_run)
    return events, gaps

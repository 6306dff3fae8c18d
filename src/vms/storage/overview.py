"""What `GET /storage` and `vms storage status` show: volumes, what each stream has on them,
what was promised and how long that will hold, and the alarms.

Nothing here touches a disk: volumes are shown as their own threads saw them last. Counting
walks all rows of the catalog; it is done once in a while, and whoever asks never waits long
for it but gets the figures of before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from vms.catalog.port_evidence import CameraUsage
from vms.common.clock import Clock
from vms.common.errors import CatalogError
from vms.common.model.evidence import RetentionRule
from vms.storage.alarms import Alarms
from vms.storage.recorder_ports import RecordingState
from vms.storage.retention_plan import promise_of
from vms.storage.volumes import Volumes

log = structlog.get_logger(__name__)

_MS = 1_000_000
_MINUTE_NS = 60_000_000_000
_DAY_NS = 1440 * _MINUTE_NS
_KEPT_NS = 30_000_000_000
_PATIENCE_S = 2.5


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many days of a camera's footage there will be, None: not known; and what is wrong
    with that as a sentence, empty where the promise holds."""

    days: float | None = None
    warning: str = ""


class UsageRows(Protocol):
    async def usage(self, since_ns: int | None = None) -> list[CameraUsage]: ...


class Rules(Protocol):
    async def list(self) -> dict[str, RetentionRule]: ...


class OverviewCatalog(Protocol):
    @property
    def segments(self) -> UsageRows: ...

    @property
    def retention(self) -> Rules: ...


@dataclass(frozen=True, slots=True)
class Figures:
    """What the catalog said at `at_ns` (UTC): all there is, and what began in the last day."""

    at_ns: int
    usage: Sequence[CameraUsage] = ()
    newest: Sequence[CameraUsage] = ()
    rules: Mapping[str, RetentionRule] | None = None


class Overview:
    """All methods belong to the event loop's thread."""

    def __init__(
        self,
        volumes: Volumes,
        catalog: OverviewCatalog,
        alarms: Alarms,
        states: Callable[[], Sequence[RecordingState]],
        clock: Clock,
        retention_days: float,
    ) -> None:
        self._volumes = volumes
        self._catalog = catalog
        self._alarms = alarms
        self._states = states
        self._clock = clock
        self._days = retention_days
        self.outlook: Callable[[str], Outlook] = lambda _camera: Outlook()
        """What is foreseen for a camera."""
        self._figures: Figures | None = None
        self._counted_ns = 0
        self._counting: asyncio.Task[Figures] | None = None

    async def body(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """As JSON; times in epoch milliseconds. Raises CatalogError where nothing was ever
        counted and nothing can be."""
        figures = await self._newest_figures()
        used: dict[str, int] = {}
        for one in figures.usage:
            used[one.volume] = used.get(one.volume, 0) + one.size
        return {
            "volumes": [
                {
                    "name": volume.name,
                    "path": str(volume.root),
                    "tier": volume.tier.value,
                    "state": volume.state().value,
                    "problem": volume.problem(),
                    "total": volume.seen.total,
                    "free": volume.seen.free,
                    "floor": volume.floor,
                    "used": used.get(volume.name, 0),
                }
                for volume in self._volumes
            ],
            "cameras": self._cameras(figures),
            "alarms": [
                {
                    "kind": alarm.kind,
                    "subject": alarm.subject,
                    "text": alarm.text,
                    "since": alarm.since_ns // _MS,
                }
                for alarm in self._alarms.active()
            ],
        }

    async def _newest_figures(self) -> Figures:
        now = self._clock.monotonic_ns()
        kept = self._figures
        if kept is not None and now - self._counted_ns < _KEPT_NS:
            return kept
        if self._counting is None:
            self._counting = asyncio.create_task(self._count(), name="storage-overview")
        counting = self._counting
        await asyncio.wait([counting], timeout=_PATIENCE_S)
        if not counting.done():
            return kept or Figures(self._clock.now_ns())
        self._counting = None
        try:
            self._figures, self._counted_ns = counting.result(), now
        except CatalogError as error:
            if kept is None:
                raise
            log.warning("recordings cannot be counted", error=str(error))
        return self._figures or Figures(self._clock.now_ns())

    async def _count(self) -> Figures:
        now = self._clock.now_ns()
        segments = self._catalog.segments
        return Figures(
            now,
            await segments.usage(),
            await segments.usage(now - _DAY_NS),
            await self._catalog.retention.list(),
        )

    def _cameras(self, figures: Figures) -> list[dict[str, Any]]:
        states = {(state.camera, state.stream): state for state in self._states()}
        stored: dict[tuple[str, str], list[CameraUsage]] = {}
        for one in figures.usage:
            stored.setdefault((one.camera, one.stream), []).append(one)
        rates = bytes_per_day(figures.newest, figures.at_ns)
        streams: dict[str, list[dict[str, Any]]] = {}
        for key in sorted(stored.keys() | states.keys()):
            shown = _stream(key[1], stored.get(key, ()), rates.get(key, 0), states.get(key))
            streams.setdefault(key[0], []).append(shown)
        total = sum(volume.max_bytes or volume.seen.total for volume in self._volumes)
        found = []
        for camera, some in streams.items():
            promise = promise_of(camera, figures.rules or {}, self._days, total)
            outlook = self.outlook(camera)
            keep = promise.keep_ns
            found.append(
                {
                    "camera": camera,
                    "streams": some,
                    "promised_days": None if keep is None else round(keep / _DAY_NS, 3),
                    "forecast_days": outlook.days,
                    "warning": outlook.warning,
                }
            )
        return found


def bytes_per_day(newest: Iterable[CameraUsage], now_ns: int) -> dict[tuple[str, str], int]:
    """How fast each stream grows, by what began in the day before `now_ns`."""
    sizes: dict[tuple[str, str], int] = {}
    since: dict[tuple[str, str], int] = {}
    for one in newest:
        key = one.camera, one.stream
        sizes[key] = sizes.get(key, 0) + one.size
        since[key] = min(since.get(key, one.oldest_ns), one.oldest_ns)
    # What began a moment ago says nothing of a day: a minute at least.
    return {
        key: size * _DAY_NS // min(_DAY_NS, max(_MINUTE_NS, now_ns - since[key]))
        for key, size in sizes.items()
    }


def _stream(
    name: str, stored: Sequence[CameraUsage], rate: int, state: RecordingState | None
) -> dict[str, Any]:
    return {
        "stream": name,
        "bytes": sum(one.size for one in stored),
        "bytes_per_day": rate,
        "oldest": min((one.oldest_ns // _MS for one in stored), default=None),
        "newest": max((one.newest_ns // _MS for one in stored), default=None),
        "mode": state.mode if state else "off",
        "recording": state is not None and state.recording,
        "reason": state.reason if state else "",
    }

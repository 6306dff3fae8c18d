"""What is wrong with storage now, kept and told: to people by the API, to machines by the bus
and by metrics.

An alarm is known by its kind and its subject. It is logged when it is raised and when it is
over, and not each time that somebody raises it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from vms.bus import subjects
from vms.bus.port import Bus
from vms.common.clock import Clock
from vms.common.errors import BusError
from vms.common.model.messages import Alarm
from vms.storage.metrics import ALARMS

log = structlog.get_logger(__name__)

DISK = "disk"
"""A volume failed, hangs or is missing, or did not keep what was written."""
FULL = "full"
"""A volume has no room left."""
LOCKS = "locks"
"""What is held fills a volume."""
RETENTION = "retention"
"""A promise of retention breaks, or will."""
CLOCK = "clock"
"""A clock is wrong."""
CATALOG = "catalog"
"""The catalog does not answer: recording goes on, and is not found until it does."""

_MOST = 2000
_AGAIN_S = 30.0
_LOOK_EVERY_S = 1.0
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class ActiveAlarm:
    """`since_ns`: UTC nanoseconds."""

    kind: str
    subject: str
    text: str
    since_ns: int


class Alarms:
    """`raise_` and `clear` may be called from any thread; `run` until cancelled."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._lock = threading.Lock()
        self._active: dict[tuple[str, str], ActiveAlarm] = {}
        self._news: list[Alarm] = []
        self._checks: list[Callable[[], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def raise_(self, kind: str, subject: str, text: str) -> None:
        """`text` says what is wrong and what to do, in a sentence. Raised again, its words
        are replaced. `kind`: one of those above."""
        text = text[:_LONGEST]
        now = self._clock.now_ns()
        with self._lock:
            before = self._active.get((kind, subject))
            if before is None and len(self._active) >= _MOST:
                return
            if before is not None and before.text == text:
                return
            since = before.since_ns if before else now
            self._active[kind, subject] = ActiveAlarm(kind, subject, text, since)
            self._tell(Alarm(kind, subject, text, now, True))
            ALARMS.labels(kind).set(sum(one.kind == kind for one in self._active.values()))
        if before is None:
            log.error("alarm", kind=kind, subject=subject, problem=text)

    def clear(self, kind: str, subject: str) -> None:
        """It is over; nothing where it was not raised."""
        with self._lock:
            before = self._active.pop((kind, subject), None)
            if before is None:
                return
            self._tell(Alarm(kind, subject, before.text, self._clock.now_ns(), False))
            ALARMS.labels(kind).set(sum(one.kind == kind for one in self._active.values()))
        log.info("alarm is over", kind=kind, subject=subject)

    def _tell(self, news: Alarm) -> None:
        """Bound by how many may be active, while nobody runs."""
        self._news = [*self._news[-2 * _MOST :], news]
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                # The loop may be closed: nobody listens then.
                self._loop.call_soon_threadsafe(self._wake.set)

    def hold(self, kind: str, found: Mapping[str, str]) -> None:
        """Make the alarms of `kind` those of `found` (subject to text), and no others."""
        for subject, text in found.items():
            self.raise_(kind, subject, text)
        for subject in [one.subject for one in self.active(kind) if one.subject not in found]:
            self.clear(kind, subject)

    def active(self, kind: str | None = None) -> list[ActiveAlarm]:
        """Those that are not over, the oldest first."""
        with self._lock:
            found = [one for one in self._active.values() if kind in (None, one.kind)]
        return sorted(found, key=lambda one: (one.since_ns, one.kind, one.subject))

    def watch(self, check: Callable[[], None]) -> None:
        """Have `check` called about once a second on the event loop, to raise and to clear."""
        self._checks.append(check)

    async def run(self) -> None:
        """Tell the bus what changed at once, and all that lasts now and then."""
        self._loop = asyncio.get_running_loop()
        told = self._clock.monotonic_ns()
        while True:
            self._wake.clear()
            for check in self._checks:
                check()
            with self._lock:
                news, self._news = self._news, []
            if self._clock.monotonic_ns() - told >= _AGAIN_S * 1e9:
                told = self._clock.monotonic_ns()
                news += self._repeated(news)
            self._publish(news)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._wake.wait()

    def _repeated(self, news: Iterable[Alarm]) -> list[Alarm]:
        fresh = {(alarm.kind, alarm.subject) for alarm in news}
        now = self._clock.now_ns()
        return [
            Alarm(one.kind, one.subject, one.text, now, True)
            for one in self.active()
            if (one.kind, one.subject) not in fresh
        ]

    def _publish(self, news: Iterable[Alarm]) -> None:
        for alarm in news:
            try:
                self._bus.publish(subjects.alarms(alarm.kind), alarm)
            except BusError as error:
                log.warning("an alarm was not told", kind=alarm.kind, error=str(error))

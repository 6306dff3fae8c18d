"""Who did what: the audit trail as the rooms write to it.

    trail.note(who, address, "playback", camera, start_ns, end_ns, stream="main")
    await trail.note_now(who, address, "export.requested", camera, start_ns, end_ns)

`note` never fails and never waits: entries stand in a queue before the catalog, so that a
catalog that is away refuses nobody a view. The queue has a bound; what is lost beyond it is
counted, logged, and written into the trail once that is possible. `note_now` is for what may
not happen without its entry. Views are joined (see `sittings`).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import structlog
from prometheus_client import Counter, Gauge

from vms.auth.sittings import Sittings
from vms.catalog.port_evidence import AuditNote, AuditRepository
from vms.common.clock import Clock
from vms.common.errors import CatalogError, InvalidValue, VmsError
from vms.common.model.evidence import AuditEntry, canonical
from vms.common.retry import Backoff

log = structlog.get_logger(__name__)

WRITTEN = Counter("vms_audit_entries_total", "Entries written to the audit trail")
LOST = Counter(
    "vms_audit_lost_total", "Entries of the audit trail that were lost: the catalog was away"
)
WAITING = Gauge("vms_audit_waiting", "Entries of the audit trail that wait for the catalog")

VIEWS = frozenset({"live", "playback", "snapshot", "preview", "audit.read"})
"""What is done again and again, and joined."""
LOST_ACTION = "audit.lost"
MAX_WAITING = 20_000
_BATCH = 500
_GATHER_S = 0.05
_MAX_DETAIL = 8192
_MAX_VALUE = 512
_LAST_WORDS_S = 3.0
_LATEST_NS = (1 << 63) - 1


class Actor(Protocol):
    """A Principal, or whoever else acts: a command line, a sign-in that was refused."""

    @property
    def user_id(self) -> str: ...

    @property
    def name(self) -> str: ...


class AuditTrail:
    """All methods belong to the event loop's thread; `run` must run beside them."""

    def __init__(self, rows: AuditRepository, clock: Clock, most: int = MAX_WAITING) -> None:
        self._rows = rows
        self._clock = clock
        self._most = most
        self._waiting: deque[AuditNote] = deque()
        self._sittings = Sittings()
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._lost = 0
        self._problem = ""

    def note(
        self,
        who: Actor,
        address: str,
        action: str,
        camera: str = "",
        start_ns: int | None = None,
        end_ns: int | None = None,
        **detail: Any,
    ) -> None:
        """Write it soon. `detail` holds JSON values; what cannot be written is left out."""
        made = self._made(who, address, action, camera, start_ns, end_ns, detail)
        if action in VIEWS:
            self._queue(self._sittings.see(made, self._clock.monotonic_ns()))
        else:
            self._queue([made])

    @contextmanager
    def watching(self, who: Actor, address: str, camera: str, **detail: Any) -> Iterator[None]:
        """A live view that lasts as long as the block."""
        now_ns = self._clock.now_ns()
        made = self._made(who, address, "live", camera, now_ns, now_ns, detail)
        self._queue(self._sittings.see(made, self._clock.monotonic_ns(), lasts=True))
        try:
            yield
        finally:
            self._sittings.end(made, self._clock.monotonic_ns(), self._clock.now_ns())

    async def note_now(
        self,
        who: Actor,
        address: str,
        action: str,
        camera: str = "",
        start_ns: int | None = None,
        end_ns: int | None = None,
        **detail: Any,
    ) -> AuditEntry:
        """Return once it is written. Raises CatalogError where it cannot be."""
        made = self._made(who, address, action, camera, start_ns, end_ns, detail)
        async with self._writing:
            entries = await self._rows.append_many((made,))
        WRITTEN.inc()
        return entries[0]

    async def run(self) -> None:
        """Write what waits, until cancelled; views that go on end then."""
        backoff = Backoff()
        try:
            while True:
                self.tick()
                if await self.flush():
                    backoff.reset()
                else:
                    await self._clock.sleep(backoff.next())
                    continue
                # Not wait_for, which may swallow the cancellation where a note comes with it.
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await self._wake.wait()
                # The answer that is noted goes first, and what comes with it is written with it.
                await asyncio.sleep(_GATHER_S)
        finally:
            await self._last_words()

    def tick(self) -> None:
        """Tell of views that go on or ended; `run` does so every second."""
        now, now_ns = self._clock.monotonic_ns(), self._clock.now_ns()
        self._queue(self._sittings.tick(now, now_ns))

    async def flush(self) -> bool:
        """Write what waits; false where the catalog does not take it."""
        async with self._writing:
            self._wake.clear()
            while self._waiting:
                batch = [self._waiting[n] for n in range(min(_BATCH, len(self._waiting)))]
                if not await self._write(batch):
                    return False
            return await self._tell_loss()

    async def _write(self, batch: list[AuditNote]) -> bool:
        try:
            await self._rows.append_many(batch)
        except InvalidValue as error:
            # `_made` sees to it that this does not happen; it must not stop the others.
            log.error("entries of the audit trail cannot be written", error=str(error))
            self._lost += len(batch)
            LOST.inc(len(batch))
        except CatalogError as error:
            self._say(str(error))
            return False
        else:
            WRITTEN.inc(len(batch))
        for _ in batch:
            self._waiting.popleft()
        WAITING.set(len(self._waiting))
        self._say("")
        return True

    async def _tell_loss(self) -> bool:
        if not self._lost:
            return True
        lost = self._lost
        made = self._made(_SYSTEM, "", LOST_ACTION, "", None, None, {"entries": lost})
        try:
            await self._rows.append_many((made,))
        except VmsError as error:
            self._say(str(error))
            return False
        self._lost -= lost
        return True

    async def _last_words(self) -> None:
        self._queue(self._sittings.end_all(self._clock.now_ns()))
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                written = await self.flush()
        except TimeoutError:
            written = False
        if not written:
            log.error("entries of the audit trail are lost at the end", count=len(self._waiting))

    def _queue(self, notes: list[AuditNote]) -> None:
        for note in notes:
            if len(self._waiting) >= self._most:
                self._lost += 1
                LOST.inc()
                if self._lost == 1:
                    log.error("the audit trail loses entries: the catalog is away for too long")
                continue
            self._waiting.append(note)
        if notes:
            WAITING.set(len(self._waiting))
            self._wake.set()

    def _say(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.error("the audit trail cannot be written, trying again", error=problem)
        self._problem = problem

    def _made(
        self,
        who: Actor,
        address: str,
        action: str,
        camera: str,
        start_ns: int | None,
        end_ns: int | None,
        detail: Mapping[str, Any],
    ) -> AuditNote:
        return AuditNote(
            at_ns=self._clock.now_ns(),
            user_id=_text(who.user_id, 40),
            user_name=_text(who.name, 100),
            address=_text(address, 64),
            action=_text(action, 40),
            camera=_text(camera, 40),
            start_ns=None if start_ns is None else min(start_ns, _LATEST_NS),
            end_ns=None if end_ns is None else min(end_ns, _LATEST_NS),
            detail=_detail(detail),
        )


class Named:
    """One who is not signed in: by the name they gave, or a command line."""

    def __init__(self, name: str, user_id: str = "") -> None:
        self.name = name
        self.user_id = user_id


_SYSTEM = Named("system")


def _text(value: str, most: int) -> str:
    """As every database takes it: no NUL, no halves of characters, not too long."""
    clean = value.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in clean)[:most]


def _detail(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of it can be written, and is short enough; the rest by name."""
    if _size(detail) <= _MAX_DETAIL:
        return detail
    kept = {name: value for name, value in detail.items() if _size({name: value}) <= _MAX_VALUE}
    left_out = sorted(name for name in detail if name not in kept)
    return kept | {"left_out": left_out} if _size(kept) <= _MAX_DETAIL else {"left_out": left_out}


def _size(detail: Mapping[str, Any]) -> float:
    try:
        return len(canonical(detail))
    except InvalidValue:
        return math.inf

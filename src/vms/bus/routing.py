"""From a message to the sinks of this process that want it."""

from __future__ import annotations

import time

import structlog

from vms.bus import metrics
from vms.bus.patterns import check_pattern, check_subject, matches
from vms.bus.port import Delivery, Sink
from vms.common.model.media import AccessUnit
from vms.common.model.messages import Message
from vms.common.secret import redact

log = structlog.get_logger(__name__)

_MAX_CACHED = 20_000
_LOG_EVERY = 1.0


class Reader:
    """One sink with its pattern, and the numbers of the last units it got."""

    __slots__ = ("_failures", "_last", "_logged_at", "active", "pattern", "sink")

    def __init__(self, pattern: str, sink: Sink) -> None:
        self.pattern = check_pattern(pattern)
        self.sink = sink
        self.active = True
        self._last: dict[tuple[str, int], tuple[str, int]] = {}
        self._failures = 0
        self._logged_at = 0.0

    def missed(self, subject: str, unit: AccessUnit) -> int:
        """How many units of the track of `unit` this reader did not get just before it."""
        key = (subject, unit.track)
        number = unit.number
        last = self._last.get(key)
        if last is None:
            if len(self._last) >= _MAX_CACHED:
                self._last.clear()
            self._last[key] = (unit.run, number)
            return 0
        self._last[key] = (unit.run, number)
        expected = last[1] + 1 if last[0] == unit.run else 0
        if number <= expected:
            return 0
        metrics.missed.inc(number - expected)
        return number - expected

    def give_unit(self, subject: str, unit: AccessUnit) -> None:
        """`missed` and the sink in one: this is where all media passes."""
        track = (subject, unit.track)
        number = unit.number
        run, last = self._last.get(track) or ("", -1)
        missed = 0
        if number == last + 1 and run == unit.run:
            self._last[track] = (run, number)
        else:
            missed = self.missed(subject, unit)
        try:
            self.sink(Delivery(subject, unit, missed))
        except Exception as error:
            self.failed(subject, error)

    def failed(self, subject: str, error: Exception) -> None:
        """Count an exception of the sink, and log it at most once a second."""
        metrics.sink_failures.inc()
        self._failures += 1
        now = time.monotonic()
        if now - self._logged_at < _LOG_EVERY:
            return
        log.error(
            "bus sink failed",
            subject=subject,
            pattern=self.pattern,
            error=redact(f"{type(error).__name__}: {error}"),
            failures=self._failures,
            exc_info=error,
        )
        self._logged_at = now
        self._failures = 0


class Router:
    """Readers by pattern; which of them take a subject is worked out once per subject."""

    def __init__(self) -> None:
        self._readers: list[Reader] = []
        self._routes: dict[str, tuple[Reader, ...]] = {}

    def add(self, pattern: str, sink: Sink) -> Reader:
        reader = Reader(pattern, sink)
        self.join(reader)
        return reader

    def join(self, reader: Reader) -> None:
        """Add a reader that another router has as well."""
        self._readers.append(reader)
        self._routes.clear()

    def remove(self, reader: Reader) -> None:
        reader.active = False
        if reader in self._readers:
            self._readers.remove(reader)
            self._routes.clear()

    def clear(self) -> None:
        for reader in self._readers:
            reader.active = False
        self._readers.clear()
        self._routes.clear()

    def patterns(self) -> set[str]:
        return {reader.pattern for reader in self._readers}

    def route(self, subject: str) -> tuple[Reader, ...]:
        """The readers of `subject`. Raises InvalidIdentifier where it is not a subject."""
        readers = self._routes.get(subject)
        if readers is None:
            check_subject(subject)
            readers = tuple(r for r in self._readers if matches(r.pattern, subject))
            if len(self._routes) >= _MAX_CACHED:
                self._routes.clear()
            self._routes[subject] = readers
        return readers

    def deliver(self, subject: str, message: Message) -> None:
        """Call every sink that wants `subject`; what one raises reaches nobody else."""
        readers = self._routes.get(subject)
        if readers is None:
            readers = self.route(subject)
        if type(message) is AccessUnit:
            for reader in readers:
                if reader.active:
                    reader.give_unit(subject, message)
            return
        for reader in readers:
            if not reader.active:
                continue
            try:
                reader.sink(Delivery(subject, message))
            except Exception as error:
                reader.failed(subject, error)

"""Turns what feed and source counted into metrics and rates, twice a second, not per unit."""

from __future__ import annotations

from vms.common.clock import Clock
from vms.ingest import metrics
from vms.ingest.feed import Feed
from vms.ingest.source import SourceStats

_NS = 1_000_000_000
_WINDOW_NS = 2 * _NS


class StreamMeter:
    """Bitrate in bit/s and picture rate in 1/s over the last two seconds; counters since start."""

    def __init__(self, camera: str, stream: str, feed: Feed, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock
        labels = (camera, stream)
        self._labels = labels
        self._units = metrics.units.labels(*labels)
        self._bytes = metrics.received.labels(*labels)
        self._damaged = metrics.units_damaged.labels(*labels)
        self._runs = metrics.runs.labels(*labels)
        self._lost = metrics.packets_lost.labels(*labels)
        self._refused = metrics.packets_refused.labels(*labels)
        self._reconnects = metrics.reconnects.labels(*labels)
        self._stalls = metrics.stalls.labels(*labels)
        self._stats = SourceStats()
        self._told = [0] * 4
        self._told_lost = 0
        self._told_refused = 0
        self._window = (clock.monotonic_ns(), 0, 0)
        self.bitrate = 0
        self.frame_rate = 0.0
        self.reconnects = 0

    @property
    def stats(self) -> SourceStats:
        return self._stats

    def begin(self, stats: SourceStats) -> None:
        """A connection begins, with counters of its own."""
        self.flush()
        self._stats = stats
        self._told_lost = self._told_refused = 0
        self.bitrate, self.frame_rate = 0, 0.0
        self._window = (self._clock.monotonic_ns(), self._feed.bytes, self._feed.pictures)

    def reconnected(self) -> None:
        self.reconnects += 1
        self._reconnects.inc()

    def stalled(self) -> None:
        self._stalls.inc()

    def flush(self) -> None:
        """Bring metrics and rates up to date."""
        feed, told = self._feed, self._told
        now = [feed.units, feed.bytes, feed.damaged, feed.runs]
        for counter, value, before in zip(
            (self._units, self._bytes, self._damaged, self._runs), now, told, strict=True
        ):
            if value != before:
                counter.inc(value - before)
        self._told = now
        stats = self._stats
        if stats.packets_lost != self._told_lost:
            self._lost.inc(max(0, stats.packets_lost - self._told_lost))
            self._told_lost = stats.packets_lost
        if stats.packets_refused != self._told_refused:
            self._refused.inc(max(0, stats.packets_refused - self._told_refused))
            self._told_refused = stats.packets_refused
        self._measure()

    def _measure(self) -> None:
        began, size, pictures = self._window
        now = self._clock.monotonic_ns()
        passed = now - began
        if passed < _WINDOW_NS:
            return
        self.bitrate = (self._feed.bytes - size) * 8 * _NS // passed
        self.frame_rate = round((self._feed.pictures - pictures) * _NS / passed, 2)
        self._window = (now, self._feed.bytes, self._feed.pictures)

    def close(self) -> None:
        """Forget the series: the stream is no longer pulled."""
        metrics.forget(*self._labels)

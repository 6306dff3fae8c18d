"""Metrics of this process, in the text format of Prometheus."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import REGISTRY, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_PERIOD_S = 0.25
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

loop_lag = Histogram(
    "vms_event_loop_lag_seconds",
    "How late the event loop runs what is due.",
    buckets=_BUCKETS,
)
loop_lag_worst = Gauge(
    "vms_event_loop_lag_worst_seconds",
    "The longest that the event loop was late in the last ten seconds.",
)
loop_tasks = Gauge("vms_event_loop_tasks", "Tasks that the event loop has.")


def render() -> bytes:
    """All metrics of this process, as CONTENT_TYPE says.

    Memory, CPU seconds, open files and start time are `process_*`, which the client
    library reads from /proc.
    """
    return generate_latest(REGISTRY)


async def watch_loop(period_s: float = _PERIOD_S) -> None:
    """Measure how late the running event loop is, until cancelled."""
    worst: list[tuple[float, float]] = []
    while True:
        due = time.monotonic() + period_s
        await asyncio.sleep(period_s)
        now = time.monotonic()
        late = max(now - due, 0.0)
        loop_lag.observe(late)
        worst = [(at, value) for at, value in worst if at > now - 10.0]
        worst.append((now, late))
        loop_lag_worst.set(max(value for _, value in worst))
        loop_tasks.set(len(asyncio.all_tasks()))

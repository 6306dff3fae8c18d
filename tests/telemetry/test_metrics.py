from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from vms.telemetry.metrics import CONTENT_TYPE, loop_lag_worst, render, watch_loop


def test_metrics_are_in_the_format_that_they_say() -> None:
    families = {f.name: f for f in text_string_to_metric_families(render().decode())}
    assert families["vms_event_loop_lag_seconds"].type == "histogram"
    assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert families["process_cpu_seconds"].samples[0].value > 0
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")


async def test_a_blocked_loop_is_noticed() -> None:
    watching = asyncio.create_task(watch_loop(0.02))
    await asyncio.sleep(0.05)
    time.sleep(0.2)  # noqa: ASYNC251 - this is what the monitor must notice
    await asyncio.sleep(0.05)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert 0.1 < loop_lag_worst._value.get() < 5

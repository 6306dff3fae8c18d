"""The fixture `simulator`: a running RTSP simulator without cameras, on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from vms.simulator.server import Simulator


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Add cameras with `simulator.add_camera(...)`; see tests/simulator for examples."""
    async with Simulator() as running:
        yield running

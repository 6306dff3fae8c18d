"""Puts the repository root on the path, so that tests share `tests.support`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pytest
from hypothesis import HealthCheck, settings
from tests.support.simulator_fixture import simulator as simulator

# How long an example takes depends on what else the machine does; pytest-timeout bounds tests.
settings.register_profile("vms", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vms")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.support.schedule import Schedule

    return Schedule(config, log)

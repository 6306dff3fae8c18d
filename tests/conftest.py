"""Puts the repository root on the path, so that tests share `tests.support`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.simulator_fixture import simulator as simulator

"""The pages of docs/reference that are made from the code say what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_write", REFERENCE / "write.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WRITE = _load()


@pytest.mark.parametrize("name", sorted(WRITE.PAGES))
def test_page_is_current(name: str) -> None:
    assert (REFERENCE / name).read_text("utf-8") == WRITE.PAGES[name](), "run: make docs"


def test_every_setting_and_command_is_there() -> None:
    settings = WRITE.settings_page()
    assert "| `stream.webrtc.port` | `0` |" in settings
    assert "| `storage.rotation_minutes` | `60` |" in settings
    commands = WRITE.commands_page()
    assert "## vms camera test" in commands
    assert "`--demo`, `--no-demo`" in commands


def test_nothing_that_runs_is_under_the_gpl() -> None:
    packages = WRITE.locked()
    assert len(packages) > 30
    for package in packages:
        licence = WRITE.licence(package)
        assert licence != "not stated", package
        assert not re.search(r"\bA?GPL|(?<!Lesser )General Public", licence), (package, licence)

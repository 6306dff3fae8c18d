"""What the docs say can be typed: `sh` blocks are run, `console` blocks are looked up in the
commands' own help, `toml` blocks are loaded, and links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
from tests.support.system import VMS, System

from vms.app.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def blocks(kind: str) -> list[tuple[str, str]]:
    return [
        (str(page.relative_to(ROOT)), body)
        for page in PAGES
        for found, body in _BLOCK.findall(page.read_text("utf-8"))
        if found == kind
    ]


def lines(kind: str) -> list[tuple[str, str]]:
    return [
        (page, line.split("  #")[0].strip())
        for page, body in blocks(kind)
        for line in body.splitlines()
        if line.strip() and not line.startswith("#")
    ]


@cache
def help_of(command: tuple[str, ...]) -> str:
    done = subprocess.run(
        [VMS, *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=os.environ | {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_shell_blocks_run(tmp_path: Path) -> None:
    with System(tmp_path / "data", "--no-demo").wait_ready() as system:
        system.stop()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VMS_")}
    environment["PATH"] = f"{VMS.parent}:{environment['PATH']}"
    for page, line in lines("sh"):
        if line.startswith("make "):
            command = ["make", "-n", "-C", str(ROOT), *shlex.split(line)[1:]]
        else:
            command = ["bash", "-ec", line]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{page}: {line}\n{done.stdout}{done.stderr}"


@pytest.mark.slow
def test_console_blocks_name_what_exists() -> None:
    for page, line in lines("console"):
        words = shlex.split(line)
        if words[0] != "vms":
            continue
        command = (words[1], words[2]) if words[1] in ("camera", "user") else (words[1],)
        text = help_of(command)
        for word in words:
            if word.startswith("--"):
                assert word in text, f"{page}: {line}: no {word}"


def test_settings_blocks_load(tmp_path: Path) -> None:
    for index, (_, body) in enumerate(blocks("toml")):
        file = tmp_path / f"{index}.toml"
        file.write_text(body)
        read_settings(file, {}, {})


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in _LINK.findall(page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"

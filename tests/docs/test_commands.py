"""What the docs say can be typed: `sh` blocks are run, `console` blocks are looked up in the
tree of commands, `toml` blocks are loaded, and links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.support.system import VMS, System
from typer.core import TyperGroup

from vms.app import cli
from vms.app.role_names import ROLE_NAMES
from vms.app.roles import ROLES
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


def unknown_in(line: str, root: Any) -> str:
    """What `line` (a call of vms) names that the tree of commands does not have; '' where all is
    known."""
    command = root
    words = shlex.split(line)[1:]
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        found = command.commands.get(words.pop(0))
        if found is None:
            return f"no such command under {command.name}"
        command = found
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    return ", ".join(
        name
        for word in words
        if (name := word.split("=")[0]).startswith("-") and name not in known | {"--help", "-h"}
    )


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


def test_console_blocks_name_what_exists() -> None:
    root = typer.main.get_command(cli.app)
    calls = [(page, line) for page, line in lines("console") if line.startswith("vms ")]
    assert calls
    for page, line in calls:
        assert unknown_in(line, root) == "", f"{page}: {line}"


def test_what_does_not_exist_is_found() -> None:
    root = typer.main.get_command(cli.app)
    assert unknown_in("vms camera list --data-dir x", root) == ""
    assert unknown_in("vms camera paint", root) == "no such command under camera"
    assert unknown_in("vms run ingest --colour red --host=0.0.0.0", root) == "--colour"


def test_the_names_of_roles_are_those_of_the_table() -> None:
    assert tuple(ROLES) == ROLE_NAMES


def test_light_commands_do_not_import_what_heavy_ones_need() -> None:
    """They answer at once: importing all of the system takes more than a second."""
    heavy = "('fastapi', 'sqlalchemy', 'av', 'numpy', 'pydantic_settings', 'vms.ingest.service')"
    code = f"import sys, vms.app.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_settings_blocks_load(tmp_path: Path) -> None:
    for index, (_, body) in enumerate(blocks("toml")):
        file = tmp_path / f"{index}.toml"
        file.write_text(body)
        read_settings(file, {}, {})


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in _LINK.findall(page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"

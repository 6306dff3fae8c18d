"""Writes the pages of this folder that are made from the code: `make docs`.

settings.md from the tree of settings, cli.md from the tree of commands, dependencies.md from
what is installed of requirements.lock. A test holds each to what this would write.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from enum import Enum
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from vms.app.cli import app
from vms.app.settings import Settings
from vms.common.secret import Secret

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_MADE = "<!-- Written by docs/reference/write.py (make docs); do not edit. -->\n"
_BOUNDS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))


# Settings

_SETTINGS = """
# Settings

From `vms.toml` in the folder the system is started from (or the file that `--config` or
`VMS_CONFIG` names), then the environment, then flags; what comes later counts. In the file
`[storage]` and `root = "/mnt/video"` set `storage.root`; in the environment it is
`VMS_STORAGE__ROOT`. Lists and tables are written as JSON in the environment. An unknown key
is an error that names the nearest known one. `vms settings` shows what is in force.
"""


def settings_page() -> str:
    parts = [_MADE, _SETTINGS.lstrip(), *_sections("", Settings)]
    return "\n".join(parts)


def _sections(path: str, model: type[BaseModel]) -> Iterator[str]:
    """A heading and a table for `model`, then the same for each section inside."""
    inner = {name: kind for name in model.model_fields if (kind := _section(model, name))}
    title = f"`{path}`" if path else "At the top"
    said = "" if model is Settings else inspect.cleandoc(model.__doc__ or "")
    lines = [f"## {title}\n"] + ([f"{said}\n"] if said and not said.startswith("!!!") else [])
    lines += ["| setting | default | what |", "| --- | --- | --- |"]
    texts = _docstrings(model)
    for name, field in model.model_fields.items():
        if name not in inner:
            key = f"{path}.{name}" if path else name
            words = " ".join(filter(None, (_cell(texts.get(name, "")), _allowed(field))))
            lines.append(f"| `{key}` | {_default(field)} | {words} |")
    yield "\n".join(lines) + "\n"
    for name, kind in inner.items():
        yield from _sections(f"{path}.{name}" if path else name, kind)


def _section(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    kind = model.model_fields[name].annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The string that stands below each field of the class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[field.target.id] = inspect.cleandoc(text)
    return found


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be set"
    match value:
        case None | "" | () | [] | {} | Secret():
            return "-"
        case Enum():
            return f"`{value.value}`"
        case bool():
            return f"`{str(value).lower()}`"
        case int() if value >= 1 << 16 and value % (1 << 10) == 0:
            size = f"{value >> 20} Mi" if value % (1 << 20) == 0 else f"{value >> 10} Ki"
            return f"`{value}` ({size})"
        case tuple():
            return ", ".join(f"`{part}`" for part in value)
        case _:
            return f"`{value}`"


def _allowed(field: FieldInfo) -> str:
    """'(≥ 1, ≤ 60)', or the words of an enumeration."""
    bounds = [
        f"{sign} {getattr(rule, name)}"
        for kind, name, sign in _BOUNDS
        for rule in field.metadata
        if isinstance(rule, kind)
    ]
    if isinstance(field.annotation, type) and issubclass(field.annotation, Enum):
        bounds = [" or ".join(f"`{one.value}`" for one in field.annotation)]
    return f"({', '.join(bounds)})" if bounds else ""


# Commands

_COMMANDS = """
# Commands

`vms` is `.venv/bin/vms` of the checkout. `vms-ingest`, `vms-storage`, `vms-stream` and
`vms-api` are `vms run` with that one role.

Every command has `--help`, and all that look at the system have `--config FILE` (`-c`), the
settings file, and `--data-dir FOLDER`, where the system keeps its files.
"""
_EVERYWHERE = ("config", "data_dir")


def commands_page() -> str:
    root = typer.main.get_command(app)
    return "\n".join([_MADE, _COMMANDS.lstrip(), *_commands("vms", root)])


def _commands(path: str, command: Any) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is not None:
        for name, one in inner.items():
            yield from _commands(f"{path} {name}", one)
        return
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    more = " [options]" if options else ""
    usage = " ".join([path, *(_argument(one) for one in arguments)]) + more
    lines = [f"## {path}\n", f"{command.help}\n", f"```\n{usage}\n```"]
    rows = [(f"`{_argument(one)}`", one) for one in arguments if one.help]
    rows += [(_option(one), one) for one in options if one.name not in _EVERYWHERE]
    if rows:
        lines += ["", "| | |", "| --- | --- |"]
        lines += [f"| {name} | {_option_words(one)} |" for name, one in rows]
    yield "\n".join(lines) + "\n"


def _argument(one: Any) -> str:
    name = one.name.upper() + "..." * (one.nargs == -1)
    return name if one.required else f"[{name}]"


def _option(one: Any) -> str:
    names = [*one.opts, *one.secondary_opts]
    return ", ".join(f"`{name}`" for name in names)


def _option_words(one: Any) -> str:
    words = _cell(one.help or "")
    default = one.default
    if isinstance(default, Enum):
        default = default.value
    if default not in (None, "", (), []) and not callable(default) and not one.is_flag:
        words += f" Default: `{default}`."
    elif getattr(one, "is_flag", False) and one.secondary_opts and default is not None:
        words += f" Default: `{(one.opts if default else one.secondary_opts)[0]}`."
    if one.envvar:
        words += f" From `{one.envvar}` where that is set."
    return words.strip()


# Dependencies

_DEPENDENCIES = """
# Dependencies and their licences

What `make run` installs, as locked with hashes in `requirements.lock`; the licences are those
that the packages state of themselves. None is under the GPL or AGPL, which a test checks.

## FFmpeg in PyAV's wheel

PyAV (`av`) is under the BSD licence. Its wheel brings FFmpeg 8 as shared libraries, which
states LGPL 3 or later, and the libraries FFmpeg was built with. Two of those, the encoders
**x264 and x265, are under the GPL** (2 or later). They are in the wheel and are loaded with
FFmpeg, but only two things call them: the simulator (`vms simulate`, the cameras of the
demonstration) and the tests. Recording, live video, playback and snapshots use demuxers,
decoders, the JPEG encoder and nothing under the GPL. The wheel has no OpenH264
(`libopenh264`); other H.264 encoders in it need hardware.

Who passes on a bundle without GPL parts builds PyAV against an FFmpeg without x264 and x265
(`pip install --no-binary av av`). Everything but the simulator works the same; the simulator
then plays files of yours (`vms simulate --file`), for it cannot encode scenes.

## Packages

| package | licence |
| --- | --- |
"""
_LOCKED = re.compile(r"^([a-z0-9._-]+)==\S+( ; sys_platform == 'win32')?", re.MULTILINE)
_NAMES = {
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License, Version 2.0": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "PSFL": "PSF-2.0",
}


def locked() -> list[str]:
    """The packages of requirements.lock that this system takes."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    return [name for name, elsewhere in _LOCKED.findall(text) if not elsewhere]


def licence(package: str) -> str:
    """What the installed `package` says its licence is. Raises PackageNotFoundError."""
    said = metadata(package)
    stated = said.get("License-Expression") or said.get("License") or ""
    if not stated:
        kinds: Iterable[str] = said.get_all("Classifier") or ()
        stated = " OR ".join(k.split(" :: ")[-1] for k in kinds if k.startswith("License ::"))
    return _NAMES.get(stated, stated) or "not stated"


def dependencies_page() -> str:
    rows = [f"| {name} | {licence(name)} |" for name in locked()]
    return "\n".join([_MADE, _DEPENDENCIES.strip(), *rows, ""])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {
    "settings.md": settings_page,
    "cli.md": commands_page,
    "dependencies.md": dependencies_page,
}


def main() -> None:
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), "utf-8")
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()

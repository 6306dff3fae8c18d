"""Where exports lie: a folder for each, with what was planned and what is finished of it.

    <root>/<id>/plan.json    which files there are to be
    <root>/<id>/done.jsonl   a line for each file that is finished, on the disk before the next
    <root>/<id>/export.part  what is being written; `export.bin` once it is whole

So an export that a dying process left goes on behind the last finished file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vms.common.errors import NotFound, StorageError
from vms.storage.export.planner import CameraPlan, FilePlan, parse_plan
from vms.storage.export.zip_layout import Entry
from vms.storage.volume import fsync_folder

_ID = re.compile(r"[0-9a-f]{16}")
_PLAN, _DONE, _PART, _WHOLE = "plan.json", "done.jsonl", "export.part", "export.bin"


@dataclass(frozen=True, slots=True)
class Done:
    """A planned file that is dealt with. `entries` are what the ZIP has of it, `media` what
    the manifest says of it, `others` what it says of the lists beside it; `problem` is why
    there is no such file."""

    name: str
    entries: tuple[Entry, ...] = ()
    media: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""


class Shelf:
    """The folder of one export. Blocking. Errors: OSError."""

    def __init__(self, root: Path, identity: str) -> None:
        """Raises NotFound for what is no id of an export."""
        if not _ID.fullmatch(identity):
            raise NotFound(f"no export {identity[:60]!r}")
        self.folder = root / identity
        self.part, self.whole = self.folder / _PART, self.folder / _WHOLE

    def make(self) -> None:
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)

    def plan(self) -> dict[str, CameraPlan] | None:
        """What was planned before, by camera; None: nothing, or it cannot be read."""
        try:
            found = json.loads((self.folder / _PLAN).read_bytes())
            return {
                camera: CameraPlan(
                    [parse_plan(one) for one in plan["files"]],
                    [(start, end) for start, end in plan["missing"]],
                    plan["problems"],
                )
                for camera, plan in found.items()
            }
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def keep_plan(self, plans: Mapping[str, CameraPlan]) -> None:
        """From now on this is what is planned; nothing of it is done."""
        fields = {
            camera: {
                "files": [one.fields() for one in plan.files],
                "missing": plan.missing,
                "problems": plan.problems,
            }
            for camera, plan in plans.items()
        }
        for stale in (self.folder / _DONE, self.part, self.whole):
            stale.unlink(missing_ok=True)
        temporary = self.folder / f"{_PLAN}.new"
        with temporary.open("w") as file:
            json.dump(fields, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / _PLAN)
        fsync_folder(self.folder)

    def done(self, files: Iterable[FilePlan]) -> list[Done]:
        """What was finished of `files`, in their order, before."""
        try:
            lines = (self.folder / _DONE).read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        found = []
        for line, wanted in zip(lines, files, strict=False):
            try:
                fields = json.loads(line)
                entries = tuple(Entry(**entry) for entry in fields.pop("entries"))
                others = tuple(fields.pop("others"))
                one = Done(entries=entries, others=others, **fields)
            except (ValueError, KeyError, TypeError):
                break
            if one.name != wanted.name:
                break
            found.append(one)
        return found

    def keep_done(self, found: list[Done]) -> None:
        """Forget all but these: what stood behind them cannot be read."""
        temporary = self.folder / f"{_DONE}.new"
        temporary.write_bytes(b"".join(map(_line, found)))
        os.replace(temporary, self.folder / _DONE)

    def add_done(self, one: Done) -> None:
        """What it speaks of is on the disk."""
        with (self.folder / _DONE).open("ab") as file:
            file.write(_line(one))
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """The file is whole; what led to it is not needed any more."""
        os.replace(self.part, self.whole)
        for name in (_PLAN, _DONE):
            (self.folder / name).unlink(missing_ok=True)
        fsync_folder(self.folder)

    def remove(self) -> None:
        """Remove the folder and all in it; it may be gone already."""
        if self.folder.is_symlink():
            raise StorageError(f"{self.folder} is a link, not the folder of an export")
        shutil.rmtree(self.folder, ignore_errors=True)


def _line(one: Done) -> bytes:
    return json.dumps(asdict(one)).encode() + b"\n"


def strays(root: Path, known: Iterable[str]) -> list[str]:
    """Ids of folders below `root` that belong to none of the exports `known`. Raises OSError."""
    kept = set(known)
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return []
    return [name for name in names if _ID.fullmatch(name) and name not in kept]

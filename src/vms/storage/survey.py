"""What recordings lie on a volume, by their names alone. Blocking; used in threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from vms.storage.volume import MARKER, Volume, index_path

_FOLDER = "cameras"
_MOST_DAYS = 40_000


def cameras_of(root: Path) -> list[str]:
    """The cameras that have a directory there, by name. Raises OSError."""
    return sorted(_folders(root / _FOLDER))


def days_of(root: Path, camera: str) -> list[str]:
    """The days (YYYY-MM-DD, UTC) that the camera has a directory for, the newest first.

    Raises OSError.
    """
    found = sorted(filter(is_day, _folders(root / _FOLDER / camera)), reverse=True)
    return found[:_MOST_DAYS]


def files_of(root: Path, camera: str, day: str) -> set[str]:
    """The camera's recordings of that day, as rows name them. Raises OSError."""
    folder = f"{_FOLDER}/{camera}/{day}"
    return {
        f"{folder}/{entry.name}"
        for entry in _entries(root / folder)
        if entry.name.endswith(".mkv") and entry.is_file(follow_symlinks=False)
    }


def without_index(root: Path, paths: set[str]) -> set[str]:
    """Those of the recordings that have no index beside them. Raises OSError."""
    return {path for path in paths if not index_path(root / path).exists()}


def prefix_of(camera: str, day: str = "") -> str:
    """What the paths of a camera's recordings begin with, of all its days or of one."""
    return f"{_FOLDER}/{camera}/{day}/" if day else f"{_FOLDER}/{camera}/"


def camera_in(path: str) -> str:
    """The camera that a row's path names; empty where it names none."""
    parts = path.split("/")
    return parts[1] if len(parts) == 4 and parts[0] == _FOLDER else ""


def day_in(path: str) -> str:
    """The day that a row's path names; empty where it names none."""
    parts = path.split("/")
    return parts[2] if camera_in(path) and is_day(parts[2]) else ""


def is_day(name: str) -> bool:
    try:
        return len(name) == 10 and bool(date.fromisoformat(name))
    except ValueError:
        return False


def _folders(folder: Path) -> list[str]:
    return [
        entry.name
        for entry in _entries(folder)
        if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
    ]


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from found
    except FileNotFoundError:
        # Removed meanwhile, or never made.
        return


def is_there(volume: Volume) -> bool:
    """Whether the volume's own marker can be read now: else all its files seem to be gone."""
    try:
        text = (volume.root / MARKER).read_bytes()[:100].decode("ascii", "replace").strip()
    except OSError:
        return False
    return not volume.identity or text == volume.identity


def is_gone(volume: Volume, path: str) -> bool:
    """Whether the file is missing while its volume is there."""
    try:
        os.stat(volume.path(path), follow_symlinks=False)
    except FileNotFoundError:
        return is_there(volume)
    except OSError:
        return False
    return False

"""How a volume stands, and what an error of its disk means."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

MARKER = ".vms-volume"
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_FAILS = frozenset(
    {
        errno.EIO, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN,
        errno.EUCLEAN, errno.ESHUTDOWN, errno.EHOSTDOWN, errno.ETIMEDOUT,
    }
)  # fmt: skip
"""Errors that speak of the whole disk, not of one file."""

_ADVICE = {
    errno.ENOSPC: "free space there, or set storage.root to another disk",
    errno.EDQUOT: "raise the quota, or set storage.root to another disk",
    errno.EACCES: "let this user write there, or set storage.root",
    errno.EPERM: "let this user write there, or set storage.root",
    errno.EROFS: "mount it for writing (the kernel does this after disk errors)",
    errno.ENOTDIR: "storage.root must name a directory",
    errno.EEXIST: "storage.root must name a directory",
    errno.EIO: "the disk reports an error: look at the kernel's log and replace it",
}


class Tier(StrEnum):
    """What a volume is for: `fast` is recorded to, `archive` takes what has grown old."""

    FAST = "fast"
    ARCHIVE = "archive"


class VolumeState(StrEnum):
    OK = "ok"
    FULL = "full"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at a volume: `total` and `free` in bytes, and what is wrong with it."""

    state: VolumeState = VolumeState.OK
    problem: str = ""
    total: int = 0
    free: int = 0


def advice(error: OSError) -> str:
    """What happened and what to do about it."""
    reason = error.strerror or type(error).__name__
    return f"{reason}; {_ADVICE.get(error.errno or 0, 'look at the disk and at storage.root')}"


class Busy(Protocol):
    """A thread that works on the disk: since when, by `time.monotonic`; 0 while it does not."""

    @property
    def busy_since(self) -> float: ...


def gone(root: Path) -> str:
    return (
        f"volume {root} is not there (its {MARKER} is missing): "
        "mount it again, or restart after setting storage.root; "
        f"a new disk becomes this volume once an empty file {MARKER} lies in it"
    )


def other(root: Path, found: str, known: str) -> str:
    return (
        f"volume {root} is another one than it was (its {MARKER} says "
        f"{found[:8] or 'nothing'} and should say {known[:8]}): mount the right disk"
    )


def full(root: Path, free: int, floor: int) -> str:
    return (
        f"volume {root} is full: {free >> 20} MiB are free and "
        f"{floor >> 20} MiB must stay so (storage.min_free_bytes); "
        "free space there, or set storage.root to another disk"
    )

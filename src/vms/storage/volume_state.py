"""How a volume stands, and what an error of its disk means."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import StrEnum

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

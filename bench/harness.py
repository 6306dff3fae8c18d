"""What every measurement shares: processes that are always ended, their CPU and memory,
medians, and a last line that is the figure."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Claim:
    """One figure beside its limit. `ok` decides the exit status."""

    name: str
    text: str
    ok: bool


def arguments(description: str, **extra: tuple[type, object, str]) -> argparse.Namespace:
    """`--quick` and the given options: name to (type, default, help)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    for name, (kind, default, text) in extra.items():
        parser.add_argument(f"--{name}", type=kind, default=default, help=text)
    return parser.parse_args()


def finish(claims: Sequence[Claim]) -> None:
    """Print each claim, the figure last, and end with status 1 where one falls short."""
    for claim in claims:
        print(f"{'ok  ' if claim.ok else 'FAIL'}  {claim.name}: {claim.text}")
    print("; ".join(claim.text for claim in claims), flush=True)
    sys.exit(0 if all(claim.ok for claim in claims) else 1)


@contextmanager
def child(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """A child process with its output as text, ended (then killed) with the block."""
    process = subprocess.Popen(
        command,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        **options,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        end([process])


def end(processes: Sequence[subprocess.Popen[str]], limit: float = 10.0) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + limit
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def read_line(process: subprocess.Popen[str], starts: str, limit: float = 60.0) -> str:
    """The first line of its output that begins so; raises TimeoutError after `limit`."""
    assert process.stdout is not None
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line and process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
        if line.startswith(starts):
            return line.removeprefix(starts).strip()
    raise TimeoutError(f"{process.args!r} did not print {starts!r} in {limit:.0f} s")


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """User and system time of the processes and their children so far."""
    total = 0.0
    for process in processes:
        times = process.cpu_times()
        total += times.user + times.system
        for offspring in process.children(recursive=True):
            times = offspring.cpu_times()
            total += times.user + times.system
    return total


def unique_bytes(processes: Sequence[psutil.Process]) -> int:
    """Memory that is theirs alone (USS)."""
    return sum(process.memory_full_info().uss for process in processes)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


def hardware() -> str:
    """One line: processor, cores, memory, system."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = psutil.virtual_memory().total / (1 << 30)
    system = f"{platform.system()} {platform.release()}"
    python = f"Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, {python}"

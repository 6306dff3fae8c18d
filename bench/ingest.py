"""Receive and record many cameras in one process: CPU, memory, loss, beside FFmpeg and PyAV.

The claim: 100 cameras of 1080p25 H.264 at 4 Mbit/s, 0 pictures lost (counted by their
stamps), at most half the CPU of FFmpeg processes with `-c copy -f segment` on the same
cameras in the same run, at most 1 MB of memory per camera beyond a fixed base.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import imageio_ffmpeg
import psutil

from bench import harness
from bench.harness import Claim, child, cpu_seconds, median, read_line, unique_bytes
from bench.support.stamps import Count, count

SETTLE_SECONDS = 3.0


@dataclass(slots=True)
class Result:
    """Medians of a contender: CPU in percent of one core, memory in bytes."""

    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    counts: Count = field(default_factory=Count)
    first: int = 0

    def text(self, cameras: int) -> str:
        cpu = median(self.cpu)
        return (
            f"CPU {cpu:.1f} % of a core ({cpu / cameras:.3f} % a camera), "
            f"memory {median(self.memory) / 1e6:.0f} MB, "
            f"{self.counts.pictures} pictures, {self.counts.missing} missing"
        )


@contextmanager
def ours(urls: list[str], folder: Path) -> Iterator[list[psutil.Process]]:
    command = [sys.executable, "-m", "bench.support.recorder", str(folder), *urls]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        read_line(process, "ready")
        yield [psutil.Process(process.pid)]


@contextmanager
def ffmpeg(urls: list[str], folder: Path) -> Iterator[list[psutil.Process]]:
    program = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    processes = []
    try:
        for index, url in enumerate(urls):
            (folder / f"cam-{index}").mkdir()
            command = [
                program, "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url,
                "-c", "copy", "-f", "segment", "-segment_time", "3600",
                "-segment_format", "matroska", str(folder / f"cam-{index}" / "%03d.mkv"),
            ]  # fmt: skip
            processes.append(
                subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
            )
            time.sleep(0.03)
        _wait_for_files(folder, len(urls))
        yield [psutil.Process(process.pid) for process in processes]
    finally:
        harness.end(processes)


@contextmanager
def pyav(urls: list[str], folder: Path) -> Iterator[list[psutil.Process]]:
    command = [sys.executable, "-m", "bench.support.pyav_recorder", str(folder), *urls]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        read_line(process, "ready")
        yield [psutil.Process(process.pid)]


CONTENDERS: dict[str, Callable] = {"ours": ours, "ffmpeg": ffmpeg, "pyav": pyav}  # type: ignore[type-arg]


def main() -> None:
    options = harness.arguments(
        __doc__ or "",
        cameras=(int, 100, "how many cameras"),
        seconds=(float, 10.0, "how long each measurement lasts"),
        repeat=(int, 3, "how often"),
    )
    contenders = dict(CONTENDERS)
    if options.quick:
        # PyAV is only reported; the claim is about FFmpeg.
        options.cameras, options.seconds, options.repeat = 50, 4.0, 1
        del contenders["pyav"]
    results = {name: Result() for name in contenders}
    command = [sys.executable, "-m", "bench.support.cameras", str(options.cameras)]
    with child(command, stdout=subprocess.PIPE) as cameras:
        port = int(read_line(cameras, "ready", 120))
        urls = [f"rtsp://127.0.0.1:{port}/cam-{i}/main" for i in range(options.cameras)]
        for _ in range(options.repeat):
            for name, result in results.items():
                measure(CONTENDERS[name], urls, options.seconds, result)
        base = Result()
        measure(ours, urls[:1], min(options.seconds, 4.0), base)
    report(results, base, options.cameras)


def measure(contender: Callable, urls: list[str], seconds: float, result: Result) -> None:  # type: ignore[type-arg]
    """Run it once, take CPU and memory over `seconds`, then count what it wrote."""
    with tempfile.TemporaryDirectory(prefix="vms-bench-") as name:
        folder = Path(name)
        with contender(urls, folder) as processes:
            time.sleep(SETTLE_SECONDS)
            before, started = cpu_seconds(processes), time.monotonic()
            time.sleep(seconds)
            spent = cpu_seconds(processes) - before
            result.cpu.append(100 * spent / (time.monotonic() - started))
            result.memory.append(unique_bytes(processes))
        for files in _files_by_camera(folder).values():
            result.counts += count(files)


def report(results: dict[str, Result], base: Result, cameras: int) -> None:
    for name, result in results.items():
        print(f"{name:>7}: {result.text(cameras)}")
    mine, peer = results["ours"], results["ffmpeg"]
    share = median(mine.cpu) / median(peer.cpu)
    memory = (median(mine.memory) - median(base.memory)) / max(1, cameras - 1) / 1e6
    harness.finish(
        [
            Claim(
                "loss",
                f"{mine.counts.missing} of {mine.counts.pictures} pictures lost, "
                f"{mine.counts.files} files",
                mine.counts.missing == 0 and mine.counts.repeated == 0 and mine.counts.pictures > 0,
            ),
            Claim("memory", f"{memory:.2f} MB a camera beyond the base", memory <= 1.0),
            Claim(
                "cpu",
                f"{cameras} cameras for {median(mine.cpu):.1f} % of a core, FFmpeg "
                f"{median(peer.cpu):.1f} % ({share:.2f} times)"
                + (f", PyAV {median(results['pyav'].cpu):.1f} %" if "pyav" in results else ""),
                share <= 0.5,
            ),
        ]
    )


def _wait_for_files(folder: Path, wanted: int, limit: float = 60.0) -> None:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if sum(file.stat().st_size > 0 for file in folder.rglob("*.mkv")) >= wanted:
            return
        time.sleep(0.2)
    raise TimeoutError(f"FFmpeg wrote no file for some camera within {limit:.0f} s")


def _files_by_camera(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*.mkv")):
        match = re.search(r"cam-\d+", str(file.relative_to(folder)))
        found.setdefault(match[0] if match else file.stem, []).append(file)
    return found


if __name__ == "__main__":
    main()

"""Write many streams durably to a real disk: CPU, loss, and how late it is on the platter.

The claim: 64 streams of 4 Mbit/s and 25 pictures a second, all synced at most 0.8 s after they
came, hashed and indexed, for at most 15 % of one core, and no picture lost (counted in the
files afterwards). Beside it in the same run: FFmpeg's Matroska muxer (PyAV) with fdatasync as
often, without hash or index. The feeder lies in the same process; the CPU of a run of the
feeder alone is taken away from each. The files lie below --folder: a real disk, no tmpfs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import Claim, median, percentile
from vms.common.errors import ParseError
from vms.format.mkv_reader import MkvReader

_NUMBER = slice(5, 13)


def main() -> None:
    options = harness.arguments(
        __doc__ or "",
        streams=(int, 64, "how many streams"),
        seconds=(float, 20.0, "how long each measurement lasts"),
        repeat=(int, 3, "how often"),
        folder=(str, ".", "where the files are written"),
    )
    if options.quick:
        options.seconds, options.repeat = 8.0, 1
    root = Path(options.folder).resolve()
    cpu: dict[str, list[float]] = {"null": [], "ours": [], "pyav": []}
    lags: dict[str, list[float]] = {"null": [], "ours": [], "pyav": []}
    missing = {"ours": 0, "pyav": 0}
    pictures = shed = 0
    for _ in range(options.repeat):
        for way, spent in cpu.items():
            with tempfile.TemporaryDirectory(prefix=".bench-", dir=root) as name:
                result = run(way, Path(name), options.streams, options.seconds)
                spent.append(100 * result["cpu"] / options.seconds)
                lags[way] += result["lags"]
                if way in missing:
                    found = count(Path(name))
                    missing[way] += result["sent"] * options.streams - found
                    pictures += found if way == "ours" else 0
                shed += result.get("lost", 0)
    report(options.streams, cpu, lags, missing, pictures, shed)


def run(way: str, folder: Path, streams: int, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.support.writers", way, str(folder), str(streams),
               str(seconds)]  # fmt: skip
    done = subprocess.run(
        command, cwd=harness.ROOT, stdout=subprocess.PIPE, text=True, timeout=seconds + 120,
        check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def count(folder: Path) -> int:
    """Pictures in the files, each number of each file once."""
    total = 0
    for path in folder.rglob("*.mkv"):
        numbers: set[bytes] = set()
        reader = MkvReader()
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                try:
                    numbers.update(block.data[_NUMBER] for block in reader.feed(chunk))
                except ParseError as error:
                    raise RuntimeError(f"{path}: {error}") from error
        total += len(numbers)
    return total


def report(
    streams: int,
    cpu: dict[str, list[float]],
    lags: dict[str, list[float]],
    missing: dict[str, int],
    pictures: int,
    shed: int,
) -> None:
    feeder = median(cpu["null"])
    net = {way: median(values) - feeder for way, values in cpu.items()}
    print(f"feeder: {feeder:.1f} % of a core, taken away from each")
    for way, gone in missing.items():
        print(
            f"{way:>6}: {net[way]:.1f} % of a core, {gone} missing, to the disk p50 "
            f"{percentile(lags[way], 0.5):.2f} s, p99 {percentile(lags[way], 0.99):.2f} s, "
            f"max {max(lags[way]):.2f} s"
        )
    worst = max(lags["ours"])
    harness.finish(
        [
            Claim(
                "loss", f"{missing['ours']} of {pictures} pictures lost, {shed} shed",
                missing["ours"] == 0 and shed == 0 and pictures > 0,
            ),
            Claim(
                "durable",
                f"on the disk p99 {percentile(lags['ours'], 0.99):.2f} s, max {worst:.2f} s "
                "after it came",
                worst <= 0.8,
            ),
            Claim(
                "cpu",
                f"{streams} streams for {net['ours']:.1f} % of a core, FFmpeg's muxer "
                f"{net['pyav']:.1f} %",
                net["ours"] <= 15,
            ),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()

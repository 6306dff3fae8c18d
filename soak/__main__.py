"""`make soak`: the long runs, one after the other; status 1 where one fails."""

from __future__ import annotations

import subprocess
import sys

from bench.harness import ROOT

RUNS = (["soak.clips", "--bus", "memory"], ["soak.clips", "--bus", "nats"])


def main() -> None:
    failed = []
    for run in RUNS:
        print("==", *run, flush=True)
        done = subprocess.run(
            [sys.executable, "-m", *run, *sys.argv[1:]], cwd=ROOT, timeout=7200, check=False
        )
        if done.returncode:
            failed.append(" ".join(run))
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()

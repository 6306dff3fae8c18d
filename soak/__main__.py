"""`make soak`: the long runs, one after the other; status 1 where one fails."""

from __future__ import annotations

import subprocess
import sys

from bench.harness import ROOT

RUNS = (
    ["soak.faults"],
    ["soak.retention"],
    ["soak.clips", "--bus", "memory"],
    ["soak.clips", "--bus", "nats"],
)


def main() -> None:
    failed = []
    for run in RUNS:
        print("==", *run, flush=True)
        # The clips named and their minutes are no matter of the fault table.
        more = sys.argv[1:] if run[0] == "soak.clips" else []
        done = subprocess.run(
            [sys.executable, "-m", *run, *more], cwd=ROOT, timeout=7200, check=False
        )
        if done.returncode:
            failed.append(" ".join(run))
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()

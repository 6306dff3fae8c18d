"""Run every measurement and write docs/reference/benchmarks.md with hardware and date."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

from bench.harness import ROOT, hardware

SCRIPTS = ("write_path", "seek", "timeline", "ingest", "latency", "glass")
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"


def main() -> None:
    extra = sys.argv[1:]
    results = []
    for name in SCRIPTS:
        print(f"== bench/{name}.py", flush=True)
        results.append((name, *_run(name, extra)))
        _write(results)
    failed = [name for name, status, _ in results if status]
    if failed:
        sys.exit(f"fell short: {', '.join(failed)}")


def _run(name: str, extra: list[str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *extra],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=1800,
        check=False,
    )
    print(done.stdout, flush=True)
    return done.returncode, done.stdout


def _write(results: list[tuple[str, int, str]]) -> None:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`: each script measures one claim, ours and the peers' in one run.",
        "",
        f"Hardware: {hardware()}. Date: {today}.",
    ]
    for name, status, output in results:
        verdict = "fell short" if status else "reached"
        lines += ["", f"## bench/{name}.py: {verdict}", "", "```", output.strip(), "```"]
    Path(PAGE).parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()

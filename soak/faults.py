"""The fault table: each fault injected for real, its promise, and the figure measured.

`python -m soak.faults [--quick] [--only 17,18]`: status 1 where one promise was not kept.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from bench.harness import hardware

from soak.fault_cases.common import Case, Outcome, Place, State, outcome

MODULES = ("cameras", "kills", "torn", "disk", "catalog")


def cases() -> list[Case]:
    """All rows, by their number in the plan."""
    found: list[Case] = []
    for name in MODULES:
        found += importlib.import_module(f"soak.fault_cases.{name}").CASES
    return sorted(found, key=lambda case: case.number)


def run(chosen: list[Case], quick: bool) -> list[tuple[Case, Outcome]]:
    """Run the cases one after the other, saying each as it ends."""
    results = []
    with tempfile.TemporaryDirectory(prefix="vms-faults-") as name:
        for case in chosen:
            began = time.monotonic()
            result = outcome(case, Place(Path(name) / str(case.number), quick))
            took = time.monotonic() - began
            results.append((case, result))
            print(f"{result.state.value:10} {case.number:2} {case.name} ({took:.0f} s)", flush=True)
    return results


def table(results: list[tuple[Case, Outcome]]) -> str:
    """The rows as a table in Markdown."""
    lines = ["| # | fault | injected | promise | measured | |", "| --- " * 6 + "|"]
    lines += [
        f"| {case.number} | {case.name} | {case.injected} | {case.promise} | {result.figure} "
        f"| {result.state.value} |"
        for case, result in results
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form, under 3 minutes")
    parser.add_argument("--only", default="", help="numbers of rows, such as 17,18")
    options = parser.parse_args()
    wanted = {int(number) for number in options.only.split(",") if number}
    chosen = [case for case in cases() if not wanted or case.number in wanted]
    results = run(chosen, options.quick)
    print(f"\n{table(results)}\n\n{hardware()}; {'short form' if options.quick else 'whole'}")
    sys.exit(1 if any(result.state is State.FAIL for _, result in results) else 0)


if __name__ == "__main__":
    main()

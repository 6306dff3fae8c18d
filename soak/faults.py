"""The fault table: each fault injected for real, its promise, and the figure measured.

`python -m soak.faults [--quick] [--only 17,18]`: status 1 where one promise was not kept.
The cases that mostly wait run beside the others; in the short form several at a time do.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import structlog
from bench.harness import hardware

from soak.fault_cases.common import Case, Outcome, Place, State, outcome

MODULES = ("cameras", "kills", "torn", "disk", "volumes", "clocks", "catalog")
_QUICK_LANES = 3


def cases() -> list[Case]:
    """All rows, by their number in the plan."""
    found: list[Case] = []
    for name in MODULES:
        found += importlib.import_module(f"soak.fault_cases.{name}").CASES
    return sorted(found, key=lambda case: case.number)


def run(chosen: list[Case], quick: bool) -> list[tuple[Case, Outcome]]:
    """Run the cases, saying each as it ends; the results in the order of the cases."""
    waiting = [case for case in chosen if case.beside and not quick]
    lanes = _QUICK_LANES if quick else 1
    with (
        tempfile.TemporaryDirectory(prefix="vms-faults-") as name,
        ThreadPoolExecutor(max(1, len(waiting))) as beside,
        ThreadPoolExecutor(lanes) as first,
    ):
        found: dict[int, Future[Outcome]] = {}
        for case in chosen:
            pool = beside if case in waiting else first
            found[case.number] = pool.submit(
                _one, case, Place(Path(name) / str(case.number), quick)
            )
        return [(case, found[case.number].result()) for case in chosen]


def _one(case: Case, place: Place) -> Outcome:
    began = time.monotonic()
    result = outcome(case, place)
    took = time.monotonic() - began
    print(f"{result.state.value:10} {case.number:2} {case.name} ({took:.0f} s)", flush=True)
    return result


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
    # What the cases have mended in this process is said a thousand times over else.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wanted = {int(number) for number in options.only.split(",") if number}
    chosen = [case for case in cases() if not wanted or case.number in wanted]
    began = time.monotonic()
    results = run(chosen, options.quick)
    form = "short form" if options.quick else "whole"
    took = time.monotonic() - began
    print(f"\n{table(results)}\n\n{hardware()}; {form}, {took:.0f} s")
    sys.exit(1 if any(result.state is State.FAIL for _, result in results) else 0)


if __name__ == "__main__":
    main()

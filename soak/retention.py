"""Retention over weeks of virtual time, held each hour against a plain model of what must be.

    python -m soak.retention [--days 45] [--cameras 20] [--seed 1]

The engine and the catalog are the real ones; files are numbers. Prints a table; status 1 where
one file was there that should be gone, or gone that should be there.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from soak.retention_model import Rule
from soak.retention_play import Figures, Plan, Play
from vms.catalog.open import open_catalog

_GB = 1_000_000_000


def plan(cameras: int, days: int) -> Plan:
    """Rules of all sorts, a disk that others fill for three days, one that goes away."""
    rules = {
        "*": Rule(30),
        "cam01": Rule(7),
        "cam02": Rule(7, event_days={"person": 20}),
        "cam03": Rule(2, event_days={"*": 10, "vehicle": 25}),
        "cam04": Rule(None, max_bytes=90 * _GB),
        "cam05": Rule(30, share=0.02),
        "cam06": Rule(0.5, event_days={"motion": 1.5, "input": 40}),
        "cam07": Rule(None),
    }
    day = 24
    size = cameras * 24 * 20 * _GB
    return Plan(
        cameras=cameras,
        hours=days * day,
        volumes={"main": size // 2 * 9 // 10, "second": size // 2 * 11 // 10},
        rules=rules,
        changes={
            20 * day: rules | {"*": Rule(25, event_days={"manual": 33})},
            33 * day: rules | {"cam08": Rule(30, max_bytes=200 * _GB)},
        },
        others={
            10 * day: ("main", size // 4),
            13 * day: ("main", 0),
            38 * day: ("second", size // 8),
        },
        away={24 * day: ("second", True), 24 * day + 30: ("second", False)},
    )


async def run(chosen: Plan, seed: int, tell: bool = True) -> tuple[Play, Figures]:
    """Until all hours are over, or something differs."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="vms-soak-", dir=where) as folder:
        catalog = await open_catalog(f"sqlite:///{folder}/vms.db", Path(folder))
        try:
            play = Play(catalog, chosen, seed)
            await play.begin()
            began = time.monotonic()
            for hour in range(chosen.hours):
                await play.hour()
                if tell and hour % 120 == 119:
                    took = time.monotonic() - began
                    print(f"day {hour // 24 + 1:3}: {len(play.model.files)} files, "
                          f"{took:.0f} s", file=sys.stderr, flush=True)  # fmt: skip
                if len(play.figures.differences) >= 20:
                    break
            return play, play.figures
        finally:
            await catalog.close()


def table(play: Play, figures: Figures) -> str:
    tally = play.model.tally
    lines = [
        ("virtual days", f"{figures.hours / 24:.1f}"),
        ("cameras, volumes", f"{len(play.cameras)}, {len(play.model.stores)}"),
        ("files recorded", f"{figures.files} ({figures.size / 1e12:.2f} TB)"),
        ("events, holds", f"{figures.events}, {figures.holds}"),
        ("deleted by age", f"{tally.by_age}"),
        ("deleted above a ceiling", f"{tally.by_ceiling}"),
        ("deleted for room", f"{tally.by_room}"),
        ("files due and spared by holds (file-hours)", f"{tally.spared}"),
        ("hours in which only held footage was left", f"{tally.short}"),
        ("files left", f"{len(play.model.files)}"),
        ("kills at a step of deleting", f"{play.engine.kills}"),
        ("differences from the model", f"{len(figures.differences)}"),
    ]
    return "\n".join(f"| {name} | {value} |" for name, value in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=45)
    parser.add_argument("--cameras", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    play, figures = asyncio.run(run(plan(args.cameras, args.days), args.seed))
    print(table(play, figures))
    for difference in figures.differences[:20]:
        print(difference)
    sys.exit(1 if figures.differences else 0)


if __name__ == "__main__":
    main()

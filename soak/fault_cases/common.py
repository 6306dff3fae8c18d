"""What all cases of the fault table share: how one is described, and what it gives back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class State(Enum):
    OK = "ok"
    FAIL = "FAIL"
    NEEDS_ROOT = "needs root"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figure measured, as a text, and whether the promise was kept."""

    figure: str
    state: State

    @classmethod
    def judged(cls, figure: str, kept: bool) -> Outcome:
        return cls(figure, State.OK if kept else State.FAIL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case may work, and whether the short form is wanted."""

    folder: Path
    quick: bool

    def rounds(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole

    def data(self, name: str = "data") -> Path:
        """A new folder for the data of a system."""
        folder = self.folder / name
        folder.mkdir()
        return folder


@dataclass(frozen=True, slots=True)
class Case:
    """One row: its number in the plan, what is injected, what is promised.

    `run` raises AssertionError where the system did something that nobody expected.
    `beside`: it waits for long and needs little, so that others may run meanwhile.
    """

    number: int
    name: str
    injected: str
    promise: str
    run: Callable[[Place], Outcome]
    root: bool = False
    beside: bool = False


def outcome(case: Case, place: Place) -> Outcome:
    """Run a case; whatever it raises is a failure of its row, and of no other."""
    if case.root and os.geteuid() != 0:
        return Outcome("mounting takes root", State.NEEDS_ROOT)
    place.folder.mkdir(parents=True, exist_ok=True)
    try:
        return case.run(place)
    except Exception as error:
        return Outcome(f"{type(error).__name__}: {error}"[:300], State.FAIL)

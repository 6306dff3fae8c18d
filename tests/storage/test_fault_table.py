"""The rows of the fault table that a test machine has time for, in their short form."""

from __future__ import annotations

from pathlib import Path

import pytest
from soak.fault_cases.common import Place, State, outcome
from soak.faults import cases, table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CASES = {case.number: case for case in cases()}


@pytest.mark.parametrize("number", [17, 18, 19, 20, 30])
def test_a_fault_costs_no_more_than_promised(tmp_path: Path, number: int) -> None:
    case = CASES[number]
    result = outcome(case, Place(tmp_path / "case", quick=True))
    if result.state is State.NEEDS_ROOT:
        pytest.skip(result.figure)
    assert result.state is State.OK, result.figure


def test_the_table_has_each_row_of_the_plan_once() -> None:
    numbers = [case.number for case in cases()]
    assert numbers == [*range(7, 13), *range(17, 31)]
    assert len(table([]).splitlines()) == 2

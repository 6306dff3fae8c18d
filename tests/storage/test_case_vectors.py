"""The verdicts on the shared cases: what the page that verifies says too (web/verify)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.case_vectors import FOLDER, vector, verdict_fields

from vms.storage.export.check import verify

VECTORS: list[dict[str, Any]] = json.loads((FOLDER / "vectors.json").read_text("utf-8"))


@pytest.mark.parametrize("fields", VECTORS, ids=[one["name"][:60] for one in VECTORS])
def test_the_verdict_is_as_it_was_written(fields: dict[str, Any], tmp_path: Path) -> None:
    one = vector(fields)
    verdict = verify(one.make(FOLDER, tmp_path / "case"), one.key)
    assert verdict_fields(verdict) == {
        name: fields[name] for name in ("fingerprint", "unproven", "findings")
    }


def test_every_kind_of_finding_is_among_them() -> None:
    kinds = {finding["what"] for one in VECTORS for finding in one["findings"]}
    assert kinds == {
        "unreadable", "container", "signature", "key", "altered", "missing", "added", "chain"
    }  # fmt: skip

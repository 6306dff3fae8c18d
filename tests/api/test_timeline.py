"""Lines of time over HTTP: footage, gaps, events and holds, joined by steps."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.api_server import Api
from tests.support.catalog_open import HOUR, SECOND, segment

from vms.api.rest.timeline import joined, joined_marks
from vms.catalog.port_evidence import EventMark
from vms.common.model.evidence import Event, Gap, GapCause, Hold, HoldKind

URL = "/api/v1/cameras/{}/timeline"
T0 = 1_790_000_000 * SECOND
T0_MS = T0 // 10**6
H_MS = 3_600_000


def _hold(number: int, **changes: Any) -> Hold:
    made = Hold(
        f"h{number}", "front", HoldKind.LOCK, T0, T0 + HOUR, "theft", "u", "Anna", T0
    )  # fmt: skip
    return replace(made, **changes)


async def _fill(api: Api) -> None:
    catalog = api.services.catalog
    rows = [segment(n, start_ns=T0 + n * HOUR) for n in (0, 1, 3)]
    rows += [replace(segment(4, start_ns=T0 + 4 * HOUR), mode="event")]
    rows += [segment(0, "front", "sub", T0 + 2 * HOUR), segment(0, "back", "main", T0)]
    await catalog.segments.add_many(rows)
    gap = Gap("g", "front", "main", T0 + 2 * HOUR, T0 + 3 * HOUR, GapCause.DISK, "/mnt/a is full")
    lasting = replace(gap, id="g2", start_ns=T0 + 5 * HOUR, end_ns=None, cause=GapCause.CAMERA)
    await catalog.gaps.put_many([gap, lasting, replace(gap, id="g3", stream="sub")])
    await catalog.events.put_many(
        [
            Event(f"m{n}", "front", "motion", T0 + n * SECOND, T0 + (n + 2) * SECOND, "onvif")
            for n in range(0, 100, 5)
        ]
        + [Event("p", "front", "person", T0 + HOUR, None, "ai", "gate", 0.9)]
    )
    past = _hold(3, until_ns=T0)
    await catalog.holds.add_many([_hold(1), _hold(2, released_ns=T0 + 1), past])


async def test_a_line_of_time_has_all_that_lies_on_it(api: Api, admin: httpx.AsyncClient) -> None:
    await _fill(api)
    query = {"start": T0_MS, "end": T0_MS + 6 * H_MS}
    found = (await admin.get(URL.format("front"), params=query)).json()
    assert found["spans"] == [
        {"start": T0_MS, "end": T0_MS + 2 * H_MS, "mode": "continuous"},
        {"start": T0_MS + 3 * H_MS, "end": T0_MS + 4 * H_MS, "mode": "continuous"},
        {"start": T0_MS + 4 * H_MS, "end": T0_MS + 5 * H_MS, "mode": "event"},
    ]
    assert found["gaps"] == [
        {
            "start": T0_MS + 2 * H_MS, "end": T0_MS + 3 * H_MS, "cause": "disk",
            "detail": "/mnt/a is full",
        },
        {"start": T0_MS + 5 * H_MS, "end": None, "cause": "camera", "detail": "/mnt/a is full"},
    ]  # fmt: skip
    assert len(found["events"]) == 21
    assert found["events"][0] == {
        "id": "m0", "kind": "motion", "label": "", "start": T0_MS, "end": T0_MS + 2000, "count": 1,
    }  # fmt: skip
    person = found["events"][-1]
    assert (person["kind"], person["label"], person["end"]) == ("person", "gate", None)
    assert [hold["id"] for hold in found["holds"]] == ["h1"]
    assert found["holds"][0]["reason"] == "theft"
    assert found["more"] is False


async def test_a_step_joins_events_of_a_kind_and_footage(
    api: Api, admin: httpx.AsyncClient
) -> None:
    await _fill(api)
    query = {"start": T0_MS, "end": T0_MS + 6 * H_MS, "step": H_MS + 1}
    found = (await admin.get(URL.format("front"), params=query)).json()
    assert [(e["kind"], e["count"]) for e in found["events"]] == [("motion", 20), ("person", 1)]
    assert found["events"][0]["end"] == T0_MS + 97_000
    assert [(s["start"], s["end"]) for s in found["spans"]] == [
        (T0_MS, T0_MS + 4 * H_MS), (T0_MS + 4 * H_MS, T0_MS + 5 * H_MS),
    ]  # fmt: skip


async def test_a_viewer_sees_no_holds_and_no_paths(api: Api, vera: httpx.AsyncClient) -> None:
    await _fill(api)
    query = {"start": T0_MS, "end": T0_MS + 6 * H_MS}
    found = (await vera.get(URL.format("front"), params=query)).json()
    assert found["holds"] == []
    assert {gap["detail"] for gap in found["gaps"]} == {""}
    assert len(found["spans"]) == 3
    assert (await vera.get(URL.format("back"), params=query)).status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start": "2", "end": "1"}, "query.end"),
        ({"start": "0", "end": str(401 * 86_400_000)}, "query.end"),
        ({"start": "x", "end": "1"}, "query.start"),
        ({"start": "0", "end": "1", "step": "-1"}, "query.step"),
        ({"start": "0", "end": "1", "stream": "../x"}, "query.stream"),
    ],
)
async def test_what_cannot_be_asked_is_refused_naming_the_field(
    admin: httpx.AsyncClient, query: dict[str, str], field: str
) -> None:
    answer = await admin.get(URL.format("front"), params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


_STRETCH = st.tuples(
    st.integers(0, 10**6), st.integers(1, 10**5), st.sampled_from(["continuous", "event"])
)


@given(st.lists(_STRETCH, max_size=30), st.integers(1, 5000))
def test_joined_footage_covers_what_was_given_and_stays_apart(
    given_: list[tuple[int, int, str]], within: int
) -> None:
    stretches = sorted((a * 10**6, (a + n) * 10**6, mode) for a, n, mode in given_)
    found = joined(stretches, within)
    for start, end, mode in stretches:
        assert any(
            s.mode == mode and s.start <= start // 10**6 and end // 10**6 <= s.end for s in found
        )
    for mode in ("continuous", "event"):
        of_mode = [s for s in found if s.mode == mode]
        for before, after in itertools.pairwise(of_mode):
            assert after.start - before.end >= within


_MARK = st.tuples(
    st.sampled_from(["motion", "person"]),
    st.integers(0, 10**6),
    st.none() | st.integers(0, 10**5),
    st.sampled_from(["", "gate"]),
)


@given(st.lists(_MARK, max_size=30), st.integers(0, 5000))
def test_joined_marks_lose_no_event(
    given_: list[tuple[str, int, int | None, str]], step: int
) -> None:
    marks = [
        EventMark(f"e{n}", kind, label, a * 10**6, None if d is None else (a + d) * 10**6, 1)
        for n, (kind, a, d, label) in enumerate(given_)
    ]
    found = joined_marks(marks, step)
    assert sum(mark.count for mark in found) == len(marks)
    assert [mark.start for mark in found] == sorted(mark.start for mark in found)
    for one in marks:
        assert any(
            m.kind == one.kind
            and m.start <= one.start_ns // 10**6
            and (m.end is None or (one.end_ns is not None and one.end_ns // 10**6 <= m.end))
            for m in found
        )

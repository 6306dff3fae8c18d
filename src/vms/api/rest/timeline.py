"""A camera's line of time: what is recorded, what is missing, what happened, what is held."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query

from vms.api.models_evidence import (
    MILLISECOND,
    GapModel,
    HoldMark,
    MarkModel,
    StretchModel,
    Timeline,
    ceil_ms,
    floor_ms,
)
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.api.spans import parse_span
from vms.api.text import Identifier, Moment
from vms.auth.http import require
from vms.auth.policy import Permission, Principal
from vms.catalog.port_evidence import MAX_SPANS, EventMark
from vms.common.model.evidence import Hold

Viewer = Annotated[Principal, require(Permission.VIEW_PLAYBACK)]
_MERGE_MS = 2000
_DAY_MS = 86_400_000
_LASTS = 1 << 62


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["recordings"])
    catalog, policy = services.catalog, services.auth.policy

    async def holds(camera_id: str, who: Principal, start_ns: int, end_ns: int) -> list[Hold]:
        if not policy.allows(who, Permission.HOLD, camera_id):
            return []
        now_ns = services.clock.now_ns()
        found = await catalog.holds.spans(camera_id, start_ns, end_ns)
        return [hold for hold in found if hold.in_force(now_ns)]

    @routes.get("/cameras/{camera_id}/timeline")
    async def get_timeline(
        camera_id: str,
        start: Moment,
        end: Moment,
        who: Viewer,
        stream: Annotated[Identifier, Query(description="Name of the stream.")] = "main",
        step: Annotated[
            int, Query(ge=0, le=_DAY_MS, description="Milliseconds that are one point to look at.")
        ] = 0,
    ) -> Timeline:
        """What lies within [start, end), at most 400 days. Footage with less than two seconds
        (or a step) between is one span; so are events of a kind within a step."""
        start_ns, end_ns = parse_span(start, end)
        step_ns = step * MILLISECOND
        stretches, gaps, marks, held = await asyncio.gather(
            catalog.segments.stretches(camera_id, stream, start_ns, end_ns),
            catalog.gaps.spans(camera_id, stream, start_ns, end_ns),
            catalog.events.marks(camera_id, start_ns, end_ns, step_ns),
            holds(camera_id, who, start_ns, end_ns),
        )
        told = policy.allows(who, Permission.VIEW_SYSTEM)
        return Timeline(
            spans=joined(stretches, max(_MERGE_MS, step)),
            gaps=[GapModel.of(gap, told) for gap in gaps],
            events=joined_marks(marks, step),
            holds=[
                HoldMark(
                    id=hold.id,
                    kind=hold.kind,
                    reason=hold.reason,
                    start=floor_ms(hold.start_ns),
                    end=ceil_ms(hold.end_ns),
                )
                for hold in held
            ],
            more=len(gaps) >= MAX_SPANS or len(marks) >= MAX_SPANS,
        )

    return routes


def joined(stretches: Iterable[tuple[int, int, str]], within_ms: int) -> list[StretchModel]:
    """Footage (nanoseconds) of one mode with less than `within_ms` between is one span."""
    spans: list[StretchModel] = []
    last: dict[str, StretchModel] = {}
    for start_ns, end_ns, mode in stretches:
        start, end = floor_ms(start_ns), ceil_ms(end_ns)
        before = last.get(mode)
        if before is not None and start - before.end < within_ms:
            before.end = max(before.end, end)
        else:
            last[mode] = StretchModel(start=start, end=end, mode=mode)
            spans.append(last[mode])
    return spans


def joined_marks(marks: Iterable[EventMark], step_ms: int) -> list[MarkModel]:
    """Events of a kind with less than a step between are one mark."""
    found: list[MarkModel] = []
    last: dict[str, MarkModel] = {}
    for mark in sorted(marks, key=lambda one: one.start_ns):
        start = floor_ms(mark.start_ns)
        end = None if mark.end_ns is None else ceil_ms(mark.end_ns)
        before = last.get(mark.kind)
        if before is not None and start - _end(before.end) < step_ms:
            before.end = None if None in (before.end, end) else max(_end(before.end), _end(end))
            before.label = before.label if before.label == mark.label else ""
            before.count += mark.count
        else:
            last[mark.kind] = MarkModel(
                id=mark.id,
                kind=mark.kind,
                label=mark.label,
                start=start,
                end=end,
                count=mark.count,
            )
            found.append(last[mark.kind])
    return found


def _end(end: int | None) -> int:
    return _LASTS if end is None else end

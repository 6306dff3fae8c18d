"""What is recorded of a camera, and when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from vms.api.models import Days, SpanModel, Spans
from vms.api.problems import RequestRefused
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.api.spans import check_span, parse_span
from vms.api.text import Identifier, Moment
from vms.auth.http import require
from vms.auth.policy import Permission, Principal
from vms.common.model.segment import SegmentRow

Viewer = Annotated[Principal, require(Permission.VIEW_PLAYBACK)]
StreamQuery = Annotated[Identifier | None, Query(description="Left out: of all streams.")]

_MERGE_MS = 2000
_MILLISECOND = 1_000_000


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["recordings"])
    segments = services.catalog.segments

    @routes.get("/cameras/{camera_id}/recordings")
    async def list_recordings(
        camera_id: str, start: Moment, end: Moment, who: Viewer, stream: StreamQuery = None
    ) -> Spans:
        """Footage within [start, end), at most 400 days. Gaps under two seconds are joined."""
        start_ns, end_ns = parse_span(start, end)
        return Spans(spans=merged(await segments.spans(camera_id, stream, start_ns, end_ns)))

    @routes.get("/cameras/{camera_id}/recordings/days")
    async def list_recording_days(
        camera_id: str,
        who: Viewer,
        from_: Annotated[date, Query(alias="from", description="The first day.")],
        to: Annotated[date, Query(description="The last day; at most 400 days in all.")],
        tz: Annotated[
            str,
            Query(pattern=r"^[A-Za-z0-9_+/-]{1,64}$", description="Time zone (IANA name)."),
        ] = "UTC",
        stream: StreamQuery = None,
    ) -> Days:
        """The days of a calendar in zone `tz` that hold footage."""
        zone = _zone(tz)
        try:
            first = _midnight(from_, zone)
            end = _midnight(to + timedelta(days=1), zone)
        except (OverflowError, ValueError):
            raise RequestRefused("the day is out of range", field="query.to") from None
        start_ns, end_ns = check_span(first, end)
        found = await segments.days(camera_id, stream, start_ns, end_ns, zone)
        return Days(tz=tz, days=[day.isoformat() for day in found])

    return routes


def merged(rows: Iterable[SegmentRow]) -> list[SpanModel]:
    """Segments of one stream and codec with less than two seconds between them are one span."""
    spans: list[SpanModel] = []
    last: dict[tuple[str, str], SpanModel] = {}
    for row in rows:
        start, end = row.start_ns // _MILLISECOND, -(-row.end_ns // _MILLISECOND)
        key = (row.stream, row.codec.value)
        before = last.get(key)
        if before is not None and start - before.end < _MERGE_MS:
            before.end = max(before.end, end)
        else:
            last[key] = SpanModel(start=start, end=end, stream=key[0], codec=key[1])
            spans.append(last[key])
    return spans


def _midnight(day: date, zone: ZoneInfo) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return int(moment.timestamp()) * 1_000_000_000


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise RequestRefused(
            f"time zone {name!r} is not known; use a name like America/Sao_Paulo",
            field="query.tz",
        ) from None

"""What happened at a camera; and events that people start and end by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from vms.api.by_hand import SOURCE
from vms.api.models_evidence import EventModel, Events, NewEvent
from vms.api.problems import CREATED, documented
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.api.spans import parse_span
from vms.api.text import Identifier, Moment
from vms.auth.http import peer_address, require
from vms.auth.policy import Permission, Principal
from vms.common.errors import Conflict, NotFound
from vms.common.model.evidence import Event

Viewer = Annotated[Principal, require(Permission.VIEW_PLAYBACK)]
Starter = Annotated[Principal, require(Permission.TRIGGER)]
EventId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")]


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["events"])
    rows, by_hand, trail = services.catalog.events, services.by_hand, services.auth.audit

    @routes.get("/cameras/{camera_id}/events")
    async def list_events(
        camera_id: str,
        start: Moment,
        end: Moment,
        who: Viewer,
        kind: Annotated[
            list[Identifier] | None, Query(max_length=20, description="Left out: of all kinds.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> Events:
        """Events that overlap [start, end), at most 400 days, by start."""
        start_ns, end_ns = parse_span(start, end)
        found = await rows.spans(camera_id, start_ns, end_ns, kind, limit + 1)
        more = len(found) > limit
        return Events(events=[EventModel.of(event) for event in found[:limit]], more=more)

    @routes.post(
        "/cameras/{camera_id}/events", status_code=201, responses=CREATED | documented(503)
    )
    async def start_event(
        camera_id: str, body: NewEvent, who: Starter, request: Request, response: Response
    ) -> EventModel:
        """Start an event by hand: streams in mode `event` are recorded while it lasts."""
        event = by_hand.start(camera_id, body.kind, body.label, body.duration_s)
        trail.note(
            who, peer_address(request), "event.started", camera_id, event.start_ns, None,
            event=event.id, kind=event.kind, label=event.label,
        )  # fmt: skip
        response.headers["Location"] = f"{PREFIX}/cameras/{camera_id}/events/{event.id}"
        return EventModel.of(event)

    @routes.get("/cameras/{camera_id}/events/{event}")
    async def get_event(camera_id: str, event: EventId, who: Viewer) -> EventModel:
        return EventModel.of(await known(camera_id, event))

    @routes.post("/cameras/{camera_id}/events/{event}/end", responses=documented(409))
    async def end_event(
        camera_id: str, event: EventId, who: Starter, request: Request
    ) -> EventModel:
        """End an event that was started by hand. One that is over already stays as it was."""
        found = await known(camera_id, event)
        if found.source != SOURCE:
            raise Conflict(f"event {event!r} is told of by {found.source!r}, which alone ends it")
        if found.end_ns is None:
            by_hand.end(found)
            found = replace(found, end_ns=services.clock.now_ns())
            trail.note(
                who, peer_address(request), "event.ended", camera_id, found.start_ns,
                found.end_ns, event=found.id, kind=found.kind,
            )  # fmt: skip
        return EventModel.of(found)

    async def known(camera_id: str, event_id: str) -> Event:
        # One that has just begun may have no row yet.
        found = by_hand.lasting(event_id) or await rows.get(event_id)
        if found.camera != camera_id:
            raise NotFound(f"no event {event_id!r}")
        return found

    return routes

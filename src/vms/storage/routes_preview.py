"""Preview strips over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from vms.common.errors import NotFound
from vms.storage import preview
from vms.storage.playback import PlaybackBusy
from vms.storage.preview import CELL_MS, COLUMNS, ROWS, STRIP_MS, Previews
from vms.storage.responses import BUSY, NO_FOOTAGE, busy
from vms.storage.routes_media import End
from vms.storage.view import (
    MAX_MS,
    MILLISECOND,
    PREFIX,
    CameraView,
    Start,
    Viewer,
    check_span,
    note,
)


class StripModel(BaseModel):
    """One sheet: `columns` by `rows` cells of `width` by `height` pixels, row by row. `times`
    are when each cell's ten seconds begin, epoch milliseconds; cells without footage are grey."""

    start: int
    end: int
    columns: int
    rows: int
    width: int
    height: int
    times: list[int]
    path: str = Field(description="Where the sheet is, as JPEG.")


class StripsModel(BaseModel):
    strips: list[StripModel]


def add(routes: APIRouter, previews: Previews) -> None:
    """Add them to the routes of recordings."""

    @routes.get("/cameras/{camera_id}/previews")
    async def list_previews(camera_id: str, who: Viewer, start: Start, end: End) -> StripsModel:
        """The strips of a span that hold footage. None is made by asking for this list."""
        check_span(start, end, preview.MAX_SPAN_S)
        found = await previews.strips(camera_id, start, end)
        return StripsModel(strips=[_model(camera_id, strip) for strip in found])

    @routes.get(
        "/cameras/{camera_id}/previews/{strip}.jpg",
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
            404: NO_FOOTAGE,
            503: BUSY,
        },
    )
    async def get_preview(
        request: Request, camera_id: str, strip: int, view: CameraView
    ) -> Response:
        """A sheet of ten minutes. The masks of who may not see behind them are painted."""
        if not 0 <= strip < MAX_MS or strip % STRIP_MS:
            raise NotFound(f"no preview strip begins at {strip}")
        if not await previews.strips(camera_id, strip, strip + STRIP_MS):
            raise NotFound("nothing is recorded in that strip")
        try:
            jpeg, growing = await previews.sheet(camera_id, strip, view.masks)
        except PlaybackBusy as error:
            return busy(error)
        span = strip * MILLISECOND, (strip + STRIP_MS) * MILLISECOND
        note(request, view, "preview", camera_id, *span)
        keep = "private, max-age=15" if growing else "private, max-age=86400"
        return Response(jpeg, 200, {"Cache-Control": keep}, "image/jpeg")


def _model(camera_id: str, strip: preview.Strip) -> StripModel:
    return StripModel(
        start=strip.start_ms,
        end=strip.start_ms + STRIP_MS,
        columns=COLUMNS,
        rows=ROWS,
        width=preview.WIDTH,
        height=strip.height,
        times=[strip.start_ms + n * CELL_MS for n in range(COLUMNS * ROWS)],
        path=f"{PREFIX}/cameras/{camera_id}/previews/{strip.start_ms}.jpg",
    )

"""Playback over HTTP."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from vms.storage import routes_media, routes_preview
from vms.storage.playback import NoFootage, Playback, PlaybackBusy
from vms.storage.preview import Previews
from vms.storage.responses import BUSY, NO_FOOTAGE, TIMES, PlaybackResponse, busy, nothing
from vms.storage.view import MAX_MS, MILLISECOND, PREFIX, CameraView, Start, StreamName, note

__all__ = ["PlaybackResponse", "router"]


def router(playback: Playback, previews: Previews | None = None) -> APIRouter:
    """All routes of recordings, `/api/v1` included; those of previews where there are some."""
    routes = APIRouter(prefix=PREFIX, tags=["playback"])
    _add_playback(routes, playback)
    _add_snapshot(routes, playback)
    routes_media.add(routes, playback)
    if previews is not None:
        routes_preview.add(routes, previews)
    return routes


def _add_playback(routes: APIRouter, playback: Playback) -> None:
    longest = playback.settings.playback_max_seconds

    @routes.get(
        "/cameras/{camera_id}/playback",
        response_class=StreamingResponse,
        responses={
            200: {
                "content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}},
                "headers": TIMES,
            },
            404: NO_FOOTAGE,
            503: BUSY,
        },
    )
    async def play_recording(
        request: Request,
        camera_id: str,
        view: CameraView,
        start: Start,
        duration: float = Query(30.0, gt=0, le=longest, description="Seconds."),
        stream: StreamName = "main",
        pictures: Annotated[
            Literal["all", "keys"], Query(description="keys: key pictures alone, without sound.")
        ] = "all",
    ) -> Response:
        """Footage as fragmented MP4: an init segment, then fragments.

        It begins with the key picture at or before `start` and holds whole groups of
        pictures; its times count from the first one. It ends early at a gap, and where the
        stream's parameters change. Who may not see behind the camera's privacy masks gets
        video encoded anew, with the masks black.
        """
        start_ns = start * MILLISECOND
        keys = pictures == "keys"
        try:
            with ExitStack() as stack:
                stack.enter_context(playback.admitted(bool(view.masks)))
                answer = await playback.open(
                    camera_id, stream, start_ns, duration, view.masks, keys=keys
                )
                place = stack.pop_all()
        except NoFootage as found:
            return nothing(found)
        except PlaybackBusy as error:
            return busy(error)
        note(request, view, "playback", camera_id, answer.start_ns, answer.end_ns)
        return PlaybackResponse(playback, answer, place)


def _add_snapshot(routes: APIRouter, playback: Playback) -> None:
    @routes.get(
        "/cameras/{camera_id}/snapshot.jpg",
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
            404: NO_FOOTAGE,
            503: BUSY,
        },
    )
    async def get_recording_snapshot(
        request: Request,
        camera_id: str,
        view: CameraView,
        at: Annotated[int, Query(ge=0, lt=MAX_MS, description="Epoch milliseconds.")],
        stream: StreamName = "main",
        width: Annotated[int, Query(ge=0, le=8192, description="Pixels; 0: as it is.")] = 0,
        exact: Annotated[
            bool, Query(description="The picture shown at that instant, not the key picture.")
        ] = False,
    ) -> Response:
        """The recorded key picture at or before `at`, as JPEG; `X-At-Ms` says its time.

        With `exact` up to one group of pictures is decoded to come to the very picture.
        """
        try:
            with playback.admitted():
                jpeg, at_ns = await playback.snapshot(
                    camera_id, stream, at * MILLISECOND, width, view.masks, exact=exact
                )
        except NoFootage as found:
            return nothing(found)
        except PlaybackBusy as error:
            return busy(error)
        note(request, view, "snapshot", camera_id, at_ns, at_ns)
        headers = {
            "X-At-Ms": str(at_ns // MILLISECOND), "Cache-Control": "private, max-age=3600"
        }  # fmt: skip
        return Response(jpeg, media_type="image/jpeg", headers=headers)

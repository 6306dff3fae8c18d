"""Playback over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from vms.auth.http import require
from vms.auth.policy import Permission, Principal
from vms.storage.playback import Answer, NoFootage, Playback, PlaybackBusy

log = structlog.get_logger(__name__)

_PREFIX = "/api/v1"
_MILLISECOND = 1_000_000
_MAX_MS = 1 << 43
_PROBLEM = "application/problem+json"

Viewer = Annotated[Principal, require(Permission.VIEW_PLAYBACK)]
StreamName = Annotated[
    str, Query(pattern="^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$", description="Name of the stream.")
]
_NO_FOOTAGE: dict[str, Any] = {
    "description": "No such camera, or no footage there; `next_start` says where it goes on.",
    "content": {_PROBLEM: {}},
}
_BUSY: dict[str, Any] = {
    "description": "Too many are playing, or the disk cannot be read.",
    "content": {_PROBLEM: {}},
}


def router(playback: Playback) -> APIRouter:
    routes = APIRouter(prefix=_PREFIX, tags=["playback"])
    longest = playback.settings.playback_max_seconds

    @routes.get(
        "/cameras/{camera_id}/playback",
        response_class=StreamingResponse,
        responses={
            200: {
                "content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}},
                "headers": {
                    "X-Start-Ms": {
                        "description": "Time of the first picture, epoch milliseconds.",
                        "schema": {"type": "integer"},
                    },
                    "X-End-Ms": {
                        "description": "Where to ask on from: nothing before it is left out.",
                        "schema": {"type": "integer"},
                    },
                    "X-Codecs": {
                        "description": "Codecs as MediaSource.isTypeSupported wants them.",
                        "schema": {"type": "string"},
                    },
                },
            },
            404: _NO_FOOTAGE,
            503: _BUSY,
        },
    )
    async def play_recording(
        camera_id: str,
        who: Viewer,
        start: Annotated[int, Query(ge=0, lt=_MAX_MS, description="Epoch milliseconds.")],
        duration: float = Query(30.0, gt=0, le=longest, description="Seconds."),
        stream: StreamName = "main",
    ) -> Response:
        """Footage as fragmented MP4: an init segment, then fragments.

        It begins with the key picture at or before `start` and holds whole groups of
        pictures; its times count from the first one. It ends early at a gap, and where the
        stream's parameters change.
        """
        try:
            with ExitStack() as stack:
                stack.enter_context(playback.admitted())
                answer = await playback.open(camera_id, stream, start * _MILLISECOND, duration)
                place = stack.pop_all()
        except NoFootage as nothing:
            return _nothing(nothing)
        except PlaybackBusy as busy:
            return _busy(busy)
        return PlaybackResponse(playback, answer, place)

    @routes.get(
        "/cameras/{camera_id}/snapshot.jpg",
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
            404: _NO_FOOTAGE,
            503: _BUSY,
        },
    )
    async def get_recording_snapshot(
        camera_id: str,
        who: Viewer,
        at: Annotated[int, Query(ge=0, lt=_MAX_MS, description="Epoch milliseconds.")],
        stream: StreamName = "main",
        width: Annotated[int, Query(ge=0, le=8192, description="Pixels; 0: as it is.")] = 0,
    ) -> Response:
        """The recorded key picture at or before `at`, as JPEG; `X-At-Ms` says its time."""
        try:
            with playback.admitted():
                jpeg, at_ns = await playback.snapshot(camera_id, stream, at * _MILLISECOND, width)
        except NoFootage as nothing:
            return _nothing(nothing)
        except PlaybackBusy as busy:
            return _busy(busy)
        return Response(
            jpeg,
            media_type="image/jpeg",
            headers={
                "X-At-Ms": str(at_ns // _MILLISECOND),
                "Cache-Control": "private, max-age=3600",
            },
        )

    return routes


class PlaybackResponse(StreamingResponse):
    """Gives its place back however it ends, also where the reader left before the start."""

    def __init__(self, playback: Playback, answer: Answer, place: ExitStack) -> None:
        super().__init__(
            self._timed(playback.stream(answer)),
            media_type=answer.mime.split(";")[0],
            headers={
                "X-Start-Ms": str(answer.start_ns // _MILLISECOND),
                "X-End-Ms": str(-(-answer.end_ns // _MILLISECOND)),
                "X-Codecs": answer.codecs,
                "Cache-Control": "private, no-store",
            },
        )
        self._parts = (playback, answer, place)
        self._patience = playback.settings.playback_idle_seconds
        self._limit = asyncio.timeout(None)

    async def _timed(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        async for chunk in chunks:
            self._limit.reschedule(loop.time() + self._patience)
            yield chunk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An answer left unfinished has its connection closed by the server."""
        playback, answer, place = self._parts
        try:
            with place:
                async with self._limit:
                    await super().__call__(scope, receive, send)
        except TimeoutError:
            log.info("playback ended: its reader stands still", after_s=self._patience)
        finally:
            playback.release(answer)


def _nothing(error: NoFootage) -> JSONResponse:
    following = None if error.next_ns is None else -(-error.next_ns // _MILLISECOND)
    return _problem(404, "Not Found", str(error), {"next_start": following})


def _busy(error: PlaybackBusy) -> JSONResponse:
    answer = _problem(503, "Service Unavailable", str(error), {})
    answer.headers["Retry-After"] = "2"
    return answer


def _problem(status: int, title: str, detail: str, more: dict[str, Any]) -> JSONResponse:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type=_PROBLEM)

"""Answers that playback's routes share: bodies that give their place back, and problems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack
from typing import Any

import structlog
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from vms.storage.playback import Answer, NoFootage, Playback, PlaybackBusy
from vms.storage.view import MILLISECOND

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"
NO_FOOTAGE: dict[str, Any] = {
    "description": "No such camera, or no footage there; `next_start` says where it goes on.",
    "content": {PROBLEM: {}},
}
BUSY: dict[str, Any] = {
    "description": "Too many are playing, or the disk cannot be read.",
    "content": {PROBLEM: {}},
}
TIMES: dict[str, Any] = {
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
}


def times(start_ns: int, end_ns: int, codecs: str) -> dict[str, str]:
    """The headers that say what an answer holds."""
    return {
        "X-Start-Ms": str(start_ns // MILLISECOND),
        "X-End-Ms": str(-(-end_ns // MILLISECOND)),
        "X-Codecs": codecs,
    }


class HeldResponse(StreamingResponse):
    """Gives its place back however it ends, also where the reader left before the start."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        place: ExitStack,
        patience: float,
        release: Callable[[], None],
        media_type: str,
        headers: Mapping[str, str],
        status: int = 200,
    ) -> None:
        """`patience` in seconds: how long a reader may take nothing."""
        super().__init__(self._timed(chunks), status, headers, media_type)
        self._place, self._patience, self._release = place, patience, release
        self._limit = asyncio.timeout(None)

    async def _timed(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        async for chunk in chunks:
            self._limit.reschedule(loop.time() + self._patience)
            yield chunk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An answer left unfinished has its connection closed by the server."""
        try:
            with self._place:
                async with self._limit:
                    await super().__call__(scope, receive, send)
        except TimeoutError:
            log.info("playback ended: its reader stands still", after_s=self._patience)
        finally:
            self._release()


class PlaybackResponse(HeldResponse):
    """A whole answer as fragmented MP4."""

    def __init__(self, playback: Playback, answer: Answer, place: ExitStack) -> None:
        super().__init__(
            playback.stream(answer),
            place,
            playback.settings.playback_idle_seconds,
            lambda: playback.release(answer),
            answer.mime.split(";")[0],
            times(answer.start_ns, answer.end_ns, answer.codecs)
            | {"Cache-Control": "private, no-store"},
        )


def nothing(error: NoFootage) -> JSONResponse:
    """404, and where footage goes on."""
    following = None if error.next_ns is None else -(-error.next_ns // MILLISECOND)
    return problem(404, "Not Found", str(error), {"next_start": following})


def busy(error: PlaybackBusy) -> JSONResponse:
    """503, to be asked again in a moment."""
    answer = problem(503, "Service Unavailable", str(error), {})
    answer.headers["Retry-After"] = "2"
    return answer


def problem(status: int, title: str, detail: str, more: dict[str, Any]) -> JSONResponse:
    """RFC 9457."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type=PROBLEM)

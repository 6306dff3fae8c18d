"""What players fetch by an address alone: clips, live-streaming playlists and their parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from vms.auth.http import auth_services
from vms.common.errors import NotFound
from vms.storage import hls
from vms.storage.clip import Clip, ClipCache, parse_range, row_ids
from vms.storage.footage import Footage, NoFootage, no_footage, rows_of
from vms.storage.masking import Outline
from vms.storage.playback import Answer, Playback, PlaybackBusy
from vms.storage.responses import (
    BUSY,
    NO_FOOTAGE,
    TIMES,
    HeldResponse,
    PlaybackResponse,
    busy,
    nothing,
    times,
)
from vms.storage.view import (
    MAX_MS,
    MILLISECOND,
    MediaView,
    Start,
    StreamName,
    View,
    Viewer,
    check_part_span,
    check_span,
    check_token_span,
    note,
)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PRIVATE = "private, max-age=3600"
End = Annotated[int, Query(ge=0, lt=MAX_MS, description="Epoch milliseconds.")]


class TokenWish(BaseModel):
    """The span that a media token is to be good for, epoch milliseconds."""

    start: int = Field(ge=0, lt=MAX_MS)
    end: int = Field(ge=0, lt=MAX_MS)


class TokenModel(BaseModel):
    """`expires` in epoch milliseconds."""

    token: str
    expires: int


def add(routes: APIRouter, playback: Playback) -> None:
    """Add them to the routes of recordings."""
    _add_token(routes)
    _add_clip(routes, playback)
    _add_hls(routes, playback)


def _add_token(routes: APIRouter) -> None:
    @routes.post("/cameras/{camera_id}/media-token")
    async def make_media_token(
        request: Request, camera_id: str, who: Viewer, wish: TokenWish
    ) -> TokenModel:
        """A token for players that cannot send headers: for this camera and span, for an hour
        at most, and for no longer than the one who asks may see it."""
        check_span(wish.start, wish.end, hls.MAX_SPAN_S)
        token, expires = auth_services(request).media.issue(who, camera_id, wish.start, wish.end)
        return TokenModel(token=token, expires=expires)


def _add_clip(routes: APIRouter, playback: Playback) -> None:
    cache = ClipCache()
    longest = playback.settings.playback_max_seconds
    path = "/cameras/{camera_id}/clip.mp4"

    async def send(
        request: Request, camera_id: str, view: View, start: int, end: int, stream: str
    ) -> Response:
        check_span(start, end, longest)
        check_token_span(request, start, end)
        span = start * MILLISECOND, end * MILLISECOND
        try:
            with ExitStack() as stack:
                if request.method != "HEAD":
                    stack.enter_context(playback.admitted(bool(view.masks)))
                if view.masks:
                    return await _masked(request, playback, view, camera_id, stream, span, stack)
                clip = await _laid_out(playback, cache, camera_id, stream, *span)
                answer = _part_of(request, playback, clip, stack)
        except NoFootage as found:
            return nothing(found)
        except PlaybackBusy as error:
            return busy(error)
        note(request, view, "playback", camera_id, clip.start_ns, clip.end_ns)
        return answer

    @routes.get(
        path,
        response_class=Response,
        responses={
            200: {"content": {"video/mp4": _BINARY}, "headers": TIMES},
            206: {"content": {"video/mp4": _BINARY}, "description": "The range asked for."},
            404: NO_FOOTAGE,
            416: {"description": "The range lies outside of the clip."},
            503: BUSY,
        },
    )
    async def get_clip(
        request: Request, camera_id: str, view: MediaView, start: Start, end: End,
        stream: StreamName = "main",
    ) -> Response:  # fmt: skip
        """A span as one MP4, from the key picture at or before `start`, with ranges of bytes.

        It ends early (`X-End-Ms`) at a gap, and where the stream's parameters change. With
        masks that the one who asks may not lift it is encoded as it is sent: then it has no
        ranges and no length.
        """
        return await send(request, camera_id, view, start, end, stream)

    @routes.head(path, include_in_schema=False)
    async def head_clip(
        request: Request, camera_id: str, view: MediaView, start: Start, end: End,
        stream: StreamName = "main",
    ) -> Response:  # fmt: skip
        return await send(request, camera_id, view, start, end, stream)


async def _masked(
    request: Request, playback: Playback, view: View, camera_id: str, stream: str,
    span: tuple[int, int], stack: ExitStack,
) -> Response:  # fmt: skip
    seconds = (span[1] - span[0]) / 1e9
    answer = await playback.open(camera_id, stream, span[0], seconds, view.masks)
    note(request, view, "playback", camera_id, answer.start_ns, answer.end_ns)
    if request.method == "HEAD":
        playback.release(answer)
        headers = times(answer.start_ns, answer.end_ns, answer.codecs)
        return Response(None, 200, headers | {"Accept-Ranges": "none"}, "video/mp4")
    sent = PlaybackResponse(playback, answer, stack.pop_all())
    sent.headers["Accept-Ranges"] = "none"
    return sent


async def _laid_out(
    playback: Playback, cache: ClipCache, camera: str, stream: str, start_ns: int, end_ns: int
) -> Clip:
    rows = await rows_of(playback.catalog, camera, stream, start_ns, end_ns)
    key = (camera, stream, start_ns, end_ns, row_ids(rows))
    clip = cache.get(key)
    if clip is None:

        def lay_out(footage: Footage) -> Clip:
            try:
                return Clip(footage)
            finally:
                footage.close()

        clip = await playback.with_footage(camera, stream, start_ns, end_ns, lay_out)
        cache.put(key, clip)
    return clip


def _part_of(request: Request, playback: Playback, clip: Clip, stack: ExitStack) -> Response:
    tag = f'"{clip.etag}"'
    headers = times(clip.start_ns, clip.end_ns, clip.codecs) | {
        "Accept-Ranges": "bytes", "ETag": tag, "Cache-Control": _PRIVATE
    }  # fmt: skip
    wanted = request.headers.get("if-none-match", "")
    if tag in (one.strip() for one in wanted.split(",")) or wanted.strip() == "*":
        return Response(None, 304, headers)
    asked = request.headers.get("range", "")
    if request.headers.get("if-range", tag) != tag:
        asked = ""
    try:
        span = parse_range(asked, clip.size) if asked else None
    except ValueError:
        return Response(None, 416, headers | {"Content-Range": f"bytes */{clip.size}"})
    start, end = span or (0, clip.size)
    headers["Content-Length"] = str(end - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{clip.size}"
    status = 206 if span is not None else 200
    if request.method == "HEAD":
        return Response(None, status, headers, "video/mp4")
    reading = clip.read(playback.volume_of, start, end)

    async def chunks() -> AsyncIterator[bytes]:
        while (chunk := await playback.in_thread(reading.next_chunk)) is not None:
            yield chunk

    return HeldResponse(
        chunks(), stack.pop_all(), playback.settings.playback_idle_seconds,
        lambda: playback.in_background(reading.close), "video/mp4", headers, status,
    )  # fmt: skip


def _add_hls(routes: APIRouter, playback: Playback) -> None:
    @routes.get(
        "/cameras/{camera_id}/hls/{stream}.m3u8",
        response_class=Response,
        responses={200: {"content": {hls.PLAYLIST_TYPE: {}}}, 404: NO_FOOTAGE, 503: BUSY},
    )
    async def get_hls_playlist(
        request: Request, camera_id: str, stream: str, view: MediaView, start: Start, end: End
    ) -> Response:
        """A span as HTTP Live Streaming on demand: all that is recorded of it, with gaps and
        changes of parameters as discontinuities."""
        check_span(start, end, hls.MAX_SPAN_S)
        check_token_span(request, start, end)
        start_ns, end_ns = start * MILLISECOND, end * MILLISECOND
        try:
            with playback.admitted():
                rows = await rows_of(playback.catalog, camera_id, stream, start_ns, end_ns)
                found = await playback.in_thread(
                    lambda: list(hls.periods(playback.volume_of, rows, start_ns, end_ns))
                )
                if not found:
                    raise await no_footage(playback.catalog, camera_id, stream, start_ns)
        except NoFootage as error:
            return nothing(error)
        except PlaybackBusy as error:
            return busy(error)
        note(request, view, "playback", camera_id, start_ns, end_ns)
        query = urlencode({"token": view.token}) if view.token else ""
        text = hls.playlist(found, stream, query)
        return Response(text, 200, {"Cache-Control": "private, no-store"}, hls.PLAYLIST_TYPE)

    @routes.get(
        "/cameras/{camera_id}/hls/{stream}/{part}",
        response_class=Response,
        responses={200: {"content": {"video/mp4": _BINARY}}, 404: NO_FOOTAGE, 503: BUSY},
    )
    async def get_hls_part(
        request: Request, camera_id: str, stream: str, part: str, view: MediaView
    ) -> Response:
        """An init segment or a part, as the playlist names it."""
        asked = hls.parse_part(part)
        init_ns = hls.parse_init(part) if asked is None else asked.start_ns
        if init_ns is None:
            raise NotFound(f"no part of a recording is named {part[:60]!r}")
        end_ns = asked.end_ns if asked else init_ns + 1
        check_part_span(request, init_ns // MILLISECOND, end_ns // MILLISECOND)
        try:
            with playback.admitted(bool(view.masks) and asked is not None):
                data = await _part(playback, camera_id, stream, init_ns, asked, view.masks)
        except NoFootage as error:
            return nothing(error)
        except PlaybackBusy as error:
            return busy(error)
        note(request, view, "playback", camera_id, init_ns, end_ns)
        kind = "video/mp4" if asked is None else "video/iso.segment"
        return Response(data, 200, {"Cache-Control": _PRIVATE}, kind)


async def _part(
    playback: Playback, camera: str, stream: str, start_ns: int, asked: hls.Part | None,
    masks: Sequence[Outline],
) -> bytes:  # fmt: skip
    def make(footage: Footage) -> bytes:
        base_ns = asked.base_ns if asked else 0
        answer = Answer(footage, masks, base_ns=base_ns, rate=hls.NOMINAL_RATE)
        try:
            return answer.media(hls.MAX_PART_BYTES) if asked else answer.init()
        finally:
            answer.close()

    end_ns = asked.end_ns if asked else start_ns + 1
    async with asyncio.timeout(60):
        return await playback.with_footage(camera, stream, start_ns, end_ns, make)

"""Live video over HTTP: WHEP for WebRTC, a WebSocket for MSE, and snapshots."""

from __future__ import annotations

import asyncio
import ipaddress
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect

from vms.auth.http import (
    NOT_AUTHORIZED,
    CurrentPrincipal,
    admit,
    auth_services,
    peer_address,
    require,
)
from vms.auth.policy import Permission, Principal
from vms.common.errors import ParseError, VmsError
from vms.stream.errors import NoMedia, NotPlayable, TooManyViewers
from vms.stream.mse import MseViewer
from vms.stream.service import StreamService
from vms.stream.webrtc.offer import MAX_BYTES
from vms.stream.webrtc.server import Answered
from vms.stream.webrtc.viewer import Viewer
from vms.stream.webrtc.whep import build_fragment, parse_fragment

_PREFIX = "/api/v1"
_SDP = "application/sdp"
_FRAGMENT = "application/trickle-ice-sdpfrag"
_SEND_LIMIT = 20.0
CLOSE_UNACCEPTABLE = 4406
CLOSE_TOO_MANY = 4429
CLOSE_NO_MEDIA = 4503
_TITLES = {
    400: "Not understood",
    406: "Not playable this way",
    503: "No pictures now",
}
_HANDLED = (NotPlayable, NoMedia, TooManyViewers, ParseError)

MayWatch = Annotated[Principal, require(Permission.VIEW_LIVE)]


def router(service: StreamService) -> APIRouter:
    """The routes of live video, `/api/v1` included."""
    routes = APIRouter(prefix=_PREFIX, tags=["live"])
    _add_whep(routes, service)
    _add_session(routes, service)
    _add_mse(routes, service)
    _add_snapshot(routes, service)
    return routes


def _problem(status: int, title: str, detail: str, **headers: str) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _problem_of(error: VmsError) -> Response:
    status: int = getattr(error, "http_status", 400)
    retry = {"Retry-After": "2"} if status == 503 else {}
    return _problem(status, _TITLES[status], str(error), **retry)


async def _read_body(request: Request, kind: str, most: int) -> str | Response:
    """The body as text, or the answer that refuses it."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != kind:
        return _problem(415, "Wrong content type", f"send {kind}", **{"Accept-Post": kind})
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            return _problem(413, "Too large", f"at most {most} bytes are read")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return _problem(400, "Not understood", "the body is not UTF-8 text")


def _reached_at(request: Request) -> tuple[str, bool]:
    """Our address that the request came to, and whether it came from this machine."""
    server = request.scope.get("server")
    reached = str(server[0]) if server else ""
    try:
        local = request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        local = False
    return reached, local


_SDP_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {_SDP: {"schema": {"type": "string"}}}}
}
_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
_WHEP_RESPONSES: dict[int | str, dict[str, Any]] = {
    201: {"description": "The answer; Location names the session.", "content": {_SDP: {}}},
    400: {"description": "The offer cannot be read.", **_PROBLEM},
    406: {"description": "This viewer cannot play the stream over WebRTC.", **_PROBLEM},
    413: {"description": "The offer is too large.", **_PROBLEM},
    415: {"description": "Not application/sdp.", **_PROBLEM},
    503: {"description": "No pictures now, or too many viewers.", **_PROBLEM},
}


def _add_whep(routes: APIRouter, service: StreamService) -> None:
    path = "/cameras/{camera_id}/streams/{stream}/whep"

    @routes.post(
        path, status_code=201, response_class=Response, responses=_WHEP_RESPONSES,
        openapi_extra=_SDP_BODY, summary="Watch live by WebRTC (WHEP)",
    )  # fmt: skip
    async def watch_live(
        request: Request,
        camera_id: str,
        stream: str,
        who: MayWatch,
        max_delay_ms: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    ) -> Response:
        """Answers an SDP offer. `max_delay_ms` asks the browser to keep no more delay."""
        offer = await _read_body(request, _SDP, MAX_BYTES)
        if isinstance(offer, Response):
            return offer
        reached, local = _reached_at(request)
        delay = None if max_delay_ms is None else (0, max_delay_ms)
        try:
            hub = service.hub(camera_id, stream)
            answered = service.webrtc.offer(hub, offer, who.user_id, reached, local, delay)
        except _HANDLED as error:
            return _problem_of(error)
        _end_when_revoked(request, service, answered, who, camera_id, stream)
        headers = {
            "Location": f"{_PREFIX}/whep/{answered.session}",
            "ETag": f'"{answered.tag}"',
            "Accept-Patch": _FRAGMENT,
            "Cache-Control": "no-store",
        }
        return Response(answered.sdp, 201, headers, _SDP)

    @routes.options(path, status_code=204, response_class=Response, summary="What WHEP takes")
    async def get_live_options(camera_id: str, stream: str) -> Response:
        del camera_id, stream
        return Response(status_code=204, headers={"Accept-Post": _SDP, "Allow": "POST, OPTIONS"})


def _end_when_revoked(
    request: Request,
    service: StreamService,
    answered: Answered,
    who: Principal,
    camera: str,
    stream: str,
) -> None:
    """A session outlives the token that opened it: watch that it stays allowed."""
    viewer = service.webrtc.find(answered.session, who.user_id)
    access = auth_services(request).access
    noted = ExitStack()
    noted.enter_context(
        auth_services(request).audit.watching(who, peer_address(request), camera, stream=stream)
    )

    async def watch() -> None:
        await access.until_revoked(who, Permission.VIEW_LIVE, camera)
        viewer.watch = None
        service.webrtc.end(viewer, "not allowed any more")

    viewer.watch = watching = asyncio.create_task(watch(), name="viewer permission")
    watching.add_done_callback(lambda _: noted.close())


def _add_session(routes: APIRouter, service: StreamService) -> None:
    path = "/whep/{session}"

    @routes.patch(
        path, response_class=Response, summary="Trickle candidates or restart ICE",
        openapi_extra={"requestBody": {"content": {_FRAGMENT: {"schema": {"type": "string"}}}}},
        responses={
            200: {"description": "ICE restarted; ours in the body.", "content": {_FRAGMENT: {}}},
            204: {"description": "Taken."},
            412: {"description": "If-Match names another ICE session.", **_PROBLEM},
        },
    )  # fmt: skip
    async def change_watch(request: Request, session: str, who: CurrentPrincipal) -> Response:
        viewer = service.webrtc.find(session, who.user_id)
        body = await _read_body(request, _FRAGMENT, MAX_BYTES)
        if isinstance(body, Response):
            return body
        match = request.headers.get("if-match", "").strip()
        try:
            fragment = parse_fragment(body)
        except ParseError as error:
            return _problem_of(error)
        if match not in ("", "*", f'"{viewer.tag}"'):
            return _problem(412, "Another ICE session", "If-Match is not the current ETag")
        if not _restarts(viewer, fragment.ufrag):
            return Response(status_code=204)
        if match != "*":
            return _problem(412, "Another ICE session", "an ICE restart needs If-Match: *")
        transport = service.webrtc.restart_ice(viewer, fragment.ufrag, *_reached_at(request))
        headers = {"ETag": f'"{viewer.tag}"'}
        return Response(build_fragment(transport), 200, headers, _FRAGMENT)

    @routes.delete(path, status_code=204, response_class=Response, summary="Stop watching")
    async def stop_watching(session: str, who: CurrentPrincipal) -> Response:
        service.webrtc.end(service.webrtc.find(session, who.user_id), "viewer left")
        return Response(status_code=204)

    @routes.options(path, status_code=204, response_class=Response, summary="What it takes")
    async def get_watch_options(session: str) -> Response:
        del session
        allow = {"Accept-Patch": _FRAGMENT, "Allow": "PATCH, DELETE, OPTIONS"}
        return Response(status_code=204, headers=allow)


def _restarts(viewer: Viewer, ufrag: str) -> bool:
    return bool(ufrag) and ufrag != viewer.credentials[-1].remote_ufrag


def _add_mse(routes: APIRouter, service: StreamService) -> None:
    @routes.websocket("/cameras/{camera_id}/streams/{stream}/mse")
    async def mse(websocket: WebSocket, camera_id: str, stream: str) -> None:
        who = await admit(websocket, Permission.VIEW_LIVE, camera_id)
        try:
            channel, viewer = service.mse.open(service.hub(camera_id, stream))
        except NotPlayable as error:
            await websocket.close(CLOSE_UNACCEPTABLE, str(error)[:120])
            return
        except NoMedia as error:
            await websocket.close(CLOSE_NO_MEDIA, str(error)[:120])
            return
        except TooManyViewers as error:
            await websocket.close(CLOSE_TOO_MANY, str(error)[:120])
            return
        noted = ExitStack()
        noted.enter_context(
            auth_services(websocket).audit.watching(
                who, peer_address(websocket), camera_id, stream=stream
            )
        )
        access = auth_services(websocket).access
        revoked = asyncio.create_task(access.until_revoked(who, Permission.VIEW_LIVE, camera_id))
        parts: list[asyncio.Task[Any]] = [
            revoked,
            asyncio.create_task(_send_all(websocket, viewer)),
            asyncio.create_task(_until_gone(websocket)),
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            if revoked.done() and not revoked.exception():
                parts[1].cancel()
                await websocket.close(NOT_AUTHORIZED, revoked.result()[:120])
        finally:
            noted.close()
            service.mse.leave(channel, viewer)
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)


async def _send_all(websocket: WebSocket, viewer: MseViewer) -> None:
    """Send what the viewer's queue gives; close where the stream ends or nothing drains."""
    try:
        async with asyncio.timeout(None) as limit:
            loop = asyncio.get_running_loop()
            while (message := await viewer.next()) is not None:
                limit.reschedule(loop.time() + _SEND_LIMIT)
                if isinstance(message, bytes):
                    await websocket.send_bytes(message)
                else:
                    await websocket.send_text(message)
                limit.reschedule(None)
    except (TimeoutError, WebSocketDisconnect, RuntimeError):
        # Gone, or so slow that nothing was taken for long: there is nobody to tell.
        return
    await websocket.close(CLOSE_NO_MEDIA, viewer.reason[:120])


async def _until_gone(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _add_snapshot(routes: APIRouter, service: StreamService) -> None:
    @routes.get(
        "/cameras/{camera_id}/streams/{stream}/snapshot.jpg", response_class=Response,
        summary="The newest key picture",
        responses={
            200: {"content": {"image/jpeg": {}}, "description": "A JPEG."},
            503: {"description": "No pictures now.", **_PROBLEM},
        },
    )  # fmt: skip
    async def get_live_snapshot(
        request: Request,
        camera_id: str,
        stream: str,
        who: MayWatch,
        width: Annotated[int, Query(ge=0, le=7680)] = 0,
    ) -> Response:
        """`width` in pixels, never wider than the camera's; 0 leaves it as it is."""
        try:
            jpeg = await service.snapshots.jpeg(service.hub(camera_id, stream), width)
        except NoMedia as error:
            return _problem_of(error)
        trail = auth_services(request).audit
        trail.note(who, peer_address(request), "snapshot", camera_id, stream=stream, live=True)
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

"""What every request passes: limits on its body, headers for safety, a count and a clock."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from vms.api.problems import problem
from vms.api.settings import ApiSettings

log = structlog.get_logger(__name__)

REQUESTS = Counter("vms_api_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "vms_api_request_seconds",
    "Time until the answer began",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Attributes only: pictures and timelines are placed by them.
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob: mediastream:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Edge:
    """The outermost layer of the app."""

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # A client that leaves before it has said who it is concerns nobody.
            with contextlib.suppress(WebSocketDisconnect):
                await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        try:
            if (declared := _declared_length(scope)) > self._settings.max_body_bytes:
                raise HTTPException(413, self._too_large(declared))
            await self._app(scope, self._bounded(receive), answer.send)
        except HTTPException as error:
            await self._last_word(answer, scope, receive, error.status_code, str(error.detail))
        except Exception:
            log.exception("request failed by a fault of the server", path=scope["path"])
            await self._last_word(
                answer, scope, receive, 500, "the server failed; its log says why"
            )
        finally:
            answer.count()

    async def _last_word(
        self, answer: _Answer, scope: Scope, receive: Receive, status: int, detail: str
    ) -> None:
        if not answer.status:
            await problem(status, detail)(scope, receive, answer.send)

    def _bounded(self, receive: Receive) -> Callable[[], Awaitable[Message]]:
        taken = 0
        whole = False
        deadline: float | None = None

        async def bounded() -> Message:
            nonlocal taken, whole, deadline
            if whole:
                # What still comes is the end of the connection, whenever that may be.
                return await receive()
            loop = asyncio.get_running_loop()
            if deadline is None:
                deadline = loop.time() + self._settings.body_seconds
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, "the body of the request did not come in time") from error
            taken += len(message.get("body", b""))
            if taken > self._settings.max_body_bytes:
                raise HTTPException(413, self._too_large(taken))
            whole = not message.get("more_body", False)
            return message

        return bounded

    def _too_large(self, size: int) -> str:
        return f"the body of {size} bytes is over the limit of {self._settings.max_body_bytes}"


class _Answer:
    """Watches what is sent: adds headers, notes the status and the time."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._took = 0.0
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._took = time.perf_counter() - self._began
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if self._scope.get("scheme") == "https":
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            if self._scope["path"].startswith("/api/"):
                headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    def count(self) -> None:
        # Templates of routes, never paths: labels stay few whatever is asked for.
        route = getattr(self._scope.get("route"), "path", "other")
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        REQUESTS.labels(method, route, str(self.status or 499)).inc()
        if self.status:
            SECONDS.labels(route).observe(self._took)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0

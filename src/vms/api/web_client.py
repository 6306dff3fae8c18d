"""The web client: files of a build, and its page for every address that the client knows."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from vms.api.problems import problem

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"
_VERIFIER = "/verify.html"
_NOT_BUILT = (
    "The API answers, but the web client is not built here.\n"
    "Build it with: make web (or: cd web && npm ci && npm run build)\n"
)


class WebClient:
    """An ASGI app for whatever no route takes.

    Files under assets/ carry a hash in their name and are kept for ever; the others are
    asked for each time. Addresses without a file ending give index.html, so that a page
    of the client can be opened directly.
    """

    def __init__(self, directory: Path | None) -> None:
        self._files: StaticFiles | None = None
        if directory is not None and (directory / "index.html").is_file():
            self._files = StaticFiles(directory=directory)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4404, "reason": "no such socket"})
            return
        response = await self._respond(scope)
        await response(scope, receive, send)

    async def _respond(self, scope: Scope) -> Response:
        path = scope["path"]
        if path == "/api" or path.startswith("/api/"):
            return problem(404, f"there is nothing at {path[:200]}")
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405, "only GET and HEAD", headers={"Allow": "GET, HEAD"})
        if self._files is None:
            return PlainTextResponse(_NOT_BUILT, 200 if path == "/" else 404)
        try:
            response = await self._files.get_response(self._files.get_path(scope), scope)
        except HTTPException as error:
            if error.status_code != 404:
                raise
            if PurePosixPath(path).suffix:
                return problem(404, f"there is no file {path[:200]}")
            response = await self._files.get_response("index.html", scope)
        response.headers["Cache-Control"] = (
            _FOR_EVER if path.startswith("/assets/") else _ASK_EACH_TIME
        )
        if path == _VERIFIER:
            # It is one file that works from a disk, without this server's word for it.
            response.headers["Content-Disposition"] = 'attachment; filename="verify.html"'
        return response

"""The door for HTTP and WebSockets: every route and socket of every role asks here.

    @router.get("/cameras/{camera_id}/playback")
    async def playback(camera_id: str, who: Annotated[Principal, require(Permission.VIEW_PLAYBACK)])

    @router.websocket("/cameras/{camera_id}/streams/{stream}/mse")
    async def mse(websocket: WebSocket, camera_id: str):
        who = await admit(websocket, Permission.VIEW_LIVE, camera_id)

Routes raise the errors of `vms.common.errors`; the app turns them into problem+json.
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security, WebSocket
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import WebSocketException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from vms.auth.policy import Permission, Principal
from vms.auth.services import AuthServices
from vms.common.errors import InvalidIdentifier, NotAuthenticated, NotAuthorized, NotFound
from vms.common.model.camera import check_id

BAD_MESSAGE = 4400
NOT_AUTHENTICATED = 4401
NOT_AUTHORIZED = 4403
NOT_FOUND = 4404
TOO_LATE = 4408

_MAX_FIRST_MESSAGE = 8192

bearer = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="The access token that auth/login and auth/refresh give; good for minutes.",
    auto_error=False,
)


def auth_services(connection: HTTPConnection) -> AuthServices:
    return cast(AuthServices, connection.app.state.vms)


def peer_address(connection: HTTPConnection) -> str:
    """Where the request comes from, for the audit trail; empty where that is not known."""
    return connection.client.host if connection.client else ""


async def current_principal(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
) -> Principal:
    """The one whose access token the request carries. Raises NotAuthenticated."""
    if credentials is None or not credentials.credentials:
        raise NotAuthenticated("this needs an access token; sign in at /api/v1/auth/login")
    return await auth_services(request).access.principal(credentials.credentials)


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def require(permission: Permission) -> Any:
    """A dependency that gives the Principal where `permission` is held.

    On a route with a `camera_id` in its path it asks for that camera; a camera that does
    not exist and one that may not be seen answer the same. Raises NotAuthorized, NotFound.
    """

    async def checked(request: Request, principal: CurrentPrincipal) -> Principal:
        await authorize(
            auth_services(request), principal, permission, request.path_params.get("camera_id")
        )
        return principal

    return Depends(checked)


async def authorize(
    services: AuthServices, principal: Principal, permission: Permission, camera_id: str | None
) -> None:
    """Ask the policy, and after it whether the camera is there. Raises as `require`."""
    policy = services.policy
    if camera_id is None or not policy.has(principal, permission):
        policy.require(principal, permission, camera_id)
        return
    if not policy.allows(principal, permission, camera_id) or not (
        _is_id(camera_id) and await services.catalog.cameras.exists(camera_id)
    ):
        raise NotFound(f"no camera {camera_id[:60]!r}")


def _is_id(camera_id: str) -> bool:
    # PostgreSQL takes some text (with NUL in it) for an error and not for an unknown id.
    try:
        check_id(camera_id)
    except InvalidIdentifier:
        return False
    return True


async def principal_from_token(connection: HTTPConnection, token: str) -> Principal:
    """For sockets, whose token comes in a message. Raises NotAuthenticated."""
    return await auth_services(connection).access.principal(token)


def same_origin(connection: HTTPConnection) -> bool:
    """Whether the page that asks is ours: no Origin (not a browser), our host, or allowed."""
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    if origin in auth_services(connection).settings.allowed_origins:
        return True
    host = connection.headers.get("host", "")
    return bool(host) and urlsplit(origin).netloc.lower() == host.lower()


async def admit(
    websocket: WebSocket,
    permission: Permission | None = None,
    camera_id: str | None = None,
    limit: float | None = None,
) -> Principal:
    """Accept a socket and read its first message, `{"token": "<access token>"}`.

    Raises WebSocketException, which closes the socket with one of the codes above: a page
    of another origin, no token within `limit` seconds (`auth.socket_seconds`), a bad token,
    or not allowed.
    """
    if not same_origin(websocket):
        raise WebSocketException(NOT_AUTHORIZED, "pages of other origins may not connect")
    await websocket.accept()
    try:
        patience = limit or auth_services(websocket).settings.socket_seconds
        token = await asyncio.wait_for(read_token(websocket), patience)
        principal = await principal_from_token(websocket, token)
        if permission is not None:
            await authorize(auth_services(websocket), principal, permission, camera_id)
    except TimeoutError as error:
        raise WebSocketException(TOO_LATE, "no token came in time") from error
    except NotAuthenticated as error:
        raise WebSocketException(NOT_AUTHENTICATED, str(error)[:120]) from error
    except NotAuthorized as error:
        raise WebSocketException(NOT_AUTHORIZED, "not allowed") from error
    except NotFound as error:
        raise WebSocketException(NOT_FOUND, "no such camera") from error
    return principal


async def read_token(websocket: WebSocket) -> str:
    """The token of the next message. Raises WebSocketException, or WebSocketDisconnect."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
    text = message.get("text")
    if not isinstance(text, str) or len(text) > _MAX_FIRST_MESSAGE:
        raise WebSocketException(BAD_MESSAGE, 'expected {"token": "..."}')
    try:
        token = json.loads(text)["token"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WebSocketException(BAD_MESSAGE, 'expected {"token": "..."}') from error
    if not isinstance(token, str):
        raise WebSocketException(BAD_MESSAGE, 'expected {"token": "..."}')
    return token

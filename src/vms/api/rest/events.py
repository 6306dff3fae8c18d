"""The socket on which changes are pushed: states of streams, and that configuration changed.

The first message is `{"token": "<access token>"}`. While the socket is open a newer token
may be sent the same way; without one it is closed when the token expires, and it is closed
within a second of the session's end. What may be seen is asked anew for every message.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from fastapi import APIRouter, WebSocket
from prometheus_client import Gauge
from starlette.exceptions import WebSocketException
from starlette.websockets import WebSocketDisconnect

from vms.api.board import Watcher
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.auth.http import BAD_MESSAGE, NOT_AUTHENTICATED, admit, principal_from_token, read_token
from vms.auth.policy import Principal
from vms.common.errors import CatalogError, NotAuthenticated
from vms.common.model.camera import StreamState

SOCKETS = Gauge("vms_api_event_sockets", "Event sockets that are open")

_TRY_LATER = 1013
_SEND_SECONDS = 10.0
_MAX_TOKENS = 200
"""Messages a client may send over the life of a socket; one a token's life is enough."""


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX)
    open_sockets: Counter[str] = Counter()

    @routes.websocket("/events")
    async def events(websocket: WebSocket) -> None:
        who = await admit(websocket)
        settings = services.settings
        if (
            open_sockets.total() >= settings.sockets
            or open_sockets[who.user_id] >= settings.sockets_per_user
        ):
            raise WebSocketException(_TRY_LATER, "too many sockets are open")
        open_sockets[who.user_id] += 1
        SOCKETS.inc()
        try:
            await _Socket(services, websocket, who).run()
        except WebSocketDisconnect:
            pass
        finally:
            SOCKETS.dec()
            open_sockets[who.user_id] -= 1
            if open_sockets[who.user_id] <= 0:
                del open_sockets[who.user_id]

    return routes


class _Socket:
    """One open socket: three waits, of which the first that ends closes it."""

    def __init__(self, services: ApiServices, websocket: WebSocket, who: Principal) -> None:
        self._services = services
        self._websocket = websocket
        self._who = who

    async def run(self) -> None:
        with self._services.board.watch() as watcher:
            tasks = [
                asyncio.create_task(work)
                for work in (self._read(), self._push(watcher), self._until_over())
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _read(self) -> None:
        for _ in range(_MAX_TOKENS):
            token = await read_token(self._websocket)
            try:
                newer = await principal_from_token(self._websocket, token)
            except NotAuthenticated as error:
                raise WebSocketException(NOT_AUTHENTICATED, str(error)[:120]) from error
            if newer.user_id != self._who.user_id:
                raise WebSocketException(NOT_AUTHENTICATED, "the token is of another user")
            self._who = newer
        raise WebSocketException(BAD_MESSAGE, "too many messages")

    async def _until_over(self) -> None:
        clock = self._services.clock
        while True:
            if clock.now_ns() >= self._who.expires_ns:
                raise WebSocketException(NOT_AUTHENTICATED, "the token has expired")
            # Watched by turns: a fresh token may be of another session of the same user.
            with self._services.auth.access.watching(self._who):
                await clock.sleep(1.0)
                await self._renew()

    async def _renew(self) -> None:
        asked = self._who
        try:
            renewed = await self._services.auth.access.renewed(asked)
        except NotAuthenticated as error:
            if self._who is asked:
                raise WebSocketException(NOT_AUTHENTICATED, str(error)[:120]) from error
        except CatalogError:
            # Nothing is known of a revocation; the token's own end still holds.
            return
        else:
            # Unless a fresh token came meanwhile.
            if self._who is asked:
                self._who = renewed

    async def _push(self, watcher: Watcher) -> None:
        cameras = await self._services.catalog.cameras.list()
        board = self._services.board
        now = [state for camera in cameras for state in board.of(camera).values()]
        await self._send({"type": "states", "states": self._shown(now)})
        while True:
            await watcher.ready.wait()
            states, changes = watcher.take()
            if shown := self._shown(states):
                await self._send({"type": "states", "states": shown})
            for change in changes:
                if change.kind == "camera":
                    await self._send({"type": "config_changed", "kind": "camera"})

    def _shown(self, states: list[StreamState]) -> list[dict[str, Any]]:
        policy = self._services.auth.policy
        return [
            self._services.shown(state, self._who).model_dump(mode="json")
            for state in states
            if policy.sees_camera(self._who, state.camera)
        ]

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._websocket.send_json(message)
        except TimeoutError as error:
            raise WebSocketDisconnect(1006, "the client does not read") from error

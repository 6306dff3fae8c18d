"""The simulator: any number of cameras behind one RTSP port."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import structlog

from vms.common.errors import ConfigError, NotFound
from vms.common.model.media import Codec
from vms.common.secret import Secret, join_credentials
from vms.simulator.camera import Behaviour, SimCamera, SimStream, Studios
from vms.simulator.connection import Connection
from vms.simulator.faults import Faults
from vms.simulator.feed import Timebase
from vms.simulator.sources import File, Loop, Scene, Source

log = structlog.get_logger(__name__)

_GOLDEN = 0.6180339887
"""Steps of the golden ratio spread phases evenly, however many cameras there are."""


class Simulator:
    """An RTSP server with simulated cameras; use it as an async context manager.

    `port` 0 takes a free one. With `tls`, addresses begin with rtsps. Cameras may be added
    before it starts and while it runs; what they send is made when first asked for.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.host, self.port = host, port
        self._tls = tls
        self._cameras: dict[str, SimCamera] = {}
        self._connections: set[Connection] = set()
        self._studios = Studios()
        self._timebase = Timebase.now()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen. Raises ConfigError where the port cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self, self.host),
                self.host,
                self.port,
                backlog=512,
                ssl=self._tls,
            )
        except OSError as error:
            raise ConfigError(
                f"the simulator cannot listen on {self.host}:{self.port}: "
                f"{error.strerror or error}; choose another port"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        if self._sweeper is None:
            self._sweeper = loop.create_task(self._sweep())

    async def close(self) -> None:
        """Stop listening, cut all connections, end all encoders."""
        await self.die()
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
            self._sweeper = None
        for camera in self._cameras.values():
            for stream in camera.streams.values():
                stream.close()
        await self._studios.close()

    def add_camera(
        self,
        camera: str,
        source: Source | Mapping[str, Source],
        username: str = "",
        password: str = "",
        *,
        sub: Source | None = None,
        audio: Codec | None = None,
        behaviour: Behaviour | None = None,
        phase: float | None = None,
        offset: float = 0.0,
    ) -> SimCamera:
        """Add a camera; `source` is its stream `main`, or all its streams by name.

        `phase` (0 to 1) is where between two pictures its own are sent (spread by itself if
        None), `offset` the seconds by which it shows a live scene late.
        """
        if camera in self._cameras:
            raise ConfigError(f"there is a simulated camera {camera} already")
        sources = dict(source) if isinstance(source, Mapping) else {"main": source}
        if sub is not None:
            sources["sub"] = sub
        faults = Faults()
        count = len(self._cameras)
        at = (count * _GOLDEN) % 1 if phase is None else phase
        streams = {
            name: SimStream(
                name, kind, audio, faults, self._timebase, self._studios, (at + i / 2) % 1, offset
            )
            for i, (name, kind) in enumerate(sources.items())
        }
        made = SimCamera(camera, streams, username, password, behaviour or Behaviour(), faults)
        self._cameras[camera] = made
        return made

    async def remove_camera(self, camera: str) -> None:
        """Take a camera away; its clients are cut off."""
        self.drop_connections(camera)
        for stream in self._cameras.pop(camera).streams.values():
            stream.close()

    def camera(self, camera: str) -> SimCamera:
        """Raises NotFound."""
        try:
            return self._cameras[camera]
        except KeyError:
            raise NotFound(f"there is no simulated camera {camera}") from None

    @property
    def cameras(self) -> tuple[SimCamera, ...]:
        return tuple(self._cameras.values())

    def url(
        self, camera: str, stream: str = "main", *, credentials: bool = False, host: str = ""
    ) -> str:
        """The address of a stream, on request with user name and password in it.

        `host` is the name by which clients know this machine, if not the one listened on.
        """
        found = self.camera(camera)
        if stream not in found.streams:
            raise NotFound(f"simulated camera {camera} has no stream {stream}")
        host = host or self.host
        host = f"[{host}]" if ":" in host else host
        scheme = "rtsps" if self._tls else "rtsp"
        url = f"{scheme}://{host}:{self.port}/{camera}/{stream}"
        return join_credentials(url, found.username, Secret(found.password)) if credentials else url

    async def prepare(self) -> None:
        """Encode now what would be encoded when first asked for."""
        for camera in self.cameras:
            for stream in camera.streams.values():
                await stream.feeds()

    def faults(self, camera: str) -> Faults:
        """The knobs by which a camera misbehaves."""
        return self.camera(camera).faults

    async def switch(self, camera: str, stream: str, source: Loop | File | Scene) -> None:
        """Show another source, also of another size, in the sessions that there are."""
        await self.camera(camera).streams[stream].switch(source)

    def set_credentials(self, camera: str, username: str, password: str) -> None:
        """Change who may see a camera; sessions that play go on."""
        found = self.camera(camera)
        found.username, found.password = username, password

    def drop_connections(self, camera: str | None = None) -> int:
        """Cut the connections of one camera or of all; gives how many."""
        cut = [c for c in self._connections if camera is None or _shows(c, camera)]
        for connection in cut:
            connection.abort()
        return len(cut)

    async def die(self, camera: str | None = None) -> None:
        """All: stop listening and cut every connection. One camera: answer nothing for it."""
        if camera is not None:
            self.camera(camera).dead = True
            self.drop_connections(camera)
            return
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop_connections()
        for _ in range(100):
            if not self._connections:
                break
            await asyncio.sleep(0.005)

    async def come_back(self, camera: str | None = None) -> None:
        """The reverse of `die`, on the same port."""
        if camera is not None:
            self.camera(camera).dead = False
        elif self._server is None:
            await self.start()

    def sending(self, camera: str) -> int:
        """How many clients watch the camera."""
        return self.sessions_of(self.camera(camera))

    # What connections ask.

    def find_camera(self, camera: str) -> SimCamera | None:
        return self._cameras.get(camera)

    def connected(self, connection: Connection) -> None:
        self._connections.add(connection)

    def disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def sessions_of(self, camera: SimCamera) -> int:
        return sum(c.session is not None and c.session.camera is camera for c in self._connections)

    async def _sweep(self) -> None:
        """End the sessions that nobody keeps alive."""
        while True:
            await asyncio.sleep(0.25)
            for connection in tuple(self._connections):
                connection.expire()


def _shows(connection: Connection, camera: str) -> bool:
    return connection.session is not None and connection.session.camera.id == camera

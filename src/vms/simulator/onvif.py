"""Simulated ONVIF devices: one per camera of a simulator (Profile S, and T's Media2).

Sources: ONVIF Core, Media (ver10) and Media2 (ver20) service specifications.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import structlog

from vms.common.errors import ConfigError, ParseError
from vms.format import digest
from vms.simulator import onvif_answers as answers
from vms.simulator import soap
from vms.simulator.camera import SimCamera
from vms.simulator.discovery import Device, DiscoveryResponder
from vms.simulator.http import HttpRequest, HttpResponse, HttpServer
from vms.simulator.onvif_events import PullPoints
from vms.simulator.server import Simulator
from vms.simulator.snapshot import snapshot
from vms.simulator.soap import Fault, SoapRequest

log = structlog.get_logger(__name__)

_SOAP_TYPE = "application/soap+xml; charset=utf-8"
_REALM = "VMS simulator"
_NAMESPACE = uuid.UUID("7b1f5a52-6a0e-4d6b-9d51-1c1e6a0a7f11")
_OPEN = frozenset({"GetSystemDateAndTime", "GetCapabilities", "GetServices"})
_NONCE_LIFE_S = 300.0
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")


class OnvifDevices:
    """Serves every camera of `simulator` under its own path; an async context manager.

    The path that clients try on their own, /onvif/device_service, is the first camera's.
    `only` names the cameras to serve, if not all: with it one port may be one device.

    `discovery_port` None: no WS-Discovery; 3702: the real one, with multicast on the
    interface of `host`; 0: unicast probes on a free port, for tests.
    """

    def __init__(
        self,
        simulator: Simulator,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        discovery_port: int | None = None,
        only: Iterable[str] = (),
    ) -> None:
        self._simulator = simulator
        self.host = host
        self._only = frozenset(only)
        self.discovery_port = discovery_port
        self.clock_offset = 0.0
        """Seconds by which the devices' clock is wrong."""
        self._server = HttpServer(host, port, self._handle, soap.MAX_REQUEST)
        self._responder: DiscoveryResponder | None = None
        self._nonces: dict[str, tuple[digest.Challenge, float]] = {}
        self.events = PullPoints()
        self._snapshots: dict[tuple[str, str], tuple[float, bytes]] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._server.start()
        except OSError as error:
            raise ConfigError(
                f"ONVIF cannot listen on {self.host}:{self._server.port}: {error.strerror or error}"
            ) from error
        if self.discovery_port is not None:
            self._responder = DiscoveryResponder(self.host, self.discovery_port, self._devices)
            self.discovery_port = await self._responder.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._responder is not None:
            self._responder.close()
        await self._server.close()

    @property
    def port(self) -> int:
        return self._server.port

    def _cameras(self) -> list[SimCamera]:
        return [
            camera
            for camera in self._simulator.cameras
            if not camera.dead and (not self._only or camera.id in self._only)
        ]

    def address(self, camera: str) -> str:
        """The device service of a camera: what WS-Discovery tells."""
        return f"{self._base(self._simulator.camera(camera))}/device_service"

    def _base(self, camera: SimCamera, host: str = "") -> str:
        return f"http://{host or self.host}:{self.port}/onvif/{camera.id}"

    def _devices(self) -> list[Device]:
        return [
            Device(str(uuid.uuid5(_NAMESPACE, c.id)), c.id, self.address(c.id))
            for c in self._cameras()
        ]

    async def _handle(self, request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.path).path.strip("/").split("/")
        cameras = {camera.id: camera for camera in self._cameras()}
        if parts == ["onvif", "device_service"] and cameras:
            parts.insert(1, next(iter(cameras)))
        camera = cameras.get(parts[1]) if len(parts) > 2 else None
        if camera is None or parts[0] != "onvif":
            return HttpResponse(404)
        if parts[2] == "snapshot" and len(parts) == 4:
            return await self._snapshot(request, camera, parts[3])
        if request.method != "POST":
            return HttpResponse(405)
        try:
            asked = soap.parse_request(request.body)
            refusal = self._refusal(request, asked, camera)
            body = refusal or HttpResponse(
                200, await self._answer(asked, camera, request), _SOAP_TYPE
            )
        except ParseError as error:
            problem = Fault("ter:WellFormed", str(error))
            return HttpResponse(400, soap.fault(problem), _SOAP_TYPE)
        except Fault as problem:
            status = 400 if problem.sender else 500
            return HttpResponse(status, soap.fault(problem), _SOAP_TYPE)
        return body

    def _refusal(
        self, request: HttpRequest, asked: SoapRequest, camera: SimCamera
    ) -> HttpResponse | None:
        """None if the sender may; raises Fault or gives 401 otherwise."""
        if not camera.username or asked.operation in _OPEN:
            return None
        if asked.token is not None:
            now = datetime.fromtimestamp(time.time() + self.clock_offset, UTC)
            if soap.signed_by(asked.token, camera.username, camera.password, now):
                return None
            raise Fault("ter:NotAuthorized", "Sender not authorized")
        if self._http_admits(request, camera):
            return None
        body = soap.fault(Fault("ter:NotAuthorized", "Sender not authorized"))
        return HttpResponse(401, body, _SOAP_TYPE, self._challenge())

    def _challenge(self) -> tuple[tuple[str, str], ...]:
        now = time.monotonic()
        live = {k: v for k, v in self._nonces.items() if now - v[1] < _NONCE_LIFE_S}
        self._nonces = dict(list(live.items())[-1000:])
        made = digest.new_challenge(_REALM)
        self._nonces[made.nonce] = made, now
        return (("WWW-Authenticate", made.header()),)

    def _http_admits(self, request: HttpRequest, camera: SimCamera) -> bool:
        header = request.headers.get("authorization", "")
        if not header:
            return False
        try:
            given = digest.parse_authorization(header)
        except ParseError:
            return False
        found = self._nonces.get(given.nonce)
        if found is None or urlsplit(given.uri).path != urlsplit(request.path).path:
            return False
        user, password = camera.username, camera.password
        return digest.verify(given, found[0], user, password, request.method)

    async def _snapshot(self, request: HttpRequest, camera: SimCamera, name: str) -> HttpResponse:
        if camera.username and not self._http_admits(request, camera):
            return HttpResponse(401, headers=self._challenge())
        stream = camera.streams.get(name.removesuffix(".jpg"))
        if stream is None:
            return HttpResponse(404)
        key, now = (camera.id, stream.name), time.monotonic()
        kept = self._snapshots.get(key)
        if kept is None or now - kept[0] > 1:
            kept = now, await asyncio.to_thread(snapshot, stream.source)
            self._snapshots[key] = kept
        return HttpResponse(200, kept[1], "image/jpeg")

    async def _answer(self, asked: SoapRequest, camera: SimCamera, request: HttpRequest) -> bytes:
        host = _host(request)
        base = self._base(camera, host)
        told = await self.events.answer(asked, camera.id, base, urlsplit(request.path).path)
        if told is not None:
            return soap.envelope(told)
        now = datetime.fromtimestamp(time.time() + self.clock_offset, UTC)
        plain: dict[str, Callable[[], str]] = {
            "GetSystemDateAndTime": lambda: answers.date_and_time(now),
            "GetDeviceInformation": lambda: answers.device_information(camera.id),
            "GetCapabilities": lambda: answers.capabilities(base),
            "GetServices": lambda: answers.services(base),
            "GetScopes": lambda: answers.scopes(camera.id),
            "GetHostname": lambda: answers.hostname(camera.id),
        }
        if asked.operation in plain:
            return soap.envelope(plain[asked.operation]())
        second = asked.namespace == soap.NAMESPACES["tr2"]
        if asked.operation == "GetProfiles":
            profiles = [
                answers.Profile(name, (await stream.parameters()), stream.source)
                for name, stream in camera.streams.items()
            ]
            return soap.envelope(answers.profiles(profiles, second=second))
        if asked.operation in ("GetStreamUri", "GetSnapshotUri"):
            name = asked.text("ProfileToken")
            if name not in camera.streams:
                raise Fault("ter:NoProfile", f"no profile {name[:40]!r}")
            uri = f"{base}/snapshot/{name}.jpg"
            if asked.operation == "GetStreamUri":
                uri = self._simulator.url(camera.id, name, host=host)
            return soap.envelope(answers.uri(asked.operation, uri, second=second))
        raise Fault("ter:ActionNotSupported", f"no operation {asked.operation[:60]!r}")


def _host(request: HttpRequest) -> str:
    """The name by which the client knows us, without port; empty if it does not say."""
    name = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    return name if _HOST.fullmatch(name) else ""

"""A system with good cameras among bad ones, and what a stranger may try on it."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import httpx
from tests.support import rogues
from tests.support.ingest_hostile import serving
from tests.support.ingest_tls import self_signed
from tests.support.loop_thread import LoopThread
from tests.support.plant import SMALL, good_cameras, resident_mb, wait_status
from tests.support.system import System
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from vms.simulator.server import Simulator

GOOD = ("door", "hall", "gate", "roof")
RIGHT = "right-" + secrets.token_hex(6)
WRONG = "wrong-" + secrets.token_hex(6)
API = "/api/v1"
QUICK = {
    "VMS_INGEST__CONNECT_TIMEOUT": "2",
    "VMS_INGEST__FIRST_UNIT_TIMEOUT": "2",
    "VMS_INGEST__PROBE_TIMEOUT": "4",
    "VMS_INGEST__AUTH_BACKOFF": "0.5",
    "VMS_INGEST__KEY_FRAME_NOTICE": "2",
    "VMS_INGEST__TLS_VERIFY": "full",
    "VMS_AUTH__SOCKET_SECONDS": "1",
    "VMS_HTTP__HEAD_SECONDS": "3",
}
SAYS = {
    "no-such-path": ("offline", "has no such stream (404); check the path"),
    "no-such-host": ("offline", "there is no host named nowhere.invalid; check the address"),
    "refused": ("offline", "refuses connections; check the port"),
    "web-server": ("offline", "not an RTSP server: it answers with 'HTTP/1.1 400 Bad Request'"),
    "noise": ("offline", "not an RTSP server"),
    "silence": ("offline", "did not answer within 2 s; check address, port and network"),
    "slow-bytes": ("offline", "not an RTSP server"),
    "endless-headers": ("offline", "headers of more than 16384 bytes"),
    "huge-description": ("offline", "62914560"),
    "lying-lengths": ("offline", "is not RTSP"),
    "unknown-codec": ("offline", "offers video in VP9; set H.264 or H.265"),
    "sealed": ("offline", "certificate that is not trusted (self-signed certificate); name it in"),
    "keyless": ("online", "set a shorter key frame interval in the camera"),
    "locked": ("held", "refuses the user name or password; set both again (refused 3 times"),
}
"""What the state of each bad camera must come to, and a part of the reason."""


class World:
    """A system that records four good cameras, and the addresses of bad ones."""

    def __init__(self, loop: LoopThread, data: Path, system: System, folder: Path) -> None:
        self.loop, self.data, self.system = loop, data, system
        self.client = system.client()
        self.simulator = loop.enter(Simulator())
        good_cameras(loop, self.simulator, self.client, GOOD)
        self.urls = self._rogues(folder)
        for name in GOOD:
            wait_status(self.client, name, "online")
        # The first probes and pictures load what is loaded once.
        self.probe(self.simulator.url("door"))
        self.megabytes = resident_mb(system)

    def _rogues(self, folder: Path) -> dict[str, str]:
        enter, simulator = self.loop.enter, self.simulator
        simulator.add_camera("locked", SMALL, "admin", RIGHT)
        simulator.add_camera("keyless", SMALL).faults.no_key = True
        sealed = enter(Simulator(tls=self_signed(folder)[0]))
        sealed.add_camera("sealed", SMALL)
        scripts = {
            name: getattr(rogues, name.replace("-", "_"))
            for name in SAYS
            if hasattr(rogues, name.replace("-", "_"))
        }
        return {
            "no-such-path": f"rtsp://127.0.0.1:{simulator.port}/attic/main",
            "no-such-host": "rtsp://nowhere.invalid/stream",
            "refused": "rtsp://127.0.0.1:9/stream",
            "locked": simulator.url("locked"),
            "keyless": simulator.url("keyless"),
            "sealed": sealed.url("sealed"),
            **{name: enter(serving(script)) for name, script in scripts.items()},
        }

    def probe(self, url: str, **more: str) -> httpx.Response:
        return self.client.post(f"{API}/cameras/probe", json={"url": url, **more})

    def token(self) -> str:
        return self.client.headers["authorization"].split()[1]

    def socket(self, path: str, *messages: str | bytes, origin: str | None = None) -> str:
        """What becomes of a socket that is sent `messages`."""
        address = self.system.url.replace("http", "ws") + API + path
        try:
            with connect(address, origin=origin, max_queue=None) as one:  # type: ignore[arg-type]
                for message in messages:
                    one.send(message)
                one.recv(timeout=5)
                return "open"
        except ConnectionClosed as closed:
            return str(closed.rcvd.code if closed.rcvd else None)
        except InvalidStatus as refused:
            return str(refused.response.status_code)


def closed_within(one: ClientConnection, limit: float) -> bool:
    """Whether the server closes the socket in time."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            one.recv(limit)
        except ConnectionClosed:
            return True
    return False

"""Live streaming as a service: hubs fed from the bus, and the ways to watch them."""

from __future__ import annotations

import asyncio

import structlog

from vms.bus import subjects
from vms.bus.port import Bus
from vms.common.errors import ConfigError
from vms.common.retry import Backoff
from vms.stream.errors import NoMedia
from vms.stream.hub import Hub, Hubs
from vms.stream.mse import MseServer
from vms.stream.settings import StreamSettings
from vms.stream.snapshot import Snapshots
from vms.stream.webrtc.server import WebRtcServer

log = structlog.get_logger(__name__)

_SWEEP = 1.0


class StreamService:
    """`run` it, and serve `routes.router` of it in the same event loop."""

    def __init__(self, bus: Bus, settings: StreamSettings) -> None:
        self._bus = bus
        self.settings = settings
        self.hubs = Hubs(settings)
        self.webrtc = WebRtcServer(settings.webrtc)
        self.mse = MseServer(settings)
        self.snapshots = Snapshots()
        self.ready = asyncio.Event()
        """Set while media is taken from the bus and viewers can connect."""

    async def run(self) -> None:
        """Until cancelled. Where the UDP port cannot be had, it says so, goes on with the
        other ways to watch, and tries again."""
        subscriptions = []
        webrtc = asyncio.create_task(self._start_webrtc())
        try:
            subscriptions.append(await self._bus.subscribe(subjects.MEDIA_ALL, self.hubs.on_media))
            subscriptions.append(await self._bus.subscribe(subjects.STATE_ALL, self.hubs.on_state))
            await asyncio.wait([webrtc], timeout=_SWEEP)
            self.ready.set()
            while True:
                await asyncio.sleep(_SWEEP)
                self.hubs.sweep()
        finally:
            self.ready.clear()
            webrtc.cancel()
            for subscription in subscriptions:
                await subscription.close()
            self.hubs.close()
            self.webrtc.close()

    async def _start_webrtc(self) -> None:
        waits = Backoff(first=1.0, longest=60.0)
        while True:
            try:
                self.webrtc.start()
            except ConfigError as error:
                log.error("no live video over webrtc", error=str(error))
                await asyncio.sleep(waits.next())
            else:
                return

    def hub(self, camera: str, stream: str) -> Hub:
        """The hub of a stream that gives pictures now. Raises NoMedia."""
        hub = self.hubs.find(camera, stream)
        if hub is None:
            raise NoMedia(f"stream {stream!r} of camera {camera!r} gives no pictures now")
        if hub.silent_for() > self.settings.fresh_seconds:
            raise NoMedia(
                f"stream {stream!r} of camera {camera!r} has sent nothing for "
                f"{hub.silent_for():.0f} s"
            )
        return hub

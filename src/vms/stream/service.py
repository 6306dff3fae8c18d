"""Live streaming as a service: hubs fed from the bus, and the ways to watch them."""

from __future__ import annotations

import asyncio

import structlog

from vms.bus import subjects
from vms.bus.port import Bus
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
        """Until cancelled. Raises ConfigError where the UDP port cannot be had."""
        self.webrtc.start()
        subscriptions = []
        try:
            subscriptions.append(await self._bus.subscribe(subjects.MEDIA_ALL, self.hubs.on_media))
            subscriptions.append(await self._bus.subscribe(subjects.STATE_ALL, self.hubs.on_state))
            self.ready.set()
            while True:
                await asyncio.sleep(_SWEEP)
                self.hubs.sweep()
        finally:
            self.ready.clear()
            for subscription in subscriptions:
                await subscription.close()
            self.hubs.close()
            self.webrtc.close()

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

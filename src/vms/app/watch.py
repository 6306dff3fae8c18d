"""Notices changes of the camera table made by other processes, such as `vms camera add`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from vms.bus import subjects
from vms.bus.port import Bus
from vms.common.model.camera import Camera
from vms.common.model.messages import ConfigChanged

_PERIOD = 2.0


async def watch_cameras(
    cameras: Callable[[], Awaitable[Sequence[Camera]]], bus: Bus, period: float = _PERIOD
) -> None:
    """Compare the table every `period` seconds and publish a ConfigChanged per difference.

    Rooms load the rows again on such a notice and ignore what they already know, so a
    notice that the API published too costs nothing.
    """
    known = {camera.id: camera for camera in await cameras()}
    while True:
        await asyncio.sleep(period)
        current = {camera.id: camera for camera in await cameras()}
        for identity in known.keys() | current.keys():
            if known.get(identity) != current.get(identity):
                bus.publish(subjects.config("camera", identity), ConfigChanged("camera", identity))
        known = current

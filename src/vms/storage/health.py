"""Alarms and figures of volumes: from how each stands, and from what its disk did not keep."""

from __future__ import annotations

from vms.common.clock import Clock
from vms.storage.alarms import DISK, FULL, Alarms
from vms.storage.metrics import DISK_FREE, DISK_TOTAL, VOLUME_STATE
from vms.storage.volume import Volume
from vms.storage.volume_state import VolumeState
from vms.storage.volumes import Volumes

_KEPT_NS = 600_000_000_000
"""What a disk did not keep is said this long, though it works again."""


class VolumeAlarms:
    """Looks about once a second, as `Alarms` does; `trouble` may be told by any thread."""

    def __init__(self, volumes: Volumes, alarms: Alarms, clock: Clock) -> None:
        self._volumes = volumes
        self._alarms = alarms
        self._clock = clock
        self._troubles: dict[str, tuple[str, int]] = {}
        alarms.watch(self.look)

    def trouble(self, volume: str, text: str) -> None:
        """The volume of that name lost what was written to it."""
        self._troubles[volume] = (text, self._clock.monotonic_ns() + _KEPT_NS)
        self._alarms.raise_(DISK, volume, text)

    def look(self) -> None:
        """Raise and clear what the volumes say now, and measure them."""
        for volume in self._volumes:
            _measure(volume)
        now = self._clock.monotonic_ns()
        troubles = {
            name: text for name, (text, until) in list(self._troubles.items()) if until > now
        }
        self._alarms.hold(DISK, troubles | self._problems(VolumeState.FAILED, VolumeState.MISSING))
        self._alarms.hold(FULL, self._problems(VolumeState.FULL))

    def _problems(self, *states: VolumeState) -> dict[str, str]:
        found = {v.name: v.problem() for v in self._volumes if v.state() in states}
        return {name: text for name, text in found.items() if text}


def _measure(volume: Volume) -> None:
    seen, state = volume.seen, volume.state()
    if seen.total:
        DISK_FREE.labels(volume.name).set(seen.free)
        DISK_TOTAL.labels(volume.name).set(seen.total)
    for one in VolumeState:
        VOLUME_STATE.labels(volume.name, one.value).set(one is state)

"""Which streams should be recorded and are not, as the storage role tells when asked.

The recorder is asked, rather than believed to work while nothing is heard of it: where no
storage role answers, nothing is recorded, and that is what people must know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from vms.bus import subjects
from vms.bus.port import Bus
from vms.common.clock import Clock
from vms.common.errors import CatalogError, VmsError
from vms.common.model.camera import Camera, RecordingMode
from vms.common.model.messages import Command
from vms.common.secret import redact

_SECOND = 1_000_000_000
_PERIOD = 3.0
_LIMIT = 2.0
_PATIENCE_NS = 10 * _SECOND
"""How long a stream may wait for its key picture, and a role for its start."""
_NOBODY = "no storage role answers; check that it runs"

Key = tuple[str, str]


class RecordingWatch:
    """Asks every few seconds; `told` hears of the streams whose answer changed."""

    def __init__(
        self,
        bus: Bus,
        cameras: Callable[[], Awaitable[Sequence[Camera]]],
        clock: Clock,
        told: Callable[[Sequence[Key]], None],
    ) -> None:
        self._bus = bus
        self._cameras = cameras
        self._clock = clock
        self._told = told
        self._missing: dict[Key, str] = {}
        self._since: dict[Key, int] = {}
        self._answered = clock.monotonic_ns()

    def why_not(self, camera: str, stream: str) -> str:
        """Why it is not recorded though it should be: a sentence; empty where all is well."""
        return self._missing.get((camera, stream), "")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(_PERIOD)

    async def look(self) -> None:
        """Ask once."""
        try:
            reply = await self._bus.request(
                subjects.STORAGE_COMMANDS, Command("status"), timeout=_LIMIT
            )
            problem = reply.error
            self._answered = self._clock.monotonic_ns()
        except VmsError:
            if self._clock.monotonic_ns() - self._answered < _PATIENCE_NS:
                return
            reply, problem = None, _NOBODY
        if reply is not None and not problem:
            found = self._of_streams(reply.body)
            if not found and not reply.body.get("streams"):
                problem = str(reply.body.get("problem", ""))
        if problem:
            found = await self._all(problem)
        self._note(found)

    def _of_streams(self, body: Mapping[str, Any]) -> dict[Key, str]:
        """A wait for a key picture is no trouble until it has lasted."""
        now = self._clock.monotonic_ns()
        waiting = {
            (str(one["camera"]), str(one["stream"])): one
            for one in body.get("streams", ())
            if not one["recording"] and one.get("expected", True)
        }
        self._since = {key: self._since.get(key, now) for key in waiting}
        return {
            key: redact(str(one.get("problem") or one["reason"]))
            for key, one in waiting.items()
            if one.get("problem") or now - self._since[key] >= _PATIENCE_NS
        }

    async def _all(self, why: str) -> dict[Key, str]:
        """Every stream that is to be recorded, for the one reason."""
        try:
            cameras = await self._cameras()
        except CatalogError:
            return self._missing
        return {
            (camera.id, stream.name): redact(why)
            for camera in cameras
            for stream in camera.streams
            if camera.enabled and stream.recording is not RecordingMode.OFF
        }

    def _note(self, found: dict[Key, str]) -> None:
        before, self._missing = self._missing, found
        keys = before.keys() | found.keys()
        self._told([key for key in sorted(keys) if before.get(key) != found.get(key)])

"""Which disk each volume is, remembered in the catalog: a mount point that is empty because
its disk did not come is then known for what it is, and never written to.

What is remembered holds for a path: a volume that is set to another path begins anew there.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import structlog

from vms.common.clock import Clock
from vms.common.errors import CatalogError
from vms.common.secret import Secret
from vms.storage.ledger import Marks
from vms.storage.volumes import Volumes

log = structlog.get_logger(__name__)

KEY = "storage.volumes"
_EVERY_S = 1.0


class Identities:
    """`note` may be called from any thread; all else belongs to the event loop's."""

    def __init__(self, marks: Marks, volumes: Volumes, clock: Clock) -> None:
        self._marks = marks
        self._clock = clock
        self._paths = {volume.name: str(volume.root.absolute()) for volume in volumes}
        self._lock = threading.Lock()
        self._new: dict[str, str] = {}

    def note(self, name: str, identity: str) -> None:
        """The volume of that name can be used, and this is what its marker says."""
        with self._lock:
            self._new[name] = identity

    async def known(self) -> dict[str, str]:
        """What each volume's marker must say, by name. Raises CatalogError."""
        return {
            name: entry["id"]
            for name, entry in (await self._read()).items()
            if entry["path"] == self._paths.get(name)
        }

    async def run(self) -> None:
        """Remember what is noted, until cancelled."""
        problem = ""
        while True:
            try:
                await self.flush()
                problem = ""
            except CatalogError as error:
                if str(error) != problem:
                    problem = str(error)
                    log.error("volumes are not remembered, trying again", error=problem)
            await self._clock.sleep(_EVERY_S)

    async def flush(self) -> None:
        """Remember what was noted since the last time. Raises CatalogError; it is kept then."""
        with self._lock:
            new, self._new = self._new, {}
        if not new:
            return
        try:
            before = await self._read()
            told = {name: {"id": new[name], "path": self._paths[name]} for name in new}
            if before | told != before:
                await self._marks.put(KEY, Secret(json.dumps(before | told)))
        except CatalogError:
            with self._lock:
                self._new = new | self._new
            raise

    async def _read(self) -> dict[str, dict[str, str]]:
        kept = await self._marks.get(KEY)
        try:
            found = json.loads(kept.reveal()) if kept is not None else {}
        except ValueError:
            found = {}
        if not isinstance(found, dict):
            return {}
        return {name: entry for name, entry in found.items() if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(entry.get(key), str) for key in ("id", "path")
    )

"""All volumes of this process: which to write to, and where a row's file lies.

A stream has a home among the fast volumes, by its name and the volumes' sizes, so that
the cameras spread over the disks. While its home cannot be written to, the next one in
the stream's own order takes it; it comes home once that disk has been well for a while.
Nothing here touches a disk: each volume has a thread of its own that does.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from vms.common.errors import StorageError
from vms.common.model.segment import SegmentRow
from vms.storage.settings import StorageSettings
from vms.storage.volume import Volume
from vms.storage.volume_state import Tier

_WELL_AFTER_S = 10.0
"""How long a disk must have been well before streams come back to it."""


class Volumes:
    """Made once. All methods may be called from any thread."""

    def __init__(
        self, volumes: Sequence[Volume], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`volumes` by their names, the first one being `main`. At least one."""
        self._volumes = {volume.name: volume for volume in volumes}
        self._monotonic = monotonic

    @classmethod
    def of_settings(cls, settings: StorageSettings, root: Path | None = None) -> Volumes:
        """Raises StorageError where neither `root` nor `settings.root` is given."""
        where = root or settings.root
        if where is None:
            raise StorageError("no directory for recordings: set storage.root")
        first = Volume(where, settings.min_free_bytes, max_bytes=settings.max_bytes)
        return cls(
            [
                first,
                *(
                    Volume(one.path, one.min_free_bytes, one.name, Tier(one.tier), one.max_bytes)
                    for one in settings.volumes
                ),
            ]
        )

    def __iter__(self) -> Iterator[Volume]:
        return iter(self._volumes.values())

    @property
    def main(self) -> Volume:
        return next(iter(self._volumes.values()))

    def named(self, name: str) -> Volume:
        """Raises StorageError where the settings have no such volume."""
        found = self._volumes.get(name)
        if found is None:
            raise StorageError(
                f"the recording lies on volume {name!r}, which is not in storage.volumes; "
                "add it again under that name"
            )
        return found

    def of(self, row: SegmentRow) -> Volume:
        """The volume that a row's file lies on, fit to be read.

        Raises StorageError where the settings do not have it, or where its disk is away or
        does not answer, so that no reader waits for it.
        """
        volume = self.named(row.volume)
        if volume.hangs() or volume.is_away():
            raise StorageError(volume.problem())
        return volume

    def path(self, row: SegmentRow) -> Path:
        """Where the row's file lies. Raises StorageError as `of`, and for a path that leads
        out of the volume."""
        return self.of(row).path(row.path)

    def to_write(self, camera: str, stream: str) -> Volume:
        """The volume for this stream's next file. Raises StorageError where none can take it.

        First the fast volumes that have been well for a while, in the stream's order; then
        those that came back just now, then archives; last a disk that is slow to answer,
        for a recording that may be is better than none.
        """
        fast = self._in_order(camera, stream, Tier.FAST)
        well = [v for v in fast if not v.problem()]
        for volume in well:
            if self._is_settled(volume):
                return volume
        for volume in (*well, *self._in_order(camera, stream, Tier.ARCHIVE)):
            if not volume.problem():
                return volume
        for volume in fast:
            if volume.hangs() and volume.seen.total and not volume.seen.problem:
                return volume
        home = fast[0] if fast else self.main
        raise StorageError(home.problem() or f"volume {home.root} cannot be used")

    def home(self, camera: str, stream: str) -> Volume:
        """The fast volume that the stream is written to while that can be written to."""
        if len(self._volumes) == 1:
            return self.main
        return next(iter(self._in_order(camera, stream, Tier.FAST)), self.main)

    def should_move(self, camera: str, stream: str, current: str) -> bool:
        """Whether this stream's file on the volume named `current` should end for another:
        its disk failed, or does not answer, or the stream can go home."""
        try:
            return self.to_write(camera, stream).name != current
        except StorageError:
            return False

    def start(
        self,
        identities: Mapping[str, str],
        prepared: Callable[[str, str], None] = lambda _name, _identity: None,
    ) -> None:
        """Begin to look at all disks. `identities`: what each volume's marker is known to say.

        `prepared` is called with name and marker id of each, in its own thread, when it can
        first be used.
        """
        for volume in self:
            # Started again, it may know more than the catalog was told yet.
            volume.identity = identities.get(volume.name, volume.identity)
            volume.watch(lambda identity, name=volume.name: prepared(name, identity))  # type: ignore[misc]

    def wait_looked(self, limit: float) -> None:
        """Wait until each disk has been looked at once, at most `limit` seconds in all."""
        deadline = time.monotonic() + limit
        for volume in self:
            volume.wait_looked(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """End the threads; does not wait for them."""
        for volume in self:
            volume.unwatch()

    def problem(self) -> str:
        """Why nothing at all can be written, as a sentence; empty while one volume can be."""
        problems = [v.problem() for v in self if v.tier is Tier.FAST]
        return problems[0] if problems and all(problems) else ""

    def _is_settled(self, volume: Volume) -> bool:
        return volume.turns == 0 or self._monotonic() - volume.well_since >= _WELL_AFTER_S

    def _in_order(self, camera: str, stream: str, tier: Tier) -> list[Volume]:
        """Weighted rendezvous: a volume that comes or goes moves only its own streams."""
        found = [volume for volume in self if volume.tier is tier]
        if len(found) > 1:
            found.sort(key=lambda volume: _score(volume, camera, stream), reverse=True)
        return found


def _score(volume: Volume, camera: str, stream: str) -> float:
    text = f"{volume.name}/{camera}/{stream}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
    size = volume.max_bytes or volume.seen.total
    # By powers of two, so that a size that varies a little moves no stream.
    weight = 2.0 ** round(math.log2(size)) if size else 1.0
    return -weight / math.log((number + 1) / (2**64 + 2))

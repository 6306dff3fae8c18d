"""Plays footage: from the catalog's rows to fragmented MP4.

`footage` finds the groups of pictures; here they become bytes, in threads of their own and
for a bounded number of readers at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from vms.common.errors import StorageError
from vms.common.model.media import Medium
from vms.common.model.segment import SegmentRow
from vms.format import fmp4
from vms.format.fmp4 import Track
from vms.format.index import Group
from vms.format.mkv_reader import Block
from vms.storage import metrics
from vms.storage.footage import (
    JOIN_NS,
    Footage,
    NoFootage,
    Piece,
    PlaybackCatalog,
    find,
    no_footage,
    rows_of,
)
from vms.storage.masked import MaskedVideo
from vms.storage.masking import Outline
from vms.storage.readers import Readers
from vms.storage.recording import Recording
from vms.storage.remux import Remuxer, playable
from vms.storage.settings import StorageSettings
from vms.storage.snapshot import frame_at, jpeg_of, to_jpeg
from vms.storage.volume import Volume

__all__ = ["Answer", "NoFootage", "Playback", "PlaybackBusy", "PlaybackCatalog"]

T = TypeVar("T")

_MOST_ENCODING = 4
_READING = 4
"""Threads that read at once, beside those that a disk holds."""

Timed = tuple[int, bool, bytes]
"""(nanoseconds from the answer's start, whether it is a key picture, the sample)."""


class PlaybackBusy(StorageError):
    """As many answers as may be are being sent."""


class Answer:
    """What is to be sent. Take `next_chunk` until it is None; `close` in any case."""

    def __init__(
        self,
        footage: Footage,
        masks: Sequence[Outline] = (),
        *,
        keys: bool = False,
        base_ns: int = 0,
        rate: float = 0.0,
    ) -> None:
        """`keys`: key pictures alone, each shown until the next. `base_ns` is added to all
        times; `rate` in pictures a second is told to the encoder of masked video, 0: as
        measured. Raises StorageError."""
        self.start_ns = footage.start_ns
        """UTC of the first picture."""
        self.end_ns = footage.end_ns
        """UTC at which to go on: nothing before it is left out."""
        self._footage = footage
        self._keys = keys
        self._base_ns = base_ns
        found = {
            number: track
            for number, track in footage.tracks.items()
            if playable(track) and not (keys and track.medium is Medium.AUDIO)
        }
        self._masked = MaskedVideo(found[1], masks, rate or footage.rate) if masks else None
        self.tracks: list[Track] = list(found.values())
        self._places = {number: place for place, number in enumerate(found)}
        if self._masked is not None:
            self.tracks[self._places[1]] = self._masked.parameters
        self.mime = fmp4.mime_type(self.tracks)
        self.codecs = ", ".join(fmp4.codec_string(track) for track in self.tracks)
        self._remuxer = Remuxer(self.tracks)
        self._lock = Lock()
        self._chunks = self._make_chunks()

    def init(self) -> bytes:
        """The init segment alone."""
        return self._remuxer.init()

    def next_chunk(self) -> bytes | None:
        """The init segment, then fragments, then None. Blocking. Raises StorageError."""
        with self._lock:
            return next(self._chunks, None)

    def first_chunk(self) -> bytes | None:
        """The init segment with the first fragments, where nobody needs it alone. Blocking."""
        init = self.next_chunk()
        return init if init is None else init + (self.next_chunk() or b"")

    def media(self, most: int) -> bytes:
        """All fragments at once. Blocking. Raises StorageError, also above `most` bytes."""
        parts, size = [], 0
        with self._lock:
            next(self._chunks)
            for chunk in self._chunks:
                parts.append(chunk)
                size += len(chunk)
                if size > most:
                    raise StorageError(f"these pictures have more than {most >> 20} MiB")
        return b"".join(parts)

    def close(self) -> None:
        """Let go of the files. Waits for a `next_chunk` of another thread."""
        with self._lock:
            self._chunks.close()
            self._footage.close()

    def _make_chunks(self) -> Generator[bytes, None, None]:
        remuxer = self._remuxer
        yield remuxer.init()
        for piece in self._footage.pieces:
            shift = self._base_ns - piece.zero_ns
            for blocks in self._blocks(piece):
                self._push(blocks, shift)
                if fragments := remuxer.take():
                    yield fragments
        if self._masked is not None:
            self._push_all(self._places[1], self._masked.flush())
        if fragments := remuxer.take(last=True, until_ns=self._last_until()):
            yield fragments

    def _blocks(self, piece: Piece) -> Iterator[list[Block]]:
        if not self._keys:
            yield from piece.recording.blocks(piece.start, piece.end)
            return
        for group in piece.groups():
            yield [piece.recording.key_block(group)]

    def _push(self, blocks: Iterable[Block], shift: int) -> None:
        for block in blocks:
            place = self._places.get(block.track)
            if place is None:
                continue
            time_ns = block.time_ns + shift
            if self._masked is not None and block.track == 1:
                self._push_all(place, self._masked.push(time_ns, block.key, block.data))
            else:
                self._push_all(place, ((time_ns, block.key, block.data),))

    def _push_all(self, place: int, samples: Iterable[Timed]) -> None:
        for time_ns, key, data in samples:
            # Below 0 are leading pictures, and sound from before the first picture.
            if time_ns >= 0:
                self._remuxer.push(place, time_ns, key, data)

    def _last_until(self) -> int:
        """Until when the last key picture is shown, where it stands for its whole group."""
        if not self._keys:
            return 0
        piece = self._footage.pieces[-1]
        last = piece.groups()[-1]
        lasts = self.end_ns - last.wall_ns
        return self._base_ns + last.media_ms * 1_000_000 - piece.zero_ns + lasts


class Playback:
    """Serves footage of all volumes. `close` it."""

    def __init__(
        self,
        catalog: PlaybackCatalog,
        settings: StorageSettings,
        root: Path | None = None,
        volume_of: Callable[[SegmentRow], Volume] | None = None,
    ) -> None:
        """`volume_of` gives the volume a row's file lies on; None: all lie on one, at `root`
        or `settings.root`. Raises StorageError where there is neither of the three."""
        self.settings = settings
        self.catalog = catalog
        self.volume_of = volume_of or _one_volume(root or settings.root)
        self._active = 0
        self._encoding = 0
        # Its own threads: a disk that stands still takes those of nobody else.
        self._readers = Readers("storage-playback", _READING, settings.playback_responses)

    def close(self) -> None:
        self._readers.close()

    @property
    def active(self) -> int:
        """Answers being prepared or sent."""
        return self._active

    @contextmanager
    def admitted(self, encodes: bool = False) -> Iterator[None]:
        """One of the places for answers; few of them may encode video. Raises PlaybackBusy."""
        if encodes and self._encoding >= _MOST_ENCODING:
            raise PlaybackBusy(
                f"{self._encoding} recordings are being shown through masks, which is the limit; "
                "try again in a moment"
            )
        if self._active >= self.settings.playback_responses:
            raise PlaybackBusy(
                f"{self._active} recordings are being played, which is the limit "
                "(storage.playback_responses); try again in a moment"
            )
        self._active += 1
        self._encoding += encodes
        metrics.PLAYBACK_ACTIVE.set(self._active)
        try:
            yield
        finally:
            self._active -= 1
            self._encoding -= encodes
            metrics.PLAYBACK_ACTIVE.set(self._active)

    async def open(
        self,
        camera: str,
        stream: str,
        start_ns: int,
        duration_s: float,
        masks: Sequence[Outline] = (),
        *,
        keys: bool = False,
    ) -> Answer:
        """Find the footage. Raises NoFootage, NotFound, StorageError, CatalogError."""
        end_ns = start_ns + int(duration_s * 1e9)
        return await self.with_footage(
            camera, stream, start_ns, end_ns, lambda found: Answer(found, masks, keys=keys)
        )

    async def with_footage(
        self,
        camera: str,
        stream: str,
        start_ns: int,
        end_ns: int,
        use: Callable[[Footage], T],
    ) -> T:
        """What `use` makes, in a thread, of the footage found; it keeps the files open.

        Raises NoFootage, NotFound, StorageError, CatalogError, and what `use` does.
        """

        def work() -> T | None:
            found = find(self.volume_of, rows, start_ns, end_ns)
            if found is None:
                return None
            try:
                return use(found)
            except BaseException:
                found.close()
                raise

        rows = await rows_of(self.catalog, camera, stream, start_ns, end_ns)
        made = await self.in_thread(work) if rows else None
        if made is None:
            raise await no_footage(self.catalog, camera, stream, start_ns)
        return made

    async def stream(self, answer: Answer) -> AsyncIterator[bytes]:
        """The answer's bytes, read as fast as they are taken. `release` it after."""
        chunk = await self.in_thread(answer.first_chunk)
        while chunk is not None:
            metrics.PLAYBACK_BYTES.inc(len(chunk))
            yield chunk
            chunk = await self.in_thread(answer.next_chunk)

    def release(self, answer: Answer) -> None:
        """Close the answer's files. Not waited for: a slow disk holds no one who left."""
        self.in_background(answer.close)

    def in_background(self, work: Callable[[], Any]) -> None:
        """Run in one of the threads that read recordings, without waiting for it."""
        self._readers.spawn(work)

    async def in_thread(self, work: Callable[..., T], *args: Any) -> T:
        """Run in one of the threads that read recordings."""
        return await self._readers.run(work, *args)

    async def snapshot(
        self,
        camera: str,
        stream: str,
        at_ns: int,
        width: int = 0,
        masks: Sequence[Outline] = (),
        *,
        exact: bool = False,
    ) -> tuple[bytes, int]:
        """(JPEG of the key picture at or before `at_ns`, its UTC). Raises as `open`.

        With `exact`, of the picture shown at that instant.
        """
        rows = await rows_of(self.catalog, camera, stream, at_ns, at_ns + 1)
        found = await self.in_thread(self._still, rows, at_ns, width, masks, exact)
        if found is None:
            raise await no_footage(self.catalog, camera, stream, at_ns)
        return found

    def _still(
        self,
        rows: list[SegmentRow],
        at_ns: int,
        width: int,
        masks: Sequence[Outline],
        exact: bool,
    ) -> tuple[bytes, int] | None:
        for row in rows:
            with Recording(self.volume_of(row), row) as recording:
                group = recording.at(at_ns)
                if recording.end_ns > at_ns and group.wall_ns <= at_ns + JOIN_NS:
                    if exact:
                        return _exactly(recording, group, at_ns, width, masks)
                    key = recording.key_block(group)
                    return to_jpeg(recording.tracks[1], key.data, width, masks), group.wall_ns
        return None


def _one_volume(root: Path | None) -> Callable[[SegmentRow], Volume]:
    if root is None:
        raise StorageError("no directory for recordings: set storage.root")
    volume = Volume(root, 0)
    return lambda _: volume


def _exactly(
    recording: Recording, group: Group, at_ns: int, width: int, masks: Sequence[Outline]
) -> tuple[bytes, int]:
    into_ms = max(0, at_ns - group.wall_ns) // 1_000_000
    blocks = recording.blocks(group.offset, group.offset + group.size)
    pictures = (block for found in blocks for block in found if block.track == 1)
    frame, shown_ms = frame_at(recording.tracks[1], pictures, group.media_ms + into_ms)
    return jpeg_of(frame, width, masks), group.wall_ns + (shown_ms - group.media_ms) * 1_000_000

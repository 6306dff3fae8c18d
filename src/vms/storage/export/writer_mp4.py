"""An MP4 of a run of footage: the pictures as they were recorded, or as `burn` gives them.

Where the cut is exact, the file holds whole groups from the key picture ahead of the start,
and an edit list that shows nothing before the start or after the end: no picture is encoded
anew, and players that know edit lists (all common ones) begin and end at the very picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from vms.common.errors import ParseError, StorageError
from vms.common.model.media import Codec, CodecParameters, Medium
from vms.format import aac, mp4
from vms.format.fmp4 import STORABLE, Track
from vms.format.mkv_reader import Block
from vms.format.mp4 import Table
from vms.storage.export.case import Slot
from vms.storage.export.pieces import Piece
from vms.storage.export.planner import FilePlan, groups_of
from vms.storage.footage import VolumeOf
from vms.storage.recording import Recording

VIDEO_SCALE = 90_000
_PIECE_NS = 1_500_000_000
_SLACK_S = 0.06
_SILENCE = {Codec.PCMA: b"\xd5", Codec.PCMU: b"\xff"}

Timed = tuple[int, bool, bytes]
"""(nanoseconds from the file's zero, whether it is a key picture, the sample)."""


class Pictures(Protocol):
    """Changes the pictures on their way; `parameters` is what comes out."""

    @property
    def parameters(self) -> Track: ...

    def push(self, time_ns: int, key: bool, data: bytes) -> Iterable[Timed]: ...

    def flush(self) -> Iterable[Timed]: ...


def sound_left_out(tracks: Iterable[CodecParameters], audio: bool) -> list[str]:
    """The codecs of sound that the MP4 of these tracks lacks."""
    sounds = [track for track in tracks if track.medium is Medium.AUDIO]
    return [track.codec.value for track in sounds if not audio or track.codec not in STORABLE]


def write_mp4(
    plan: FilePlan,
    volume_of: VolumeOf,
    slot: Slot,
    title: str,
    *,
    audio: bool,
    pictures: Pictures | None,
) -> list[Piece]:
    """Write it; its pieces, of some two seconds. Raises NotFound, StorageError, OSError."""
    with Recording(volume_of(plan.parts[0].row), plan.parts[0].row) as first:
        tracks = {
            number: track
            for number, track in sorted(first.tracks.items())
            if number == 1 or (audio and track.medium is Medium.AUDIO and track.codec in STORABLE)
        }
    shown: list[Track] = [
        pictures.parameters if pictures and n == 1 else t for n, t in tracks.items()
    ]
    places = {number: place for place, number in enumerate(tracks)}
    from_ns, until_ns = plan.start_ns - plan.from_ns, plan.end_ns - plan.from_ns
    writer = Mp4Writer(slot, shown, plan.from_ns)
    for block, zero_ns in _blocks(plan, volume_of, until_ns):
        place = places.get(block.track)
        if place is None:
            continue
        time_ns = block.time_ns - zero_ns
        if block.track == 1 and pictures is not None:
            for one in pictures.push(time_ns, block.key, block.data):
                writer.push(place, *one)
        elif time_ns >= 0:
            writer.push(place, time_ns, block.key, block.data)
    if pictures is not None:
        for one in pictures.flush():
            writer.push(places[1], *one)
    return writer.finish(from_ns, until_ns, plan.start_ns, title)


def _blocks(plan: FilePlan, volume_of: VolumeOf, until_ns: int) -> Iterator[tuple[Block, int]]:
    for part in plan.parts:
        with Recording(volume_of(part.row), part.row) as recording:
            groups = groups_of(recording, part)
            last = groups[-1] if part is plan.parts[-1] else None
            for group in groups:
                found = recording.blocks(group.offset, group.offset + group.size)
                if group is last:
                    blocks = [block for some in found for block in some]
                    yield from _cut(blocks, part.zero_ns, until_ns)
                else:
                    yield from ((block, part.zero_ns) for some in found for block in some)


def _cut(blocks: Sequence[Block], zero_ns: int, until_ns: int) -> Iterator[tuple[Block, int]]:
    """Without what comes after the last picture shown, in the order of decoding."""
    within = [n for n, b in enumerate(blocks) if b.track == 1 and b.time_ns - zero_ns < until_ns]
    last = within[-1] if within else len(blocks) - 1
    for place, block in enumerate(blocks):
        is_picture = block.track == 1
        if (is_picture and place <= last) or (
            not is_picture and block.time_ns - zero_ns < until_ns
        ):
            yield block, zero_ns


class Mp4Writer:
    """Writes samples of several tracks as they come, a chunk of each for a group."""

    def __init__(self, slot: Slot, tracks: Sequence[Track], wall_ns: int) -> None:
        """`tracks[0]` is the video. `wall_ns` is UTC of the file's zero."""
        self._slot = slot
        self._wall_ns = wall_ns
        self._tables = [Table(track, _scale(track)) for track in tracks]
        self._sounds = [_Sound(table) for table in self._tables]
        slot.write(mp4.start())
        self._media_at = slot.position
        self._pieces = [Piece(0, slot.position)]
        self._piece_ns: int | None = None
        self._last_ns = 0
        self._chunk: tuple[int, int] | None = None

    def push(self, place: int, time_ns: int, key: bool, data: bytes) -> None:
        """One sample, in decoding order; `time_ns` is when it is shown."""
        if place:
            self._sounds[place].push(time_ns, data)
            return
        if key:
            self._end_chunk()
            if self._piece_ns is None:
                self._piece_ns = time_ns
            elif time_ns - self._piece_ns >= _PIECE_NS:
                self._end_piece(time_ns)
                self._piece_ns = time_ns
        elif self._piece_ns is None:
            # Nothing can be decoded ahead of the first key picture.
            return
        table = self._tables[0]
        if self._chunk is None:
            self._chunk = (self._slot.position, len(table.shown))
        if key:
            table.keys.append(len(table.shown))
        table.shown.append((time_ns * VIDEO_SCALE + 500_000_000) // 1_000_000_000)
        table.sizes.append(len(data))
        self._last_ns = max(self._last_ns, time_ns)
        self._slot.write(data)

    def _end_chunk(self) -> None:
        if self._chunk is not None:
            offset, first = self._chunk
            table = self._tables[0]
            table.chunk_offsets.append(offset)
            table.chunk_counts.append(len(table.shown) - first)
            self._chunk = None
        for sound in self._sounds[1:]:
            sound.write(self._slot)

    def _end_piece(self, until_ns: int) -> None:
        began, at = self._piece_ns, self._pieces[-1].offset + self._pieces[-1].size
        if began is None or self._slot.position == at:
            return
        start_ms = (self._wall_ns + began) // 10**6
        end_ms = -(-(self._wall_ns + until_ns) // 10**6)
        self._pieces.append(Piece(at, self._slot.position - at, start_ms, max(start_ms, end_ms)))

    def finish(self, from_ns: int, until_ns: int, start_ns: int, title: str) -> list[Piece]:
        """Write the tables; the pieces. Raises StorageError where no picture came."""
        self._end_chunk()
        self._end_piece(max(until_ns, self._last_ns))
        slot, table = self._slot, self._tables[0]
        if not table.count:
            raise StorageError("none of these pictures could be decoded")
        shown = sorted(table.shown[-64:])
        usual = shown[-1] - shown[-2] if len(shown) > 1 else VIDEO_SCALE // 25
        table.last_duration = max(1, until_ns * VIDEO_SCALE // 10**9 - shown[-1], usual)
        at = slot.position
        try:
            slot.write(mp4.movie(self._tables, from_ns, until_ns, start_ns, title))
        except ParseError as error:
            raise StorageError(f"the footage cannot be put into an MP4: {error}") from error
        slot.patch(0, mp4.start(at - self._media_at))
        self._pieces.append(Piece(at, slot.position - at))
        return self._pieces


def _scale(track: Track) -> int:
    if not isinstance(track, CodecParameters) or track.medium is Medium.VIDEO:
        return VIDEO_SCALE
    return 48_000 if track.codec is Codec.OPUS else track.clock_rate


def _aac_frame(track: Track) -> int:
    """Ticks of one frame of AAC. HE-AAC is coded at half the rate that it plays at."""
    try:
        if isinstance(track, CodecParameters) and track.codec is Codec.AAC:
            config = aac.parse_config(track.config)
            return max(1, config.frame_samples * track.clock_rate // config.sample_rate)
    except ParseError:
        pass
    return 1024


class _Sound:
    """Frames follow one another unless more than a moment is missing, as recordings have
    times in whole milliseconds. Of G.711 what is missing becomes silence."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._g711 = mp4.is_g711(table.track)
        self._waiting: list[bytes] = []
        self._count = 0
        self._expected = 0
        self._previous: int | None = None
        self._frame = _aac_frame(table.track)

    def push(self, time_ns: int, data: bytes) -> None:
        table = self._table
        ticks = (time_ns * table.scale + 500_000_000) // 1_000_000_000
        if self._g711:
            self._push_g711(ticks, data)
            return
        if self._previous is not None and 0 < ticks - self._previous <= table.scale // 8:
            self._learn(ticks - self._previous)
        self._previous = ticks
        at = max(ticks, self._expected) if self._is_off(ticks) else self._expected
        table.shown.append(at)
        table.sizes.append(len(data))
        self._expected = at + self._frame
        table.last_duration = self._frame
        self._waiting.append(data)
        self._count += 1

    def _learn(self, step: int) -> None:
        """Opus has frames of 2.5 to 120 ms, in steps of 2.5 ms; AAC's have a fixed length."""
        track = self._table.track
        if isinstance(track, CodecParameters) and track.codec is Codec.OPUS:
            self._frame = max(120, (step + 60) // 120 * 120)

    def _is_off(self, ticks: int) -> bool:
        return not self._table.shown or abs(ticks - self._expected) > self._table.scale * _SLACK_S

    def _push_g711(self, ticks: int, data: bytes) -> None:
        track = self._table.track
        assert isinstance(track, CodecParameters)
        channels = track.channels or 1
        lacks = ticks - self._expected
        if lacks > self._table.scale * _SLACK_S or (lacks > 0 and not self._expected):
            self._add(_SILENCE[track.codec] * (lacks * channels), lacks)
        self._add(data, len(data) // channels)

    def _add(self, data: bytes, count: int) -> None:
        self._waiting.append(data)
        self._count += count
        self._expected += count

    def write(self, slot: Slot) -> None:
        """What waits, as a chunk."""
        if not self._count:
            return
        self._table.chunk_offsets.append(slot.position)
        self._table.chunk_counts.append(self._count)
        slot.write(*self._waiting)
        self._waiting, self._count = [], 0

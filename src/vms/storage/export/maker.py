"""Makes one export: plans it, writes its files one after another, and closes it. Blocking.

A file that cannot be made (its recording was lost, or is not readable) is left out and told
as a problem and as missing footage; an export of which no file can be made fails.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from vms.common.errors import NotFound, ParseError, StorageError
from vms.common.model.media import CodecParameters
from vms.common.model.segment import SegmentRow
from vms.format import index as indexes
from vms.format.index import Group
from vms.storage.export import pieces as piece_lists
from vms.storage.export.burn import Burned, Overlay
from vms.storage.export.case import Box
from vms.storage.export.manifest import Listed
from vms.storage.export.pieces import Piece
from vms.storage.export.planner import MAX_FILES, CameraPlan, FilePlan, plan_camera
from vms.storage.export.shelf import Done, Shelf
from vms.storage.export.spec import Format, Spec
from vms.storage.export.watch import Followed, NoRoom, Watch
from vms.storage.export.writer_mkv import write_mkv
from vms.storage.export.writer_mp4 import sound_left_out, write_mp4
from vms.storage.footage import VolumeOf
from vms.storage.masking import Outline
from vms.storage.recording import Recording
from vms.storage.trust import read_bounded
from vms.storage.volume import index_path

log = structlog.get_logger(__name__)

_SPARE = 16 << 20
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class CameraOrder:
    """A camera of an export: `rows` are what may hold its footage."""

    id: str
    name: str
    masks: Sequence[Outline]
    rows: Sequence[SegmentRow]


@dataclass(frozen=True, slots=True)
class Order:
    """What to make. `owner` is the name of who gets it, `room` how many bytes all exports may
    still take (None: what the disk has)."""

    id: str
    spec: Spec
    owner: str
    cameras: Sequence[CameraOrder]
    room: int | None = None


@dataclass(slots=True)
class Made:
    """What there is of each camera, in the order of the export."""

    plans: dict[str, CameraPlan] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)

    @property
    def media(self) -> list[Mapping[str, Any]]:
        return [one.media for one in self.done if one.media]

    @property
    def problems(self) -> list[str]:
        planned = [text for plan in self.plans.values() for text in plan.problems]
        noted = [text for one in self.done for text in one.media.get("problems", ())]
        return planned + [one.problem for one in self.done if one.problem] + noted

    def missing(self, camera: str) -> list[tuple[int, int]]:
        """Spans asked for that no file shows, UTC nanoseconds, by start."""
        plan = self.plans[camera]
        failed = {one.name for one in self.done if one.problem}
        lost = [(one.start_ns, one.end_ns) for one in plan.files if one.name in failed]
        return sorted([*plan.missing, *lost])


class Maker:
    """Makes the order in the folder of `shelf`. `close` it.

    All methods raise what `watch.tick` does, NoRoom, StorageError and OSError.
    """

    def __init__(self, order: Order, shelf: Shelf, volume_of: VolumeOf, watch: Watch,
                 floor: int) -> None:  # fmt: skip
        """`floor`: bytes that stay free on the disk."""
        self._order, self._shelf, self._watch = order, shelf, watch
        self._volume_of, self._floor = volume_of, floor
        self._cameras = {camera.id: camera for camera in order.cameras}
        self._box: Box | None = None
        self.made = Made()
        self.size = 0
        """About how many bytes it takes."""

    @property
    def bare(self) -> bool:
        """Whether the file itself is given, without a ZIP around it."""
        files = sum(len(plan.files) for plan in self.made.plans.values())
        return self._order.spec.format is not Format.CASE and files == 1

    def close(self) -> None:
        if self._box is not None:
            self._box.close()

    def plan(self) -> None:
        """Decide which files there are, or find what was decided before; is there room?"""
        self._shelf.make()
        known = self._shelf.plan()
        if known is None or known.keys() != self._cameras.keys():
            known = {one.id: self._plan_camera(one) for one in self._order.cameras}
            self._check(known)
            self._shelf.keep_plan(known)
        self.made.plans = known
        files = [file for plan in known.values() for file in plan.files]
        self.made.done = [] if self.bare else self._shelf.done(files)
        self._shelf.keep_done(self.made.done)
        self.size = sum(file.size for file in files)
        before = sum(file.size for file in files[: len(self.made.done)])
        self._watch.plan(self.size, before)

    def _plan_camera(self, camera: CameraOrder) -> CameraPlan:
        spec = self._order.spec
        keeps = spec.keeps_bytes and not camera.masks
        return plan_camera(
            self._volume_of, camera.rows, spec.start_ns, spec.end_ns,
            suffix="mkv" if keeps else "mp4", exact=spec.exact,
            check=lambda: self._watch.tick(0),
        )  # fmt: skip

    def _check(self, plans: Mapping[str, CameraPlan]) -> None:
        count = sum(len(plan.files) for plan in plans.values())
        if not count:
            problems = [text for plan in plans.values() for text in plan.problems]
            raise StorageError(
                problems[0] if problems else "nothing is recorded of these cameras in that span"
            )
        if count > MAX_FILES:
            raise StorageError(
                f"it would have {count} files; at most {MAX_FILES} are made: export less at once"
            )
        size = sum(file.size for plan in plans.values() for file in plan.files)
        check_room(self._shelf.folder, size, self._floor, self._order.room)

    def write(self) -> None:
        """Write the files that are not written yet."""
        made, shelf = self.made, self._shelf
        files = [file for plan in made.plans.values() for file in plan.files]
        entries = [entry for one in made.done for entry in one.entries]
        self._box = Box(shelf.part, entries, self._watch.tick, bare=self.bare)
        for file in files[len(made.done) :]:
            self._watch.begin(file.size)
            try:
                one = self._write(self._box, file)
            except (NotFound, StorageError, ParseError) as error:
                self._watch.tick(0)
                log.warning("file is left out of an export", file=file.name, reason=str(error))
                one = Done(file.name, problem=f"{file.name}: {error}")
            made.done.append(one)
            shelf.add_done(one)
            self._watch.finish()
        if not made.media:
            raise StorageError(made.problems[0] if made.problems else "no file could be made")

    def seal(self, files: Mapping[str, bytes]) -> int:
        """Add these small files, in their order, and end it; its size in bytes."""
        assert self._box is not None
        for name, data in files.items():
            self._box.add(name, data)
        size = self._box.end()
        self._shelf.finish()
        return size

    def _write(self, box: Box, plan: FilePlan) -> Done:
        before = len(box.entries)
        slot = box.begin(plan.name)
        facts: dict[str, Any] = {"problems": []}
        if plan.name.endswith(".mkv"):
            pieces = self._write_mkv(plan, slot, facts)
        else:
            pieces = self._write_mp4(plan, slot, facts)
        listed, pieces = box.finish(plan.name, slot, pieces)
        media = listed.fields() | _about(plan) | facts
        others: list[Listed] = []
        if self._order.spec.format is Format.CASE:
            others = self._beside(box, plan, pieces, media)
        return Done(
            plan.name, tuple(box.entries[before:]), media, tuple(one.fields() for one in others)
        )

    def _write_mkv(self, plan: FilePlan, slot: Any, facts: dict[str, Any]) -> list[Piece]:
        facts["pictures"] = "as recorded"

        def altered(group: Group) -> None:
            facts["problems"].append(
                f"{plan.name}: what was recorded at {group.wall_ns // 1_000_000} (epoch ms) is "
                "not what the disk gives back: it was damaged or changed before this export"
            )

        title = self._cameras[plan.camera].name
        return write_mkv(plan, self._volume_of, slot, title, altered)

    def _write_mp4(self, plan: FilePlan, slot: Any, facts: dict[str, Any]) -> list[Piece]:
        row = plan.parts[0].row
        with Recording(self._volume_of(row), row) as first:
            tracks, rate = first.tracks, _rate(first)
        pictures = self._pictures(plan, tracks[1], rate)
        followed = None
        if pictures is not None:
            span = (plan.start_ns - plan.from_ns, plan.end_ns - plan.from_ns)
            followed = Followed(pictures, self._watch, span)
        left = sound_left_out(tracks.values(), self._order.spec.audio)
        facts |= {"pictures": "as recorded", "sound_left_out": left}
        pieces = write_mp4(
            plan, self._volume_of, slot, self._cameras[plan.camera].name,
            audio=self._order.spec.audio, pictures=followed,
        )  # fmt: skip
        if pictures is not None:
            facts |= {"pictures": f"encoded anew by {pictures.encoder}"}
            facts |= {"not_decoded": pictures.failed}
        return pieces

    def _pictures(self, plan: FilePlan, video: CodecParameters, rate: float) -> Burned | None:
        camera, spec = self._cameras[plan.camera], self._order.spec
        burn = spec.burn
        zone: tzinfo | None = None
        if burn.time:
            zone = UTC if burn.zone == "UTC" else ZoneInfo(burn.zone)
        overlay = Overlay(
            camera.name if burn.name else "",
            f"{self._order.owner} - {self._order.id}" if burn.watermark else "",
            zone,
        )
        if not overlay and not camera.masks:
            return None
        return Burned(
            video, camera.masks, overlay, rate, plan.from_ns,
            plan.start_ns - plan.from_ns, plan.end_ns - plan.from_ns,
        )  # fmt: skip

    def _beside(
        self, box: Box, plan: FilePlan, pieces: list[Piece], media: dict[str, Any]
    ) -> list[Listed]:
        """The list of pieces, and the recording's index where the bytes are the recording's."""
        media |= {"pieces": f"pieces/{plan.name}.jsonl", "index": None, "last": None}
        others = [box.add(media["pieces"], piece_lists.encode(pieces))]
        if plan.name.endswith(".mkv"):
            row = plan.parts[0].row
            index, problem = _index_of(row, self._volume_of, plan.parts[0].last)
            if problem:
                media["problems"].append(f"{plan.name}: {problem}")
            if index:
                media["index"] = f"index/{plan.name}.jsonl"
                media["last"] = row.digest or None
                others.append(box.add(media["index"], index))
        return others


def _about(plan: FilePlan) -> dict[str, Any]:
    """What the manifest says of a file beside its bytes."""
    return {
        "camera": plan.camera,
        "stream": plan.stream,
        "start_ms": plan.start_ns // 1_000_000,
        "end_ms": -(-plan.end_ns // 1_000_000),
        "from_ms": plan.from_ns // 1_000_000,
        "recordings": [
            {
                "segment": part.row.id,
                "volume": part.row.volume,
                "path": part.row.path,
                "closed": part.row.closed,
                "digest": part.row.digest,
                "mode": part.row.mode,
                "camera_clock_offset_ms": _ms(part.row.clock_offset_ns),
                "camera_clock_drift_ppb": part.row.clock_drift_ppb,
            }
            for part in plan.parts
        ],
    }


def _ms(value: int | None) -> float | None:
    return None if value is None else round(value / 1e6, 3)


def _rate(recording: Recording) -> float:
    """Pictures a second; 25 where there is too little to tell."""
    groups = recording.groups()[:60]
    took_ms = groups[-1].media_ms - groups[0].media_ms
    pictures = sum(group.pictures for group in groups[:-1])
    return pictures * 1000 / took_ms if took_ms > 0 and pictures else 25.0


def _index_of(row: SegmentRow, volume_of: VolumeOf, groups: int) -> tuple[bytes, str]:
    """(the recording's index as it lies there, empty where it proves nothing; what is wrong)."""
    path = index_path(volume_of(row).path(row.path))
    try:
        data = read_bounded(path, indexes.MAX_BYTES)
        data = data[: data.rfind(b"\n") + 1]
        index = indexes.parse(data)
        link = indexes.check(index)
    except OSError as error:
        return b"", f"the recording's index cannot be read: {error.strerror}"
    except ParseError as error:
        return b"", f"the recording's index is not whole: {error}"
    if index.header.schema == 1:
        return b"", "the recording's index has no hashes: it was written by an older version"
    if row.digest and link != row.digest:
        return b"", "the recording's index is not the one that the catalog knows"
    if len(index.groups) < groups:
        return b"", "the recording's index ends early"
    return data, ""


def check_room(folder: Path, size: int, floor: int, room: int | None) -> None:
    """Raises NoRoom where `size` bytes more do not fit, with both figures; OSError."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    need = size + _SPARE
    if need > free - floor:
        raise NoRoom(
            f"the export takes about {need / MEGABYTE:.0f} MB, and only "
            f"{max(0, free - floor) / MEGABYTE:.0f} MB can be used on the disk of {folder} "
            f"({free / MEGABYTE:.0f} MB are free and {floor / MEGABYTE:.0f} MB must stay so): "
            "export less at once, or free space there"
        )
    if room is not None and need > room:
        raise NoRoom(
            f"the export takes about {need / MEGABYTE:.0f} MB, and only "
            f"{max(0, room) / MEGABYTE:.0f} MB are left of what exports may take "
            "(storage.export_max_bytes): delete old exports, or export less at once"
        )

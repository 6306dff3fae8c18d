"""19, 20 and 30: tails torn, writes that came out of order, and an index lost or changed."""

from __future__ import annotations

import os
import random
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import av
from tests.support.storage_media import encode_video, units

from soak.fault_cases.common import Case, Outcome, Place
from soak.fault_cases.write_log import WriteLog
from vms.common.errors import StorageError
from vms.common.model.segment import SegmentRow
from vms.format.annexb import to_length_prefixed
from vms.format.mkv_reader import MkvReader
from vms.storage.mend import mend_orphan, mend_row
from vms.storage.segment_sync import FileSync
from vms.storage.settings import StorageSettings
from vms.storage.stream_recorder import StreamRecorder, Watcher
from vms.storage.syncer import Syncer, Syncers
from vms.storage.volume import Volume, index_path

_PAGE = 4096
_PICTURES = 250


class _Opened(Watcher):
    row: SegmentRow | None = None

    def opened(self, file: FileSync) -> None:
        self.row = file.row()


@dataclass(frozen=True, slots=True)
class Master:
    """A recording as a killed process leaves it: its row, and the bytes of file and index.

    `clusters` are (where it ends, pictures up to there) of each cluster.
    """

    row: SegmentRow
    file: bytes
    index: bytes
    pictures: list[bytes]
    clusters: list[tuple[int, int]]


def master(root: Path, loops: int = 1, filler: int = 0) -> Master:
    """`filler` bytes are added to each picture, to make it as large as those of real cameras."""
    volume = Volume(root, 0)
    volume.prepare()
    watcher = _Opened()
    recorder = StreamRecorder(
        "front", "main", volume, StorageSettings(root=root, start_wait_s=0), watcher
    )
    parameters, packets = encode_video(pictures=_PICTURES, gop=25, width=320, height=180)
    span = _PICTURES * 3600
    if filler:
        more = to_length_prefixed([b"\x0c" + b"\xff" * filler])
        packets = tuple((pts, key, data + more) for pts, key, data in packets)
    for turn in range(loops):
        made = units(
            parameters, packets, pts_from=turn * span, first_number=turn * _PICTURES,
            start_ns=1_790_000_000_000_000_000 + turn * span * 100_000 // 9,
        )  # fmt: skip
        for start in range(0, len(made), 10):
            recorder.write(made[start : start + 10])
    assert recorder.file is not None, recorder.problem
    recorder.file.abandon()
    assert watcher.row is not None
    path = root / watcher.row.path
    data = path.read_bytes()
    return Master(
        watcher.row, data, index_path(path).read_bytes(), [p[2] for p in packets] * loops,
        _clusters(data),
    )  # fmt: skip


def _clusters(data: bytes) -> list[tuple[int, int]]:
    blocks = MkvReader().feed(data)
    found: list[tuple[int, int]] = []
    for number, block in enumerate(blocks):
        if number and block.cluster != blocks[number - 1].cluster:
            found.append((block.cluster, number))
    return [*found, (len(data), len(blocks))]


def _lay(folder: Path, made: Master, file: bytes, index: bytes | None) -> tuple[Volume, Path]:
    """The recording on a volume of its own, as given."""
    shutil.rmtree(folder, ignore_errors=True)
    volume = Volume(folder, 0)
    volume.prepare()
    path = folder / made.row.path
    path.parent.mkdir(parents=True)
    path.write_bytes(file)
    if index is not None:
        index_path(path).write_bytes(index)
    return volume, path


def torn_tails(place: Place) -> Outcome:
    """Cut at any byte, or changed at any byte of the tail, with junk behind it."""
    made = master(place.folder / "master")
    count, worse, lost = place.rounds(1000, 60), 0, 0
    first = made.clusters[0][0]
    for number in range(count):
        at = random.randrange(first, len(made.file))
        if number % 2:
            torn = made.file[:at] + os.urandom(random.randrange(0, 64))
        else:
            torn = made.file[:at] + bytes([made.file[at] ^ random.randrange(1, 256)])
            torn += made.file[at + 1 : at + random.randrange(1, 2 * _PAGE)]
        volume, path = _lay(place.folder / "torn", made, torn, made.index)
        mend_row(volume, made.row)
        whole = max((n for end, n in made.clusters if end <= at), default=0)
        kept = _same(path, made.pictures)
        worse += kept < whole
        lost = max(lost, whole - kept)
    figure = f"{count} tails: {worse} lost a whole cluster (at most {lost} pictures of them)"
    return Outcome.judged(figure, worse == 0)


def reordered(place: Place) -> Outcome:
    """The recorder's own writes, cut anywhere, and what was not synced torn and out of order."""
    root = place.folder / "logged"
    log, pictures = _logged(root)
    chance = random.Random()
    count, worse, differ, kept_most = place.rounds(1000, 100), 0, 0, 0
    durable = [n for n, op in enumerate(log.ops) if op.mark is not None]
    for _ in range(count):
        upto = chance.randrange(durable[0] + 1, len(log.ops) + 1)
        row: SegmentRow = log.ops[upto - 1].mark
        files = log.after_cut(upto, chance)
        folder = place.folder / "torn"
        shutil.rmtree(folder, ignore_errors=True)
        volume = Volume(folder, 0)
        volume.prepare()
        for path, data in files.items():
            target = folder / Path(path).relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        mended = mend_row(volume, row)
        kept = _same(folder / row.path, pictures)
        worse += kept < row.frames
        kept_most = max(kept_most, kept - row.frames)
        again = mend_orphan(volume, row.path) if mended is not None else None
        differ += again != mended
    figure = (
        f"{count} cuts in {len(log.ops)} calls: {worse} lost a picture that was acknowledged, "
        f"{differ} differ when mended twice; up to {kept_most} more were kept"
    )
    return Outcome.judged(figure, not worse and not differ)


class _Seldom(Syncer):
    """Syncs when it is told to, and not at each flush."""

    def grew(self, count: int) -> None:
        return


class _Seldoms(Syncers):
    def __init__(self, volume: Volume) -> None:
        super().__init__(1.0, 1 << 30, threaded=False)
        self.one = _Seldom(volume, 1.0, 1 << 30)

    def of(self, volume: Volume) -> Syncer:
        return self.one


def _logged(root: Path) -> tuple[WriteLog, list[bytes]]:
    """Record some seconds to `root`, synced at every third write or so. Each call is marked
    with the row that was durable ahead of it."""
    volume = Volume(root, 0)
    volume.prepare()
    parameters, packets = encode_video(pictures=_PICTURES, gop=25, width=320, height=180)
    more = to_length_prefixed([b"\x0c" + b"\xff" * 3000])
    packets = tuple((pts, key, data + more) for pts, key, data in packets)
    made = units(parameters, packets, start_ns=1_790_000_000_000_000_000)
    syncers, watcher = _Seldoms(volume), _Opened()
    settings = StorageSettings(root=root, start_wait_s=0)
    recorder = StreamRecorder("front", "main", volume, settings, watcher, syncers=syncers)
    log, chance, at = WriteLog(root), random.Random(20), 0
    with log.listening():
        while at < len(made):
            count = chance.randint(1, 4)
            recorder.write(made[at : at + count])
            at += count
            if chance.random() < 0.3:
                syncers.one.turn()
                assert recorder.file is not None, recorder.problem
                log.mark = recorder.file.row()
        recorder.close()
        syncers.one.turn()
    return log, [packet[2] for packet in packets]


def _same(path: Path, pictures: list[bytes]) -> int:
    """How many of the pictures sent are in the file, from the first on, unchanged."""
    if not path.exists():
        return 0
    with av.open(str(path)) as container:
        got = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    return next(
        (n for n, (a, b) in enumerate(zip(got, pictures, strict=False)) if a != b),
        min(len(got), len(pictures)),
    )


def index_lost(place: Place) -> Outcome:
    """The index removed, and each of its bytes flipped: made again, exactly."""
    made = master(place.folder / "master")
    volume, path = _lay(place.folder / "whole", made, made.file, made.index)
    row = mend_row(volume, made.row)
    assert row is not None
    whole = replace(made, file=path.read_bytes(), index=index_path(path).read_bytes())
    wrong, step = 0, 1 if not place.quick else 17
    places = [None, *range(0, len(whole.index), step)]
    for at in places:
        index = None
        if at is not None:
            index = bytearray(whole.index)
            index[at] ^= 1 << random.randrange(8)
        index_path(path).unlink(missing_ok=True)
        if index is not None:
            index_path(path).write_bytes(index)
        try:
            found = mend_orphan(volume, row.path)
        except StorageError:
            found = None
        wrong += found != row or index_path(path).read_bytes() != whole.index
    speed = _speed(place)
    figure = (
        f"index removed, and {len(places) - 1} flips of one bit: {wrong} not made again as it "
        f"was; without index {speed:.0f} s/TB"
    )
    return Outcome.judged(figure, wrong == 0)


def _speed(place: Place) -> float:
    """Seconds a terabyte takes to be read anew, from the page cache."""
    made = master(place.folder / "large", 8 if place.quick else 40, 20_000)
    volume, path = _lay(place.folder / "speed", made, made.file, None)
    began = time.monotonic()
    assert mend_row(volume, made.row) is not None
    return (time.monotonic() - began) / path.stat().st_size * 1e12


CASES = (
    Case(19, "torn tail", "cut or changed at a random byte, junk behind",
         "all whole clusters ahead of it kept", torn_tails),
    Case(20, "torn, reordered writes", "the recorder's own writes logged, cut anywhere; each "
         "page since the last sync as at any moment, or torn (LazyFS is not there)",
         "no acknowledged picture lost, mended for good", reordered),
    Case(30, "index lost or flipped", "removed; one bit of its bytes flipped",
         "made again as it was, never believed", index_lost),
)  # fmt: skip

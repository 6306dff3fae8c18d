"""Files that nobody should have to trust: damaged at any byte, of other makers, or no files at all.

Each is made whole, or left exactly as it is with a reason that names it; in bounded time.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from tests.storage.test_mend import contents, record
from tests.support.storage_media import encode_video

from vms.common.errors import StorageError
from vms.common.model.segment import SegmentRow
from vms.format import index as indexes
from vms.format import mkv_ebml as ebml
from vms.storage.mend import mend_orphan, mend_row, read_orphan
from vms.storage.volume import Volume, index_path

FOLDER = "cameras/front/2026-09-21"
FOREIGN = f"{FOLDER}/video_09.mkv"
SENT = [packet[2] for packet in encode_video()[1]]


def laid(root: Path, data: bytes) -> Volume:
    """A volume whose only file has these bytes."""
    shutil.rmtree(root, ignore_errors=True)
    volume = Volume(root, 0)
    volume.prepare()
    (root / FOLDER).mkdir(parents=True)
    (root / FOREIGN).write_bytes(data)
    return volume


def attempt(root: Path, data: bytes) -> SegmentRow | None:
    """Mend the bytes without an index. What is refused is left as it is, and named."""
    volume = laid(root, data)
    try:
        row = mend_orphan(volume, FOREIGN)
    except StorageError as refused:
        said = str(refused)
        row, whole = None, False
    else:
        said, whole = "", True
    if not whole:
        assert "video_09.mkv" in said
        assert (root / FOREIGN).read_bytes() == data
        assert os.listdir(root / FOLDER) == ["video_09.mkv"]
        return None
    if row is not None:
        assert row.size == (root / FOREIGN).stat().st_size
        # Once more changes nothing: what was made is believed from now on.
        assert mend_orphan(volume, FOREIGN) == row
        assert read_orphan(volume, FOREIGN) == row
    return row


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A closed recording."""
    root = tmp_path_factory.mktemp("whole")
    volume, row = record(root)
    assert mend_row(volume, row) is not None
    return (root / row.path).read_bytes()


def test_any_byte_may_be_wrong(tmp_path: Path, whole: bytes) -> None:
    head = whole.index(ebml.identifier(ebml.CLUSTER))
    places = [*range(0, head, 5), *range(head, len(whole), 83)]
    chance = random.Random(7)
    for at in places:
        data = bytearray(whole)
        data[at] ^= chance.randrange(1, 256)
        row = attempt(tmp_path / "v", bytes(data))
        if row is not None and at < head:
            assert row.frames in (0, 50)


def test_it_may_end_anywhere(tmp_path: Path, whole: bytes) -> None:
    head = whole.index(ebml.identifier(ebml.CLUSTER))
    longest = 0
    for at in [*range(0, head, 29), *range(head, len(whole), 131)]:
        row = attempt(tmp_path / "v", whole[:at])
        if row is None:
            # Nothing of ours without a picture is kept as a stump.
            assert not longest
            continue
        assert row.frames >= longest
        longest = row.frames
        assert contents(tmp_path / "v" / FOREIGN) == SENT[: row.frames]
    assert longest == 50


def test_the_index_may_be_wrong_at_any_byte(tmp_path: Path, whole: bytes) -> None:
    volume = laid(tmp_path, whole)
    row = mend_orphan(volume, FOREIGN)
    index = index_path(tmp_path / FOREIGN)
    right = index.read_bytes()
    for at in range(0, len(right), 37):
        for wrong in (right[:at], right[:at] + bytes((right[at] ^ 4,)) + right[at + 1 :]):
            index.write_bytes(wrong)
            assert mend_orphan(volume, FOREIGN) == row
            assert index.read_bytes() == right


def test_an_index_of_another_recording_is_not_believed(tmp_path: Path, whole: bytes) -> None:
    volume = laid(tmp_path, whole)
    row = mend_orphan(volume, FOREIGN)
    index = index_path(tmp_path / FOREIGN)
    right = index.read_bytes()
    read = indexes.parse(right)
    other = replace(read, header=replace(read.header, segment="0" * 32))
    index.write_bytes(indexes.encode(other))
    assert mend_orphan(volume, FOREIGN) == row
    assert index.read_bytes() == right


@pytest.mark.parametrize("length", [indexes.MAX_BYTES + 1, 1 << 40])
def test_an_index_without_end_is_not_read(tmp_path: Path, whole: bytes, length: int) -> None:
    volume = laid(tmp_path, whole)
    with index_path(tmp_path / FOREIGN).open("wb") as file:
        file.truncate(length)
    began = time.process_time()
    assert mend_orphan(volume, FOREIGN) is not None
    assert time.process_time() - began < 5


def _foreign(path: Path, metadata: dict[str, str], **options: str) -> bytes:
    """A Matroska file by FFmpeg's muxer."""
    with av.open(str(path), "w", format="matroska", options=options) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for _ in range(30):
            frame = av.VideoFrame(160, 96, "yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("options", [{}, {"live": "1"}], ids=["sized", "unknown sizes"])
@pytest.mark.parametrize("ours", [False, True], ids=["no tags", "tags like ours"])
def test_what_another_program_made_is_left_alone(
    tmp_path: Path, options: dict[str, str], ours: bool
) -> None:
    tags = {"VMS_SEGMENT": "a" * 32, "VMS_CAMERA": "front", "VMS_STREAM": "main"} if ours else {}
    data = _foreign(tmp_path / "foreign.mkv", tags, **options)
    assert attempt(tmp_path / "v", data) is None


def test_ours_copied_by_another_program_is_left_alone(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / "ours.mkv").write_bytes(whole)
    copy = tmp_path / "copy.mkv"
    target: Any = av.open(str(copy), "w")
    with av.open(str(tmp_path / "ours.mkv")) as source, target:
        target.metadata.update(source.metadata)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    assert attempt(tmp_path / "v", copy.read_bytes()) is None


@pytest.mark.parametrize("lacing", [0x02, 0x04, 0x06], ids=["Xiph", "fixed", "EBML"])
def test_laced_blocks_end_what_is_ours(tmp_path: Path, whole: bytes, lacing: int) -> None:
    """As other muxers write sound. This one never does: what comes from there on is not ours."""
    clusters = [group.offset for group in _index_of(tmp_path, whole).groups]
    at = whole.index(b"\xa3", clusters[3])
    data = bytearray(whole)
    # The flags stand behind ID, size (four bytes), track and time.
    data[at + 8] |= lacing
    row = attempt(tmp_path / "v", bytes(data))
    assert row is not None
    assert row.frames == 30
    assert contents(tmp_path / "v" / FOREIGN) == SENT[:30]


def _index_of(tmp_path: Path, data: bytes) -> indexes.SegmentIndex:
    volume = laid(tmp_path / "index", data)
    assert mend_orphan(volume, FOREIGN) is not None
    return indexes.parse(index_path(tmp_path / "index" / FOREIGN).read_bytes())


def test_what_is_no_file_holds_nobody(tmp_path: Path, whole: bytes) -> None:
    volume = laid(tmp_path / "v", whole)
    path = tmp_path / "v" / FOREIGN
    outside = tmp_path / "outside.mkv"
    outside.write_bytes(whole)
    makers: tuple[Callable[[], None], ...] = (
        lambda: os.mkfifo(path), path.mkdir, lambda: path.symlink_to(outside),
    )  # fmt: skip
    for make in makers:
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
        make()
        for look in (mend_orphan, read_orphan):
            with pytest.raises(StorageError):
                look(volume, FOREIGN)
    assert outside.read_bytes() == whole


def test_a_terabyte_of_nothing_is_left_alone_at_once(tmp_path: Path) -> None:
    volume = laid(tmp_path, b"")
    with (tmp_path / FOREIGN).open("wb") as file:
        file.truncate(1 << 40)
    began = time.process_time()
    with pytest.raises(StorageError, match=r"video_09\.mkv is no recording of ours"):
        mend_orphan(volume, FOREIGN)
    assert time.process_time() - began < 5

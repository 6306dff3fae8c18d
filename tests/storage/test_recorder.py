"""Recording from the bus to files and rows, with real streams, bus and catalog."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest
from tests.support.storage_media import SECOND, START_NS, encode_video, units
from tests.support.storage_rig import Rig, rig

from vms.common.model.media import Codec


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def test_a_stream_is_recorded_unit_by_unit(storage: Rig) -> None:
    sent = units(*encode_video())
    storage.send(sent)
    await storage.stop()
    (row,) = await storage.rows()
    assert row.closed
    assert (row.frames, row.key_frames, row.codec) == (50, 5, Codec.H264)
    assert row.start_ns == START_NS
    assert row.end_ns == pytest.approx(START_NS + 2 * SECOND, abs=SECOND // 20)
    path = storage.root / row.path
    assert path.name == "video_14-13-20.mkv"
    assert path.stat().st_size == row.size
    with av.open(str(path)) as container:
        assert [bytes(p) for p in container.demux(video=0) if p.size] == [u.data for u in sent]

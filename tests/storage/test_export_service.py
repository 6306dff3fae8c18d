"""Exports as jobs: what comes out of real recordings, and what becomes of jobs that end early."""

from __future__ import annotations

from pathlib import Path

import av
from tests.support.export_rig import exporting, footage
from tests.support.storage_media import SECOND, START_NS

from vms.storage.export import check
from vms.storage.export.spec import Format, Spec


def pictures(path: Path) -> list[float]:
    """When each picture is shown, in seconds of the file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return sorted(
            float(packet.pts * stream.time_base)
            for packet in container.demux(stream)
            if packet.pts is not None and packet.size and not packet.is_discard
        )


async def test_a_whole_recording_comes_out_as_mp4(tmp_path: Path) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        job, path = await rig.done(Spec(("front",), START_NS, START_NS + 4 * SECOND))
        assert len(pictures(path)) == 100
        assert job.result["name"].endswith(".mp4")


async def test_a_case_verifies(tmp_path: Path) -> None:
    async with exporting(tmp_path, footage("front")) as rig:
        spec = Spec(("front",), START_NS, START_NS + 4 * SECOND, format=Format.CASE)
        job, path = await rig.done(spec)
        verdict = check.verify(path)
        assert verdict.ok, verdict.findings
        assert verdict.unproven == []
        print(verdict.manifest.fields)

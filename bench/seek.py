"""Go to random instants of a large archive: how long until the picture's bytes are there.

The claims: in an archive of 100 cameras and 30 days (72,000 hours, 1,800 groups each), with
the files out of the page cache, the group that shows an instant is found (row of the catalog,
index of the file) in less than 10 ms, and the first picture has come whole over HTTP in less
than 100 ms; each for 99 of 100. Beside it in the same run, in the same files: FFmpeg (PyAV)
opening the file, seeking to the instant, and giving its first packet, without a server.

The catalog is whole, and its file warm. Only the hours that are looked at have files: the
indexes whole, the recordings of their true length but with holes where nobody reads. Files are
taken out of the cache by posix_fadvise before each measurement; their directories stay there.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import av
import psutil

from bench import harness
from bench.harness import Claim, median, percentile
from bench.support import archive
from bench.support.archive import Media, Place
from vms.catalog.open import SqlCatalog, open_catalog
from vms.common.model.segment import SegmentRow
from vms.storage.footage import rows_of
from vms.storage.recording import Recording
from vms.storage.volume import Volume

LOOKUP_MS, PICTURE_MS = 10.0, 100.0
_LIMIT = 20.0


def main() -> None:
    options = harness.arguments(
        __doc__ or "",
        cameras=(int, 100, "how many cameras"),
        days=(int, 30, "how many days of each"),
        instants=(int, 400, "how many instants are looked for"),
        folder=(str, ".", "where the archive is made: a real disk"),
    )
    if options.quick:
        options.instants = 60
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=options.folder) as name:
        asyncio.run(measure(Path(name), options.cameras, options.days, options.instants))


async def measure(folder: Path, cameras: int, days: int, count: int) -> None:
    media = archive.encode()
    volume = Volume(folder / "recordings", 0)
    rows = list(archive.rows(cameras, days))
    places = archive.places(rows, count)
    size = sum(archive.build(volume, media, place) for place in places)
    growing, more = grow(volume, media, rows, max(10, count // 10))
    rows[-len(growing) :] = [place.row for place in growing]
    catalog = await open_catalog(f"sqlite:///{folder / 'vms.db'}", folder)
    try:
        await archive.fill(catalog, rows)
        print(
            f"{len(rows)} rows; {count} closed and {len(growing)} growing files, "
            f"{(size + more) / 1e6:.0f} MB on the disk"
        )
        # The rows that are kept here are no part of what is measured, nor is the first use.
        # The last place has left the cache of indexes when its turn comes.
        gc.freeze()
        await look_up(catalog, volume, places[-1])
        lookups = [await look_up(catalog, volume, place) for place in places]
        grown = [await look_up(catalog, volume, place) for place in growing]
    finally:
        await catalog.close()
    command = [sys.executable, "-m", "bench.support.seek_server", str(folder), str(cameras)]
    with harness.child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        base, token = harness.read_line(server, "ready ").split()
        fetch = fetcher(base, token, media)
        ours, live, peers = [], [], []
        fetch(places[-1])
        process = psutil.Process(server.pid)
        before = harness.cpu_seconds([process])
        for place in places:
            ours.append(timed(volume, place, fetch))
            peers.append(timed(volume, place, lambda one: ffmpeg(volume, one)))
        spent = (harness.cpu_seconds([process]) - before) * 1000 / len(places)
        for place in growing:
            live.append(timed(volume, place, fetch))
    print(f"CPU of the server for each instant: {spent:.1f} ms")
    report(lookups, grown, ours, live, peers)


def grow(
    volume: Volume, media: Media, rows: list[SegmentRow], count: int
) -> tuple[list[Place], int]:
    """The newest rows as of files that are being written: (where to look, bytes)."""
    places, size = [], 0
    for number, row in enumerate(rows[-count:]):
        group = archive.GROUPS - 100 - number
        end_ns = row.start_ns + (group + 2) * archive.GOP_S * archive.SECOND
        row = replace(row, closed=False, end_ns=end_ns, digest="")
        place = Place(row, row.start_ns + (group * 1000 + 700) * archive.GOP_S * 1_000_000, group)
        size += archive.build(volume, media, place, growing=True)
        places.append(place)
    return places, size


async def look_up(catalog: SqlCatalog, volume: Volume, place: Place) -> float:
    """Milliseconds until the place of the group in its file is known."""
    await asyncio.to_thread(archive.forget, volume, place.row)
    began = time.perf_counter()
    found = await rows_of(catalog, place.row.camera, "main", place.at_ns, place.at_ns + 1)
    with Recording(volume, found[0]) as recording:
        group = recording.at(place.at_ns)
    took = (time.perf_counter() - began) * 1000
    if found[0].id != place.row.id or group.media_ms != place.group * archive.GOP_S * 1000:
        raise RuntimeError(f"found {group.media_ms} ms of {found[0].path}, not {place}")
    return took


def timed(volume: Volume, place: Place, work: Callable[[Place], None]) -> float:
    archive.forget(volume, place.row)
    began = time.perf_counter()
    work(place)
    return (time.perf_counter() - began) * 1000


def fetcher(base: str, token: str, media: Media) -> Callable[[Place], None]:
    """Asks for an instant, and reads until its key picture has come whole."""
    address = urlsplit(base)
    assert address.hostname is not None
    host, port = address.hostname, address.port

    def fetch(place: Place) -> None:
        connection = http.client.HTTPConnection(host, port, timeout=_LIMIT)
        try:
            connection.request(
                "GET",
                f"/api/v1/cameras/{place.row.camera}/playback"
                f"?start={place.at_ns // 1_000_000}&duration=2",
                headers={"Authorization": f"Bearer {token}"},
            )
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {answer.read(500)!r}")
            wanted = media.groups[place.group % len(media.groups)][0][1]
            data = bytearray()
            while (at := data.find(b"mdat")) < 0 or len(data) < at + 4 + len(wanted):
                chunk = answer.read1(1 << 16)
                if not chunk:
                    raise RuntimeError(f"the answer ended after {len(data)} bytes")
                data += chunk
            if data[at + 4 : at + 4 + len(wanted)] != wanted:
                raise RuntimeError(f"another picture came for {place}")
        finally:
            connection.close()

    return fetch


def ffmpeg(volume: Volume, place: Place) -> None:
    with av.open(str(volume.path(place.row.path))) as container:
        video = container.streams.video[0]
        seconds = (place.at_ns - place.row.start_ns) / 1e9
        assert video.time_base is not None
        container.seek(int(seconds / video.time_base), stream=video)
        packet = next(container.demux(video))
        at = float((packet.pts or 0) * video.time_base)
        if not packet.is_keyframe or abs(at - place.group * archive.GOP_S) > 0.1:
            raise RuntimeError(f"FFmpeg gave {at:.3f} s for {place}")


def report(
    lookups: list[float],
    grown: list[float],
    ours: list[float],
    live: list[float],
    peers: list[float],
) -> None:
    for name, values in (
        ("found, closed file", lookups), ("found, growing file", grown),
        ("first picture over HTTP, closed file", ours),
        ("first picture over HTTP, growing file", live), ("FFmpeg, in the process", peers),
    ):  # fmt: skip
        print(
            f"{name}: p50 {median(values):.1f} ms, p99 {percentile(values, 0.99):.1f} ms, "
            f"most {max(values):.1f} ms ({len(values)} instants)"
        )
    found, shown = percentile(lookups, 0.99), percentile(ours, 0.99)
    claims = [
        Claim("lookup", f"found p99 {found:.1f} ms (limit {LOOKUP_MS:.0f})", found < LOOKUP_MS),
        Claim(
            "picture",
            f"first picture p99 {shown:.1f} ms (limit {PICTURE_MS:.0f}), "
            f"FFmpeg alone {percentile(peers, 0.99):.1f} ms",
            shown < PICTURE_MS,
        ),
    ]
    harness.finish(claims)


if __name__ == "__main__":
    main()

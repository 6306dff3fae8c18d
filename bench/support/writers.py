"""One way of writing many streams to a real disk, as a process of its own.

`python -m bench.support.writers WAY FOLDER STREAMS SECONDS` with WAY `null` (the feeder alone),
`ours` or `pyav`. It prints one line of JSON: `cpu` (user and system seconds while fed), `sent`
(pictures), and `lags` (seconds from arrival to the disk). The feeder is the same for all: a
thread that gives each stream a picture of 20 kB each 40 ms, the streams spread over that time.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
from tests.support.storage_media import encode_video

from vms.bus.port import Delivery
from vms.common.model.media import AccessUnit, CodecParameters
from vms.format.mkv import MkvWriter
from vms.storage.inbox import Lane
from vms.storage.segment_sync import FileSync
from vms.storage.settings import StorageSettings
from vms.storage.stream_recorder import StreamRecorder, Watcher
from vms.storage.syncer import Syncers
from vms.storage.volume import Volume
from vms.storage.writer import WriterThread

PICTURE = 20_000
FPS = 25
Sink = Callable[[Delivery], None]


def stream_name(number: int) -> str:
    return f"cam-{number}"


def feed(sinks: list[Sink], seconds: float) -> tuple[int, float]:
    """(pictures given to each sink, CPU seconds of the process meanwhile)."""
    parameters, _ = encode_video(width=1920, height=1080, pictures=25, gop=25)
    body = os.urandom(PICTURE)
    began, before = time.monotonic(), time.process_time()
    count = int(seconds * FPS)
    for number in range(count):
        for place, sink in enumerate(sinks):
            due = began + (number + place / len(sinks)) / FPS
            if place % 8 == 0 and (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            unit = _unit(parameters, stream_name(place), number, body)
            sink(Delivery("", unit))
    return count, time.process_time() - before


def _unit(parameters: CodecParameters, camera: str, number: int, body: bytes) -> AccessUnit:
    key = number % FPS == 0
    nal = (b"\x65" if key else b"\x41") + number.to_bytes(8, "big") + body
    return AccessUnit(
        camera, "main", 0, "run", number, parameters, len(nal).to_bytes(4, "big") + nal,
        number * 90_000 // FPS, time.time_ns(), None, key,
    )  # fmt: skip


def ours(folder: Path, streams: int, seconds: float) -> dict[str, Any]:
    settings = StorageSettings(start_wait_s=0)
    volume = Volume(folder, 0)
    volume.prepare()
    lags: list[float] = []
    _watch_syncs(lags)
    syncers = Syncers(settings.sync_seconds, settings.unsynced_bytes)
    thread = WriterThread("writer", settings.total_queue_bytes, settings.linger_ms / 1000,
                          time.time_ns)  # fmt: skip
    thread.start()
    sinks: list[Sink] = []
    recorders: list[StreamRecorder] = []
    for number in range(streams):
        lane = Lane(thread.inbox, settings.queue_bytes, settings.queue_units)
        recorders.append(
            StreamRecorder(stream_name(number), "main", volume, settings, Watcher(),
                           syncers=syncers)
        )  # fmt: skip
        thread.add(lane, recorders[-1])
        sinks.append(lane.sink)
    sent, cpu = feed(sinks, seconds)
    began = time.monotonic()
    thread.stop()
    ended = thread.join(30) and not syncers.stop(30)
    closing = time.monotonic() - began
    lost = sum(sum(recorder.lost.values()) for recorder in recorders)
    return {"cpu": cpu, "sent": sent, "lags": lags, "lost": lost, "closing": closing,
            "ended": ended}  # fmt: skip


def _watch_syncs(lags: list[float]) -> None:
    """Note, of all bytes that became durable, how long ago the oldest of each file came."""
    settle = FileSync.settle

    def watched(file: FileSync) -> None:
        arrivals = [written.arrival_ns for written in file.taken if written.parts]
        settle(file)
        if arrivals and not file.ended:
            lags.append((time.time_ns() - min(arrivals)) / 1e9)

    FileSync.settle = watched  # type: ignore[method-assign, assignment]


def null(_folder: Path, streams: int, seconds: float) -> dict[str, Any]:
    kept: deque[Delivery] = deque(maxlen=1000)
    sent, cpu = feed([kept.append] * streams, seconds)
    return {"cpu": cpu, "sent": sent, "lags": []}


class PyAvWriter:
    """FFmpeg's Matroska muxer in one thread, and a thread that calls fdatasync: no index, no
    hash, no catalog, no cue before the end."""

    def __init__(self, folder: Path, streams: int, every_s: float) -> None:
        self.waiting: deque[Delivery] = deque()
        self.lags: list[float] = []
        self._every = every_s
        self._ending = threading.Event()
        self._oldest: dict[str, int] = {}
        template = av.open(io.BytesIO(_head()))
        self._files: dict[str, Any] = {}
        self._descriptors: dict[str, int] = {}
        for number in range(streams):
            path = folder / f"{stream_name(number)}.mkv"
            file = av.open(str(path), "w", format="matroska", options={"flush_packets": "1"})
            track = file.add_stream_from_template(template.streams.video[0])
            # Creates the file.
            file.start_encoding()
            self._files[stream_name(number)] = file, track
            self._descriptors[stream_name(number)] = os.open(path, os.O_RDONLY)
        self._threads = [threading.Thread(target=work) for work in (self._write, self._sync)]
        for thread in self._threads:
            thread.start()

    def _write(self) -> None:
        while self.waiting or not self._ending.is_set():
            if not self.waiting:
                time.sleep(0.005)
                continue
            unit = self.waiting.popleft().message
            assert isinstance(unit, AccessUnit)
            file, track = self._files[unit.camera]
            packet = av.Packet(unit.data)
            packet.stream, packet.is_keyframe = track, unit.key
            packet.pts = packet.dts = int(unit.pts / 90_000 / track.time_base)
            file.mux(packet)
            self._oldest.setdefault(unit.camera, unit.arrival_ns)

    def _sync(self) -> None:
        while not self._ending.wait(self._every):
            for camera, descriptor in self._descriptors.items():
                oldest = self._oldest.pop(camera, None)
                if oldest is not None:
                    os.fdatasync(descriptor)
                    self.lags.append((time.time_ns() - oldest) / 1e9)

    def end(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(30)
        for camera, (file, _) in self._files.items():
            file.close()
            os.fsync(self._descriptors[camera])
            os.close(self._descriptors[camera])


def pyav(folder: Path, streams: int, seconds: float) -> dict[str, Any]:
    writer = PyAvWriter(folder, streams, 0.6)
    sent, cpu = feed([writer.waiting.append] * streams, seconds)
    writer.end()
    return {"cpu": cpu, "sent": sent, "lags": writer.lags}


def _head() -> bytes:
    """A recording of a second, to tell FFmpeg of the stream."""
    parameters, packets = encode_video(width=1920, height=1080, pictures=25, gop=25)
    writer = MkvWriter([parameters], 0)
    data = writer.head
    for pts, key, payload in packets:
        data += writer.block(1, pts // 90, key, len(payload)) + payload
    return data


def main() -> None:
    way, folder, streams, seconds = sys.argv[1:]
    work = {"null": null, "ours": ours, "pyav": pyav}[way]
    print(json.dumps(work(Path(folder), int(streams), float(seconds))), flush=True)


if __name__ == "__main__":
    main()

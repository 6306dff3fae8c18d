"""A peer: PyAV, one thread per camera, packets muxed to Matroska without transcoding.

FFmpeg's own options set the timeout, so that its socket polls do not take Python's lock.
Prints `ready` once every camera has given a packet; ends on SIGTERM.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import av

stop = threading.Event()


def record(url: str, path: Path, started: threading.Semaphore) -> None:
    options = {"rtsp_transport": "tcp", "timeout": "5000000"}
    with av.open(url, options=options) as camera, av.open(str(path), "w", "matroska") as file:
        source = camera.streams.video[0]
        track = file.add_stream_from_template(source)
        first = True
        for packet in camera.demux(source):
            if stop.is_set():
                return
            if packet.dts is None:
                continue
            if first:
                started.release()
                first = False
            packet.stream = track
            file.mux(packet)


def main() -> None:
    folder, urls = Path(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    started = threading.Semaphore(0)
    threads = [
        threading.Thread(target=record, args=(url, folder / f"{index}.mkv", started))
        for index, url in enumerate(urls)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        started.acquire(timeout=60)
    print("ready", flush=True)
    while not stop.wait(1.0):
        pass
    for thread in threads:
        thread.join(10)


if __name__ == "__main__":
    main()

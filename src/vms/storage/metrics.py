"""What recording and playback count."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

WRITTEN_UNITS = Counter(
    "vms_storage_written_units_total",
    "Access units written to recording files",
    ["camera", "stream"],
)
WRITTEN_BYTES = Counter(
    "vms_storage_written_bytes_total", "Bytes written to recording files", ["camera", "stream"]
)
LOST_UNITS = Counter(
    "vms_storage_lost_units_total",
    "Access units that should have been recorded and were not: queue (the disk was too slow), "
    "disk (it refused), bus (they never came), time (out of the file's time)",
    ["camera", "stream", "reason"],
)
RECORDING = Gauge(
    "vms_storage_recording", "1 while a stream is being recorded, 0 while not", ["camera", "stream"]
)
WRITE_SECONDS = Histogram(
    "vms_storage_write_seconds",
    "From the arrival of an access unit to its bytes in the file: the oldest of each round",
    buckets=(0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5, 30),
)
SEGMENTS = Counter(
    "vms_storage_segments_total", "Recording files opened, closed, mended, given up", ["event"]
)
DISK_FREE = Gauge("vms_storage_disk_free_bytes", "Free space of the volume", ["volume"])
PLAYBACK_BYTES = Counter("vms_storage_playback_bytes_total", "Bytes sent as playback")
PLAYBACK_ACTIVE = Gauge("vms_storage_playback_active", "Playback answers being sent")


def forget(camera: str, stream: str) -> None:
    """Drop the series of a stream that is no longer recorded."""
    for metric in (WRITTEN_UNITS, WRITTEN_BYTES, LOST_UNITS, RECORDING):
        metric.remove_by_labels({"camera": camera, "stream": stream})

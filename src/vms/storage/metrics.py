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
SYNC_SECONDS = Histogram(
    "vms_storage_sync_seconds",
    "From bytes handed to the kernel to bytes known to be on the disk: the oldest of each turn",
    buckets=(0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 5, 30),
)
SYNC_FAILED = Counter(
    "vms_storage_sync_failed_total", "Files that the disk did not keep what was written to"
)
UNSYNCED_BYTES = Gauge(
    "vms_storage_unsynced_bytes", "Written and not known to be on the disk", ["volume"]
)
SEGMENTS = Counter(
    "vms_storage_segments_total", "Recording files opened, closed, mended, given up", ["event"]
)
DISK_FREE = Gauge("vms_storage_disk_free_bytes", "Free space of the volume", ["volume"])
DISK_TOTAL = Gauge("vms_storage_disk_bytes", "Size of the volume", ["volume"])
VOLUME_STATE = Gauge(
    "vms_storage_volume_state",
    "1 for the state that the volume is in: ok, full, failed, missing",
    ["volume", "state"],
)
REMOVED_BYTES = Counter(
    "vms_storage_removed_bytes_total", "Recordings deleted, to make room or by age", ["volume"]
)
ALARMS = Gauge("vms_alarm", "Alarms of storage that are not over", ["kind"])
PLAYBACK_BYTES = Counter("vms_storage_playback_bytes_total", "Bytes sent as playback")
PLAYBACK_ACTIVE = Gauge("vms_storage_playback_active", "Playback answers being sent")

TRIGGERS = Counter(
    "vms_storage_triggers_total",
    "News of events: opened, extended, closed, heartbeat, refused, lost",
    ["news"],
)
EXPECTED_SECONDS = Counter(
    "vms_storage_expected_seconds_total",
    "Time that should have been recorded",
    ["camera", "stream"],
)
MISSED_SECONDS = Counter(
    "vms_storage_missed_seconds_total",
    "Time that should have been recorded and was not, by cause",
    ["camera", "stream", "cause"],
)
GAPS = Counter("vms_storage_gaps_total", "Gaps that ended, by cause", ["camera", "stream", "cause"])
GAPS_LOST = Counter(
    "vms_storage_gaps_lost_total", "Gaps that could not be kept: the catalog is away for too long"
)

_owed: dict[tuple[str, ...], int] = {}


def account(key: tuple[str, str], nanoseconds: int, cause: str) -> None:
    """Count expected (no cause) or missed time. What is taken back is set off against
    what comes next, since a counter only grows."""
    labels = (*key, cause) if cause else key
    due = _owed.pop(labels, 0) + nanoseconds
    if due < 0:
        _owed[labels] = due
    elif due:
        metric = MISSED_SECONDS if cause else EXPECTED_SECONDS
        metric.labels(*labels).inc(due / 1e9)


def forget(camera: str, stream: str) -> None:
    """Drop the series of a stream that is no longer recorded."""
    for labels in [labels for labels in _owed if labels[:2] == (camera, stream)]:
        del _owed[labels]
    for metric in (
        WRITTEN_UNITS, WRITTEN_BYTES, LOST_UNITS, RECORDING, EXPECTED_SECONDS, MISSED_SECONDS, GAPS,
    ):  # fmt: skip
        metric.remove_by_labels({"camera": camera, "stream": stream})

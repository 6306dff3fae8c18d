"""What ingest counts. Sources and pullers keep the children of the metrics they touch often."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

_STREAM = ("camera", "stream")

units = Counter("vms_ingest_access_units_total", "Access units published.", _STREAM)
received = Counter("vms_ingest_media_bytes_total", "Bytes of access units published.", _STREAM)
packets_lost = Counter("vms_ingest_packets_lost_total", "RTP packets that never came.", _STREAM)
packets_refused = Counter(
    "vms_ingest_packets_refused_total", "Packets that belong to no track of ours.", _STREAM
)
units_damaged = Counter(
    "vms_ingest_damaged_units_total", "Access units with something missing.", _STREAM
)
reconnects = Counter("vms_ingest_reconnects_total", "Connections begun after the first.", _STREAM)
stalls = Counter("vms_ingest_stalls_total", "Times a stream fell silent.", _STREAM)
runs = Counter("vms_ingest_runs_total", "Runs begun.", _STREAM)
online = Gauge("vms_ingest_streams_online", "Streams that give media now.")
pulled = Gauge("vms_ingest_streams_pulled", "Streams that should give media.")


def forget(camera: str, stream: str) -> None:
    """Drop the series of a stream that is no longer pulled."""
    for metric in (
        units,
        received,
        packets_lost,
        packets_refused,
        units_damaged,
        reconnects,
        stalls,
        runs,
    ):
        try:
            metric.remove(camera, stream)
        except KeyError:
            continue

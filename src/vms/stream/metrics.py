"""What live streaming counts. Hot paths keep the children they touch."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

viewers = Gauge("vms_stream_viewers", "Viewers connected now.", ("kind",))
viewers_ended = Counter("vms_stream_viewers_ended_total", "Viewers gone.", ("kind", "reason"))
hubs = Gauge("vms_stream_hubs", "Streams that have a hub.")
missed = Counter("vms_stream_missed_units_total", "Access units lost on the bus.")
gops_too_large = Counter(
    "vms_stream_gops_too_large_total", "Groups of pictures not kept because of their size."
)
dropped = Counter(
    "vms_stream_dropped_units_total", "Units not sent to viewers that were too slow.", ("kind",)
)
packets = Counter("vms_stream_webrtc_packets_total", "RTP packets sent.")
sent_bytes = Counter("vms_stream_webrtc_bytes_total", "Bytes of datagrams with RTP sent.")
unsent = Counter("vms_stream_webrtc_unsent_packets_total", "RTP packets the kernel refused.")
nacks = Counter("vms_stream_webrtc_nacks_total", "Packets that viewers asked for again.")
retransmitted = Counter("vms_stream_webrtc_retransmitted_total", "Packets sent again.")
plis = Counter("vms_stream_webrtc_plis_total", "Key pictures that viewers asked for.")
plis_answered = Counter(
    "vms_stream_webrtc_plis_answered_total", "Key pictures sent again from the kept group."
)
ignored = Counter(
    "vms_stream_webrtc_ignored_datagrams_total", "Datagrams that are not a viewer's.", ("why",)
)
server_delay = Histogram(
    "vms_stream_server_delay_seconds",
    "From a unit's arrival at this server to its datagrams or fragment handed on to viewers.",
    ("kind",),
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5),
)

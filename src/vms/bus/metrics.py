"""What the bus counts."""

from __future__ import annotations

from prometheus_client import Counter

_TALLY = 64


class Tally:
    """Adds to a counter in lots, for paths on which its lock is felt: it may lag by 63."""

    __slots__ = ("_count", "_counter")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._count = 0

    def add(self) -> None:
        self._count += 1
        if self._count == _TALLY:
            self._count = 0
            self._counter.inc(_TALLY)


published = Counter("vms_bus_published_total", "Messages given to the bus.", ["adapter"])
dropped = Counter(
    "vms_bus_dropped_total",
    "Messages the bus lost: slow (reader or transport), oversize, disconnected, full.",
    ["adapter", "cause"],
)
missed = Counter(
    "vms_bus_missed_units_total", "Access units that readers did not get, by their numbers."
)
sink_failures = Counter("vms_bus_sink_failures_total", "Exceptions raised by sinks.")
handler_failures = Counter(
    "vms_bus_handler_failures_total", "Exceptions raised by handlers.", ["kind"]
)
reconnects = Counter("vms_bus_reconnects_total", "Connections to the bus made anew.", ["adapter"])

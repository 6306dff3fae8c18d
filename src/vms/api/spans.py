"""Spans of time that requests ask for."""

from __future__ import annotations

from vms.api.problems import RequestRefused
from vms.api.text import parse_moment

MAX_SPAN_NS = 400 * 86_400 * 1_000_000_000


def parse_span(start: str, end: str) -> tuple[int, int]:
    """UTC nanoseconds of the query's `start` and `end`. Raises RequestRefused."""
    return check_span(parse_moment(start, "query.start"), parse_moment(end, "query.end"))


def check_span(start_ns: int, end_ns: int, field: str = "query.end") -> tuple[int, int]:
    """The span as it is. Raises RequestRefused naming `field`."""
    if end_ns <= start_ns:
        raise RequestRefused("the end must come after the start", field=field)
    if end_ns - start_ns > MAX_SPAN_NS:
        raise RequestRefused("the range is longer than 400 days; ask in parts", field=field)
    return start_ns, end_ns

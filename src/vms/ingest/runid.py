"""Identities of Runs: sortable by time, unique without asking anybody."""

from __future__ import annotations

import secrets

_RANDOM_BITS = 74
_VERSION = 7
_VARIANT = 2


def new_run_id(now_ns: int) -> str:
    """A UUID of version 7 (RFC 9562, section 5.7) as 32 hex digits without dashes."""
    milliseconds = (now_ns // 1_000_000) & ((1 << 48) - 1)
    noise = secrets.randbits(_RANDOM_BITS)
    high, low = noise >> 62, noise & ((1 << 62) - 1)
    value = milliseconds << 80 | _VERSION << 76 | high << 64 | _VARIANT << 62 | low
    return f"{value:032x}"

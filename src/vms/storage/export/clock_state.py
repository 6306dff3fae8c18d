"""Whether the kernel's clock follows a time server."""

from __future__ import annotations

import ctypes

_UNSYNCHRONISED = 0x0040
_STATUS_AT = 5
"""`struct timex` (Linux): modes, offset, freq, maxerror, esterror, status, each of which takes
a place of a C long."""


def follows_time_server() -> bool | None:
    """What the kernel says (adjtimex); None where it cannot be asked."""
    try:
        # Asked with modes 0, which changes nothing.
        state = (ctypes.c_long * 64)()
        found = ctypes.CDLL(None, use_errno=True).adjtimex(state)
    except (OSError, AttributeError):
        return None
    if found < 0:
        return None
    return not state[_STATUS_AT] & _UNSYNCHRONISED

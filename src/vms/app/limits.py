"""What the operating system lets this process have."""

from __future__ import annotations

import resource

_WANTED = 65_536


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have, 65536 at most; gives how many.

    Each camera, client and recording is an open file, and shells allow but 1024 unasked.
    """
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if most == resource.RLIM_INFINITY else min(_WANTED, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        return wanted
    return allowed

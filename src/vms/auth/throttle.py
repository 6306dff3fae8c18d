"""Making guessing slow: after some wrong passwords each further try must wait, longer each time.

Three counts are kept: of a user from one address (strict), of an address whatever user
(so that a list of names gains nothing), and of a user from wherever (with a short longest
wait, so that a crowd of machines is slowed and still cannot lock the owner out for long).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from vms.auth.settings import AuthSettings
from vms.common.clock import Clock
from vms.common.errors import AuthError

_SECOND = 1_000_000_000
_FORGET_AFTER = 3600 * _SECOND
_KEPT = 10_000
_ADDRESS_FACTOR = 4
_USER_FACTOR = 10
_USER_LONGEST = 15.0
_DECAY = 60 * _SECOND
"""Where many people share an address, their mistakes must not add up: the wide counts lose
one each minute."""


class Throttled(AuthError):
    """Too many wrong passwords. `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many wrong passwords; try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(slots=True)
class _Count:
    failures: int = 0
    free_at: int = 0
    touched: int = 0


class Throttle:
    """Counts in memory, of the newest 10,000 keys; a count is forgotten after an hour."""

    def __init__(self, settings: AuthSettings, clock: Clock) -> None:
        self._free = settings.free_attempts
        self._longest = settings.longest_wait
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def begin(self, user: str, address: str) -> None:
        """Count a try as wrong before it is checked, so that a burst gains nothing.

        Raises Throttled while a wait is on.
        """
        now = self._clock.monotonic_ns()
        keys = self._keys(user, address)
        wait = max((self._wait(key, now) for key, _, _ in keys), default=0)
        if wait > 0:
            raise Throttled(max(1, math.ceil(wait / _SECOND)))
        for key, free, longest in keys:
            count = self._counts.setdefault(key, _Count(touched=now))
            self._counts.move_to_end(key)
            if not all(key):
                count.failures = max(0, count.failures - (now - count.touched) // _DECAY)
            count.failures += 1
            count.touched = now
            over = count.failures - free
            if over >= 0:
                count.free_at = now + int(min(2.0 ** min(over, 30), longest) * _SECOND)
        while len(self._counts) > _KEPT:
            self._counts.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """The password was right: the pair starts anew, and the others take back one try."""
        pair, *others = (key for key, _, _ in self._keys(user, address))
        self._counts.pop(pair, None)
        for key in others:
            if (count := self._counts.get(key)) is not None:
                count.failures = max(0, count.failures - 1)
                count.free_at = 0

    def _keys(self, user: str, address: str) -> tuple[tuple[tuple[str, str], int, float], ...]:
        name = user.casefold()[:80]
        return (
            ((name, address), self._free, self._longest),
            (("", address), self._free * _ADDRESS_FACTOR, self._longest),
            ((name, ""), self._free * _USER_FACTOR, min(_USER_LONGEST, self._longest)),
        )

    def _wait(self, key: tuple[str, str], now: int) -> int:
        count = self._counts.get(key)
        if count is None:
            return 0
        if now - count.touched > _FORGET_AFTER:
            del self._counts[key]
            return 0
        return count.free_at - now

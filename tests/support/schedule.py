"""Which worker runs which tests, where several run them."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

_WHOLE = ("tests/e2e/", "tests/web/")


class Schedule(LoadScopeScheduling):
    """Files whose tests share a running system go to one worker each; all else one by one.

    The base class begins with what holds the most tests, which is those files: they take
    the longest, and the short tests then fill what time is left on either worker.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if path.startswith(_WHOLE) else nodeid

"""Where log lines leave the process: by a thread, so that no reader can hold up the work.

A full disk under a log file, a pipe whose reader is gone and a terminal that stands still
are not the business of whoever writes a line: lines that cannot be written are dropped and
counted, and the count is written as soon as something can be.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque

_MAX_LINES = 10_000
_LAST_WORDS_S = 1.0
_AGAIN_S = 1.0


class Outlet:
    """A text stream, as far as loggers need one, on the file descriptor `fd`."""

    def __init__(self, fd: int, max_lines: int = _MAX_LINES) -> None:
        self.dropped = 0
        self._fd = fd
        self._max = max_lines
        self._lines: deque[bytes] = deque()
        self._work = threading.Condition()
        self._writing = False
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> int:
        """Queue `text`; never blocks and never raises."""
        with self._work:
            if len(self._lines) >= self._max:
                self.dropped += 1
                return len(text)
            self._lines.append(text.encode("utf-8", "backslashreplace"))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
                atexit.register(self.drain)
            self._work.notify_all()
        return len(text)

    def flush(self) -> None:
        """Loggers call it after each line; the thread writes as soon as it can anyway."""

    def drain(self, limit: float = _LAST_WORDS_S) -> bool:
        """Wait until all is written, at most `limit` seconds; whether it is."""
        deadline = time.monotonic() + limit
        with self._work:
            while self._lines or self._writing:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._work.wait(left)
        return True

    def _run(self) -> None:
        while True:
            with self._work:
                while not self._lines:
                    self._work.wait()
                taken = b"".join(self._lines)
                count = len(self._lines)
                self._lines.clear()
                dropped, self.dropped = self.dropped, 0
                self._writing = True
            if dropped:
                taken = b"%d lines of this log could not be written\n" % dropped + taken
            written = self._put(taken)
            with self._work:
                self._writing = False
                if not written:
                    self.dropped += dropped + count
                self._work.notify_all()
            if not written:
                time.sleep(_AGAIN_S)

    def _put(self, data: bytes) -> bool:
        """False where not all of it could be written."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            return False
        return True

"""Python imports this at its start where the folder is on PYTHONPATH: the machine's clock is
then wrong by the nanoseconds that the first eight bytes of the file FAULT_CLOCK say.

The monotonic clock is left alone, as it is where a person or NTP sets the clock.
"""

import mmap
import os
import struct
import time
from collections.abc import Callable


def _step(path: str, real: Callable[[], int]) -> None:
    with open(path, "rb") as file:
        memory = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)

    def time_ns() -> int:
        return real() + int(struct.unpack("<q", memory[:8])[0])

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


if "FAULT_CLOCK" in os.environ:
    _step(os.environ["FAULT_CLOCK"], time.time_ns)

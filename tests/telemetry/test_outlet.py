from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from vms.telemetry.outlet import Outlet


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, writer
    for end in (reader, writer):
        try:
            os.close(end)
        except OSError:
            continue


def read_all(reader: int) -> bytes:
    parts = []
    while part := os.read(reader, 65536):
        parts.append(part)
    return b"".join(parts)


def test_lines_come_out_whole_and_in_order(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    outlet = Outlet(writer)
    for number in range(100):
        outlet.write(f"line {number}\n")
    assert outlet.drain()
    expected = "".join(f"line {number}\n" for number in range(100))
    os.close(writer)
    assert read_all(reader).decode() == expected


def test_a_reader_that_stands_still_holds_nobody_up(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    outlet = Outlet(writer, max_lines=50)
    began = time.monotonic()
    for _ in range(2000):
        outlet.write("x" * 100 + "\n")
    assert time.monotonic() - began < 10
    assert outlet.dropped > 1000
    assert not outlet.drain(0.1)
    with ThreadPoolExecutor() as pool:
        text = pool.submit(read_all, reader)
        assert outlet.drain()
        outlet.write("after\n")
        assert outlet.drain()
        os.close(writer)
        assert b"lines of this log could not be written\n" in text.result()
        assert text.result().endswith(b"after\n")


@pytest.mark.parametrize("path", ["/dev/full", None])
def test_what_cannot_be_written_is_dropped(path: str | None) -> None:
    if path is None:
        reader, descriptor = os.pipe()
        os.close(reader)
    else:
        descriptor = os.open(path, os.O_WRONLY)
    outlet = Outlet(descriptor)
    outlet.write("lost\n")
    assert outlet.drain()
    assert outlet.dropped == 1
    os.close(descriptor)

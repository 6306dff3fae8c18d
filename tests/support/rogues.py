"""Things at the address of a camera that are none, or bad ones: scripts for `serving`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random

from tests.support.ingest_hostile import SDP, HandMade, packet

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def web_server(reader: Reader, writer: Writer) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def noise(reader: Reader, writer: Writer) -> None:
    while True:
        writer.write(os.urandom(65536))
        await writer.drain()


async def silence(reader: Reader, writer: Writer) -> None:
    await reader.read()


async def endless_headers(reader: Reader, writer: Writer) -> None:
    writer.write(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n")
    while True:
        writer.write(b"X-Filler: " + b"a" * 4000 + b"\r\n")
        await writer.drain()


async def slow_bytes(reader: Reader, writer: Writer) -> None:
    while True:
        writer.write(b"R")
        await writer.drain()
        await asyncio.sleep(0.2)


async def huge_description(reader: Reader, writer: Writer) -> None:
    for number in (1, 2):
        await reader.readuntil(b"\r\n\r\n")
        if number == 1:
            writer.write(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")
    writer.write(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 62914560\r\n\r\n")
    for _ in range(60):
        writer.write(b"a=x:" + b"y" * ((1 << 20) - 6) + b"\r\n")
        await writer.drain()


async def _lies(reader: Reader, writer: Writer) -> None:
    """Fragments and aggregates that run past their packets, frames that run past the end."""
    dice = random.Random(4)
    for number in range(400):
        payload = bytes((dice.choice((24, 28, 0x7C, 97, 5, 1)),)) + dice.randbytes(40)
        writer.write(packet(number, number // 3 * 3600, payload, number % 3 == 2))
    writer.write(packet(401, 1, b"\x78\xff\xff" + bytes(50), True))
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.write(b"$\x00\xff\xff" + dice.randbytes(70_000))
    await writer.drain()
    await reader.read()


lying_lengths = HandMade(media=_lies)
unknown_codec = HandMade(sdp=SDP.format(name="VP9"))

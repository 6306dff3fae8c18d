"""`vms doctor`: looks at everything the system needs, and says what to do about it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import av

from vms.app import http
from vms.app.cli_common import console, opened_catalog, progress
from vms.app.demo import is_demo
from vms.app.limits import raise_file_limit
from vms.app.settings import Settings
from vms.app.web import WEB_DIR
from vms.bus.connect import open_bus
from vms.common.errors import VmsError
from vms.common.model.camera import Camera
from vms.common.secret import redact
from vms.ingest.probe import probe

_LOW_FREE_BYTES = 10 << 30
_FILES_WANTED = 4096
_UDP_BUFFER_WANTED = 1 << 20
_PROBES_AT_ONCE = 8


class Verdict(Enum):
    GOOD = "[green]ok[/]"
    WARNING = "[yellow]!![/]"
    BAD = "[red]no[/]"


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    what: str
    todo: str = ""


async def examine(settings: Settings) -> bool:
    """Run every check and print its finding; true where one is bad."""
    checks: tuple[tuple[str, Callable[[Settings], Awaitable[list[Finding]]]], ...] = (
        ("looking at this machine", _machine),
        ("writing to the disk", _disk),
        ("trying the codecs", _codecs),
        ("opening port, bus and catalog", _services),
        ("asking every camera", _cameras),
    )
    failed = False
    for text, check in checks:
        with progress(text):
            findings = await check(settings)
        for finding in findings:
            console.print(f"{finding.verdict.value}  {finding.what}", highlight=False)
            if finding.todo:
                console.print(f"      [dim]{finding.todo}[/]", highlight=False)
            failed |= finding.verdict is Verdict.BAD
    return failed


async def _machine(_: Settings) -> list[Finding]:
    return await asyncio.to_thread(_look_at_machine)


def _look_at_machine() -> list[Finding]:
    findings = []
    files = raise_file_limit()
    if 0 <= files < _FILES_WANTED:
        todo = "as root: ulimit -Hn 65536; for a service: LimitNOFILE=65536"
        findings.append(Finding(Verdict.WARNING, f"only {files} open files allowed", todo))
    else:
        findings.append(Finding(Verdict.GOOD, f"{files} open files allowed"))
    buffer = int(Path("/proc/sys/net/core/rmem_max").read_text())
    if buffer < _UDP_BUFFER_WANTED:
        findings.append(
            Finding(
                Verdict.WARNING,
                f"UDP receive buffers of at most {buffer} bytes: cameras over UDP may lose packets",
                "sysctl -w net.core.rmem_max=8388608, or use TCP for the cameras",
            )
        )
    if not (WEB_DIR / "index.html").exists():
        findings.append(Finding(Verdict.BAD, "the web client is not built", "make web"))
    return findings


async def _disk(settings: Settings) -> list[Finding]:
    findings = []
    for name, folder in (("data", settings.data_dir), ("recordings", settings.storage_root)):
        findings.append(await asyncio.to_thread(_try_folder, name, folder))
    return findings


def _try_folder(name: str, folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(os.urandom(1 << 20))
            file.flush()
            os.fsync(file.fileno())
        took = (time.monotonic() - started) * 1000
        free = shutil.disk_usage(folder).free
    except OSError as error:
        todo = "choose another folder, or give this user the right to write there"
        return Finding(
            Verdict.BAD, f"{name} folder {folder} cannot be written: {error.strerror}", todo
        )
    text = f"{name} folder {folder}: {free >> 30} GiB free, 1 MiB on the disk in {took:.0f} ms"
    if free < _LOW_FREE_BYTES:
        todo = "free some space, or set storage.root to a larger disk"
        return Finding(Verdict.WARNING, text, todo)
    return Finding(Verdict.GOOD, text)


async def _codecs(_: Settings) -> list[Finding]:
    findings = []
    for codec in ("h264", "hevc", "aac", "opus", "pcm_mulaw", "pcm_alaw"):
        try:
            av.CodecContext.create(codec, "r")
        except Exception as error:
            todo = "install the packages again: make clean run"
            findings.append(Finding(Verdict.BAD, f"no decoder for {codec}: {error}", todo))
    if not findings:
        version = ".".join(str(part) for part in av.ffmpeg_version_info.split("."))
        findings.append(Finding(Verdict.GOOD, f"all decoders are there (FFmpeg {version})"))
    return findings


async def _services(settings: Settings) -> list[Finding]:
    findings = []
    try:
        http.listen(settings.http).close()
        where = f"{settings.http.host}:{settings.http.port}"
        findings.append(Finding(Verdict.GOOD, f"port {where} is free"))
    except VmsError as error:
        findings.append(
            Finding(Verdict.WARNING, str(error), "that is fine if it is this system, running")
        )
    try:
        async with opened_catalog(settings) as catalog:
            await catalog.check()
        findings.append(Finding(Verdict.GOOD, "the catalog answers"))
    except VmsError as error:
        findings.append(Finding(Verdict.BAD, redact(str(error))))
    if settings.bus.url.startswith("nats:"):
        try:
            bus = await open_bus(settings.bus)
            await bus.close()
            findings.append(Finding(Verdict.GOOD, "the bus answers"))
        except VmsError as error:
            findings.append(Finding(Verdict.BAD, redact(str(error))))
    return findings


async def _cameras(settings: Settings) -> list[Finding]:
    async with opened_catalog(settings) as catalog:
        cameras = [camera for camera in await catalog.cameras.list() if camera.enabled]
    if not cameras:
        return [Finding(Verdict.GOOD, "no cameras are configured yet")]
    gate = asyncio.Semaphore(_PROBES_AT_ONCE)

    async def one(camera: Camera) -> list[Finding]:
        async with gate:
            return [
                await _try_stream(camera, index, settings) for index in range(len(camera.streams))
            ]

    results = await asyncio.gather(*(one(camera) for camera in cameras))
    return [finding for findings in results for finding in findings]


async def _try_stream(camera: Camera, index: int, settings: Settings) -> Finding:
    stream = camera.streams[index]
    name = f"camera {camera.id}, stream {stream.name}"
    try:
        found = await probe(
            stream.url, camera.username, camera.password, stream.transport, settings.ingest
        )
    except VmsError as error:
        if is_demo(camera):
            text = f"{name}: simulated, and the system does not run now"
            return Finding(Verdict.WARNING, text, "vms run starts it")
        return Finding(Verdict.BAD, f"{name}: {redact(str(error))}")
    tracks = ", ".join(
        f"{track.codec} {track.width}x{track.height}" if track.width else track.codec
        for track in found.tracks
    )
    return Finding(Verdict.GOOD, f"{name}: {tracks}")

"""Sends the file of an export, or one file of its ZIP, with ranges of bytes."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response

from vms.auth.policy import Principal
from vms.common.clock import Clock
from vms.common.errors import NotFound, ParseError, StorageError, VmsError
from vms.common.model.evidence import ExportJob
from vms.storage.clip import parse_range
from vms.storage.export import zip_reader
from vms.storage.responses import HeldResponse
from vms.storage.settings import StorageSettings

_AT_ONCE = 16
_CHUNK = 1 << 18
_NOTED_NS = 600_000_000_000
_MOST_NOTED = 4096
_TYPES = {"mp4": "video/mp4", "mkv": "video/x-matroska", "zip": "application/zip"}


class NotReady(VmsError):
    """There is no file yet, or none any more."""

    http_status = 409


class TooManyDownloads(VmsError):
    http_status = 503


class Downloads:
    """Belongs to the event loop's thread."""

    def __init__(self, settings: StorageSettings, clock: Clock) -> None:
        self._patience = settings.playback_idle_seconds
        self._clock = clock
        self._free = _AT_ONCE
        self._noted: OrderedDict[tuple[str, ...], int] = OrderedDict()

    def is_new(self, who: Principal, job: str, name: str | None) -> bool:
        """Whether this is to be noted: a download of many ranges is one, for ten minutes."""
        at = self._noted.get((who.user_id, who.session_id, job, name or ""))
        return at is None or self._clock.monotonic_ns() - at > _NOTED_NS

    def noted(self, who: Principal, job: str, name: str | None) -> None:
        """It stands in the trail."""
        key = (who.user_id, who.session_id, job, name or "")
        self._noted.pop(key, None)
        self._noted[key] = self._clock.monotonic_ns()
        while len(self._noted) > _MOST_NOTED:
            self._noted.popitem(last=False)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._free:
            raise TooManyDownloads("too many exports are being fetched; try again in a moment")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def answer(
        self, request: Request, job: ExportJob, path: Path, name: str | None
    ) -> Response:
        """Raises NotReady, NotFound, StorageError, TooManyDownloads."""
        with ExitStack() as stack:
            stack.enter_context(self._place())
            descriptor = await asyncio.to_thread(_opened, path)
            stack.callback(os.close, descriptor)
            start, size = await asyncio.to_thread(_part, descriptor, job, name)
            return self._sent(request, job, name, (descriptor, start, size), stack)

    def _sent(
        self, request: Request, job: ExportJob, name: str | None,
        part: tuple[int, int, int], stack: ExitStack,
    ) -> Response:  # fmt: skip
        descriptor, start, size = part
        shown = name.replace("/", "_") if name else str(job.result["name"])
        tag = f'"{job.id}-{start}-{size}"'
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": tag,
            "Cache-Control": "private, no-store",
            "Content-Disposition": f'attachment; filename="{quote(shown)}"',
            "X-Content-Type-Options": "nosniff",
        }
        asked = request.headers.get("range", "")
        if request.headers.get("if-range", tag) != tag:
            asked = ""
        try:
            span = parse_range(asked, size) if asked else None
        except ValueError:
            return Response(None, 416, headers | {"Content-Range": f"bytes */{size}"})
        first, last = span or (0, size)
        headers["Content-Length"] = str(last - first)
        if span is not None:
            headers["Content-Range"] = f"bytes {first}-{last - 1}/{size}"
        kind = _TYPES.get(shown.rpartition(".")[2], "application/octet-stream")
        return HeldResponse(
            _chunks(descriptor, start + first, start + last), stack.pop_all(), self._patience,
            lambda: None, kind, headers, 206 if span is not None else 200,
        )  # fmt: skip


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise NotReady("the file of this export is gone; export it again") from None
    except OSError as error:
        raise StorageError(f"the export cannot be read: {error.strerror}") from error


def _part(descriptor: int, job: ExportJob, name: str | None) -> tuple[int, int]:
    """(offset, size) of what is sent."""
    size = os.fstat(descriptor).st_size
    names = [one["name"] for one in job.result["files"]]
    if name is None or (name in names and not str(job.result["name"]).endswith(".zip")):
        return 0, size
    try:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            entries = zip_reader.read_entries(file, size)
    except ParseError as error:
        raise NotFound(f"no file {name[:80]!r} in this export") from error
    for entry in entries:
        if entry.name == name:
            return entry.data_at, entry.size
    raise NotFound(f"no file {name[:80]!r} in this export")


async def _chunks(descriptor: int, at: int, end: int) -> AsyncIterator[bytes]:
    while at < end:
        data = await asyncio.to_thread(os.pread, descriptor, min(_CHUNK, end - at), at)
        if not data:
            raise StorageError("the export ends early on the disk")
        at += len(data)
        yield data

"""What closes an export: the small files of a case, its signature, and what its row says."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from vms.catalog.port import Catalog
from vms.common.clock import Clock
from vms.common.model.evidence import ExportJob
from vms.storage.export import manifest as manifests
from vms.storage.export.clock_state import follows_time_server
from vms.storage.export.contents import (
    CONTENTS,
    PAGE,
    README,
    Sealing,
    contents,
    manifest_fields,
    readme,
)
from vms.storage.export.maker import Made, Order
from vms.storage.export.manifest import MANIFEST, SIGNATURE, Listed
from vms.storage.export.signing import SigningKey, signing_key
from vms.storage.export.spec import Format, Spec

_MOST_PAGE = 8 << 20
_MOST_FILES, _MOST_SPANS, _MOST_PROBLEMS = 200, 200, 100


class Sealer:
    def __init__(
        self, catalog: Catalog, clock: Clock, version: str, page: Path | None,
        clock_problem: Callable[[], str],
    ) -> None:  # fmt: skip
        self._catalog, self._clock, self._version = catalog, clock, version
        self._page, self._clock_problem = page, clock_problem
        self._key: SigningKey | None = None

    async def key(self) -> SigningKey:
        """Made the first time it is asked for. Raises CatalogError."""
        if self._key is None:
            self._key = await signing_key(self._catalog.settings)
        return self._key

    async def files(
        self, job: ExportJob, order: Order, made: Made, *, bare: bool
    ) -> dict[str, bytes]:
        """The small files that come behind the footage. Raises CatalogError, OSError."""
        if bare:
            return {}
        key = await self.key()
        sealing = await self._sealing(order, key.fingerprint)
        if order.spec.format is not Format.CASE:
            return {CONTENTS: contents(order, made, sealing)}
        page = await asyncio.to_thread(_read_page, self._page)
        files = {README: readme(key.fingerprint, page=bool(page))}
        if page:
            files[PAGE] = page
        listed = [_listed(name, data) for name, data in files.items()]
        manifest = manifests.encode(manifest_fields(job, order, made, sealing, listed))
        return files | {MANIFEST: manifest, SIGNATURE: key.sign(manifest)}

    async def _sealing(self, order: Order, fingerprint: str) -> Sealing:
        spec = order.spec
        gaps = {
            one.id: await self._catalog.gaps.spans(one.id, spec.stream, spec.start_ns, spec.end_ns)
            for one in order.cameras
        }
        return Sealing(
            self._clock.now_ns(), self._version, fingerprint, gaps,
            await self._catalog.audit.head(), self._clock_problem(), follows_time_server(),
        )  # fmt: skip

    def result(self, job: ExportJob, order: Order, made: Made, *, bare: bool) -> dict[str, Any]:
        """What the row of an export that is done says of it."""
        missing = [
            {"camera": one.id, "start": start // 1_000_000, "end": -(-end // 1_000_000)}
            for one in order.cameras
            for start, end in made.missing(one.id)
        ]
        files = [
            {
                "name": one["path"],
                "camera": one["camera"],
                "start": one["start_ms"],
                "end": one["end_ms"],
                "size": one["size"],
                "sha256": one["sha256"],
            }
            for one in made.media[:_MOST_FILES]
        ]
        name = file_name(order.spec, job.id, made.media[0]["path"] if bare else "")
        return {
            "name": name,
            "count": len(made.media),
            "files": files,
            "missing": missing[:_MOST_SPANS],
            "problems": made.problems[:_MOST_PROBLEMS],
        }


def file_name(spec: Spec, identity: str, path: str) -> str:
    """What the file is called where it is saved; `path`: it is that file alone."""
    if path:
        return path.replace("/", "_")
    moment = datetime.fromtimestamp(spec.start_ns // 10**9, UTC).strftime("%Y%m%dT%H%M%SZ")
    kind = "case" if spec.format is Format.CASE else "export"
    return f"{kind}_{moment}_{identity[:8]}.zip"


def _listed(name: str, data: bytes) -> Listed:
    return Listed(name, len(data), sha256(data).hexdigest(), f"{zlib.crc32(data):08x}")


def _read_page(path: Path | None) -> bytes:
    """Empty where there is none: a case is whole without it."""
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_PAGE + 1)
    except OSError:
        return b""
    return data if len(data) <= _MOST_PAGE else b""

"""`python -m vms.app.openapi` writes docs/reference/openapi.json anew."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter

from vms.api.openapi import render
from vms.bus.port import Bus
from vms.catalog.port import Catalog
from vms.common.clock import SystemClock
from vms.storage import routes as storage_routes
from vms.storage.export import routes as export_routes
from vms.storage.export.service import About, ExportService
from vms.storage.playback import Playback
from vms.storage.preview import Previews
from vms.storage.settings import StorageSettings
from vms.stream import routes as stream_routes
from vms.stream.service import StreamService
from vms.stream.settings import StreamSettings

DEFAULT_PATH = Path("docs/reference/openapi.json")


def routers(bus: Bus, catalog: Catalog) -> Sequence[APIRouter]:
    """The routes of all roles, as one process that carries them all serves them."""
    playback = Playback(catalog, StorageSettings(), Path("recordings"))
    previews = Previews(catalog, playback.volume_of, Path("data"))
    exports = ExportService(
        catalog, StorageSettings(), Path("exports"), playback.volume_of, SystemClock(), About("")
    )
    live = StreamService(bus, StreamSettings())
    return (
        stream_routes.router(live),
        storage_routes.router(playback, previews),
        export_routes.router(exports, SystemClock()),
    )


def document() -> str:
    return asyncio.run(render(version("vms"), routers))


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document(), "utf-8")


if __name__ == "__main__":
    main()

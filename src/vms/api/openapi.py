"""The OpenAPI document as text, without a running system."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from fastapi import APIRouter

from vms.api.app import create_app
from vms.api.services import ApiServices
from vms.auth.services import open_auth
from vms.auth.settings import AuthSettings
from vms.bus.memory import MemoryBus
from vms.bus.port import Bus
from vms.catalog.open import open_catalog
from vms.catalog.port import Catalog
from vms.common.clock import SystemClock

RouterMaker = Callable[[Bus, Catalog], Sequence[APIRouter]]


async def render(version: str, routers: RouterMaker) -> str:
    """The document with the routes that `routers` makes of an empty bus and catalog."""
    bus, clock = MemoryBus(), SystemClock()
    with tempfile.TemporaryDirectory(prefix="vms-openapi-") as directory:
        catalog = await open_catalog(f"sqlite:///{directory}/vms.db", Path(directory))
        try:
            auth = await open_auth(catalog, clock, AuthSettings())
            services = ApiServices(catalog, bus, auth, clock, version)
            document = create_app(services, routers(bus, catalog)).openapi()
            auth.passwords.close()
        finally:
            await catalog.close()
            await bus.close()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

"""The routers of the other roles, beside the API of a test server."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from vms.app.openapi import routers
from vms.bus.memory import MemoryBus
from vms.catalog.port import Catalog


class OtherRoles:
    """Made before the test server has its catalog, which is set afterwards."""

    def __init__(self) -> None:
        self.catalog: Catalog | None = None

    def routers(self) -> list[APIRouter]:
        return list(routers(MemoryBus(), self))  # type: ignore[arg-type]

    @property
    def segments(self) -> Any:
        return _Forward(self)


class _Forward:
    def __init__(self, late: OtherRoles) -> None:
        self._late = late

    def __getattr__(self, name: str) -> Any:
        assert self._late.catalog is not None
        return getattr(self._late.catalog.segments, name)

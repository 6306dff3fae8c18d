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

    def __getattr__(self, repository: str) -> Any:
        return _Forward(self, repository)


class _Forward:
    def __init__(self, late: OtherRoles, repository: str) -> None:
        self._late = late
        self._repository = repository

    def __getattr__(self, name: str) -> Any:
        assert self._late.catalog is not None
        return getattr(getattr(self._late.catalog, self._repository), name)

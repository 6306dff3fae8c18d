"""The audit trail, for administrators: read, and checked."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

from vms.api.models_evidence import AuditCheckModel, AuditModel, AuditPage
from vms.api.problems import RequestRefused, documented
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.api.text import Identifier
from vms.auth.audit_check import check_trail
from vms.auth.http import peer_address, require
from vms.auth.policy import Permission, Principal

Reader = Annotated[Principal, require(Permission.VIEW_AUDIT)]
_Action = Annotated[
    str | None,
    Query(pattern=r"^[a-z0-9.-]{1,40}$", description="Also finds those below: hold, hold.added."),
]


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["audit"])
    rows, trail = services.catalog.audit, services.auth.audit
    checking = asyncio.Lock()

    @routes.get("/audit")
    async def list_audit(
        who: Reader,
        request: Request,
        before: Annotated[int | None, Query(ge=0, lt=1 << 63, description="A `seq`.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        camera: Annotated[Identifier | None, Query()] = None,
        user: Annotated[
            str | None,
            Query(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="Name or id."),
        ] = None,
        action: _Action = None,
    ) -> AuditPage:
        """Who did what, the newest first. Reading is noted, too."""
        trail.note(who, peer_address(request), "audit.read")
        found = await rows.list(before, limit, camera, user, action)
        return AuditPage(entries=[AuditModel.of(entry) for entry in found])

    @routes.get("/audit/check", responses=documented(429))
    async def check_audit(
        who: Reader,
        request: Request,
        head: Annotated[
            str, Query(max_length=100, description="A `head` noted earlier, to be found again.")
        ] = "",
    ) -> AuditCheckModel:
        """Go through the whole trail; takes seconds where it is long."""
        if checking.locked():
            raise RequestRefused("the trail is being checked already; try again later", 429)
        trail.note(who, peer_address(request), "audit.read")
        async with checking:
            found = await check_trail(rows, head)
        return AuditCheckModel(
            entries=found.entries, ok=found.ok, broken_at=found.broken_at, head=found.head
        )

    return routes

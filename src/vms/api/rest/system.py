"""Health for load balancers, metrics for Prometheus, and the state of this process."""

from __future__ import annotations

import ipaddress
import time
from typing import Annotated

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CONTENT_TYPE_LATEST

from vms.api.health import HealthChecks
from vms.api.models import CameraCounts, Health, RecordingTotals, SystemModel
from vms.api.problems import Responses, documented
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.api.text import rfc3339
from vms.auth.http import bearer, current_principal, require
from vms.auth.policy import Permission, Principal
from vms.catalog.port import SegmentTotals
from vms.common.model.camera import StreamStatus

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_MILLISECOND = 1_000_000
_TOTALS_SECONDS = 30.0
_TEXT: Responses = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["system"])
    health = HealthChecks(services)
    totals = _Totals(services)

    @routes.get(
        "/health",
        responses={503: {"model": Health, "description": "Something does not work."}},
    )
    async def get_health(response: Response) -> Health:
        """Whether catalog, bus and volumes of this process work; 503 when one does not.

        `system` says which, and whether recording goes on.
        """
        if all(check.ok for check in await health.checks()):
            return Health(status="ok")
        response.status_code = 503
        return Health(status="failing")

    @routes.get("/system")
    async def get_system(
        who: Annotated[Principal, require(Permission.VIEW_SYSTEM)],
    ) -> SystemModel:
        """Version, roles, checks, volumes and counts of this process."""
        recordings = await totals.get()
        return SystemModel(
            version=services.version,
            node=services.node,
            roles=list(services.roles),
            started=rfc3339(services.started_ns),
            uptime_s=round((services.clock.now_ns() - services.started_ns) / 1e9, 1),
            checks=[*await health.checks(), await health.recording()],
            volumes=await health.volumes(),
            cameras=await _count(services),
            recordings=RecordingTotals(
                segments=recordings.segments,
                bytes=recordings.size,
                oldest=_ms(recordings.oldest_ns),
                newest=_ms(recordings.newest_ns),
            ),
        )

    return routes


def metrics_router(services: ApiServices) -> APIRouter:
    """/metrics lies beside the API, where Prometheus looks for it."""
    routes = APIRouter(tags=["system"])

    @routes.get(
        "/metrics",
        response_class=Response,
        responses=_TEXT | documented(401, 403),
    )
    async def get_metrics(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
    ) -> Response:
        """Prometheus text. Programs on this machine need no token; others need to be allowed
        to view the system."""
        if not (services.settings.metrics_on_loopback and _is_local(request)):
            principal = await current_principal(request, credentials)
            services.auth.policy.require(principal, Permission.VIEW_SYSTEM)
        return Response(services.metrics(), media_type=CONTENT_TYPE_LATEST)

    return routes


def _is_local(request: Request) -> bool:
    # Behind a proxy on this machine everybody seems local; a proxy says that it is one.
    if any(name in request.headers for name in _FORWARDED) or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class _Totals:
    """Counting all recordings reads the whole table: once in half a minute will do."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._found = SegmentTotals(0, 0, None, None)
        self._until = 0.0

    async def get(self) -> SegmentTotals:
        if time.monotonic() >= self._until:
            self._found = await self._services.catalog.segments.totals()
            self._until = time.monotonic() + _TOTALS_SECONDS
        return self._found


async def _count(services: ApiServices) -> CameraCounts:
    cameras = await services.catalog.cameras.list()
    online = sum(
        any(state.status is StreamStatus.ONLINE for state in services.board.of(camera).values())
        for camera in cameras
    )
    enabled = sum(camera.enabled for camera in cameras)
    return CameraCounts(total=len(cameras), enabled=enabled, online=online)


def _ms(t_ns: int | None) -> int | None:
    return None if t_ns is None else t_ns // _MILLISECOND

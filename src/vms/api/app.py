"""The FastAPI app: REST, the routers of the other roles of the process, and the web client."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from vms.api import document, problems
from vms.api.edge import Edge
from vms.api.rest import (
    audit,
    auth,
    cameras,
    events,
    happenings,
    holds,
    recordings,
    storage,
    system,
    timeline,
    users,
)
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.api.web_client import WebClient


def create_app(
    services: ApiServices, routers: Sequence[APIRouter] = (), web_dir: Path | None = None
) -> FastAPI:
    """`routers` hold whole paths (/api/v1/...). `vms.api.service.run` must run beside it."""
    app = FastAPI(
        title="VMS",
        version=services.version,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.vms = services.auth
    app.add_middleware(Edge, settings=services.settings)
    problems.install(app)
    recorded = (recordings, timeline, happenings, holds)
    for room in (auth, cameras, *recorded, users, system, storage, audit, events):
        app.include_router(room.router(services))
    app.include_router(system.metrics_router(services))
    for router in routers:
        app.include_router(router)
    # Not a mount: a mount at / would also take requests whose path fits a route and whose
    # method does not, and answer 404 for 405.
    app.router.default = WebClient(web_dir)
    _document_once(app)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _document_once(app: FastAPI) -> None:
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(document.document(app))
        return made

    app.openapi = openapi  # type: ignore[method-assign]

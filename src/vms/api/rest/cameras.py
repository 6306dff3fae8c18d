"""Cameras: list, add, change, remove; and trying one before it is added."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from vms.api.cameras import changed_camera, new_camera
from vms.api.commands import ask_ingest
from vms.api.models import (
    CameraChange,
    CameraModel,
    Devices,
    DiscoverRequest,
    NewCamera,
    OnvifAnswer,
    OnvifRequest,
    ProbeAnswer,
    ProbeRequest,
    StateModel,
)
from vms.api.problems import CREATED, documented
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.api.urls import check_camera_url, check_onvif_address
from vms.auth.http import CurrentPrincipal, peer_address, require
from vms.auth.policy import Permission, Principal
from vms.bus import subjects
from vms.common.model.camera import Camera
from vms.common.model.messages import ConfigChanged

Manager = Annotated[Principal, require(Permission.MANAGE_CAMERAS)]
Viewer = Annotated[Principal, require(Permission.VIEW_LIVE)]


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["cameras"])
    cameras, policy = services.catalog.cameras, services.auth.policy
    trail = services.auth.audit

    def shown(camera: Camera, who: Principal) -> CameraModel:
        manages = policy.allows(who, Permission.MANAGE_CAMERAS)
        states = services.board.of(camera)
        state = {name: services.shown(one, who) for name, one in states.items()}
        return CameraModel.of(camera, state, manages)

    def tell(camera_id: str) -> None:
        services.bus.publish(
            subjects.config("camera", camera_id), ConfigChanged("camera", camera_id)
        )

    @routes.get("/cameras")
    async def list_cameras(who: CurrentPrincipal) -> list[CameraModel]:
        """The cameras that the one who asks may see."""
        found = await cameras.list()
        return [shown(c, who) for c in found if policy.sees_camera(who, c.id)]

    @routes.post(
        "/cameras",
        status_code=201,
        responses=CREATED | documented(409),
    )
    async def add_camera(
        camera: NewCamera, who: Manager, request: Request, response: Response
    ) -> CameraModel:
        """Add a camera. It is connected to at once, wherever the ingest role runs."""
        added = await new_camera(services.catalog, camera, services.settings)
        tell(added.id)
        trail.note(who, peer_address(request), "camera.added", added.id, **_told(added))
        response.headers["Location"] = f"{PREFIX}/cameras/{added.id}"
        return shown(added, who)

    @routes.get("/cameras/{camera_id}")
    async def get_camera(camera_id: str, who: Viewer) -> CameraModel:
        return shown(await cameras.get(camera_id), who)

    @routes.patch("/cameras/{camera_id}", responses=documented(409))
    async def change_camera(
        camera_id: str, change: CameraChange, who: Manager, request: Request
    ) -> CameraModel:
        """Change what is given; the camera is connected to anew."""
        changed = changed_camera(await cameras.get(camera_id), change, services.settings)
        await cameras.update(changed)
        tell(camera_id)
        fields = sorted(change.model_fields_set)
        told = _told(changed) | {"fields": fields}
        trail.note(who, peer_address(request), "camera.changed", camera_id, **told)
        return shown(changed, who)

    @routes.delete("/cameras/{camera_id}", status_code=204)
    async def remove_camera(camera_id: str, who: Manager, request: Request) -> None:
        """Remove a camera and the grants for it. Its recordings stay until they are too old."""
        await cameras.remove(camera_id)
        services.auth.access.forget()
        tell(camera_id)
        trail.note(who, peer_address(request), "camera.removed", camera_id)

    @routes.get("/states")
    async def list_states(who: CurrentPrincipal) -> list[StateModel]:
        """Where each stream stands, of the cameras that the one who asks may see."""
        seen = [c for c in await cameras.list() if policy.sees_camera(who, c.id)]
        return [services.shown(s, who) for c in seen for s in services.board.of(c).values()]

    _add_trials(routes, services)
    return routes


def _told(camera: Camera) -> dict[str, Any]:
    """For the audit trail; no address, for it may hold a password that was put there."""
    return {
        "name": camera.name,
        "enabled": camera.enabled,
        "recording": {stream.name: stream.recording.value for stream in camera.streams},
        "masks": len(camera.masks),
    }


def _add_trials(routes: APIRouter, services: ApiServices) -> None:
    settings = services.settings

    @routes.post("/cameras/probe", responses=documented(429))
    async def probe_camera(request: ProbeRequest, who: Manager) -> ProbeAnswer:
        """Connect once, as ingest would, and say what came. 422 says why nothing did."""
        url, username, password = check_camera_url(
            request.url, settings.camera_schemes, settings.loopback_http, "body.url"
        )
        body = {
            "url": url,
            "username": request.username or username,
            "password": request.password or password.reveal(),
            "transport": request.transport.value,
        }
        return await ask_ingest(services, ProbeAnswer, "probe", body, settings.probe_seconds)

    @routes.post("/cameras/discover", responses=documented(429))
    async def discover_cameras(request: DiscoverRequest, who: Manager) -> Devices:
        """Ask the local network (WS-Discovery) which ONVIF devices there are."""
        limit = request.timeout_s + 10.0
        return await ask_ingest(services, Devices, "discover", request.model_dump(), limit)

    @routes.post("/cameras/onvif", responses=documented(429))
    async def ask_onvif(request: OnvifRequest, who: Manager) -> OnvifAnswer:
        """What an ONVIF device says of itself and its profiles."""
        check_onvif_address(request.address)
        return await ask_ingest(
            services, OnvifAnswer, "onvif", request.model_dump(), settings.probe_seconds
        )

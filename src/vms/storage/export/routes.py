"""Exports over HTTP. Each action stands in the audit trail, or does not happen."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, ConfigDict, Field

from vms.auth.http import (
    CurrentPrincipal,
    auth_services,
    authorize,
    bearer,
    current_principal,
    require,
)
from vms.auth.policy import Permission, Principal
from vms.catalog.port import Role
from vms.common.clock import Clock
from vms.common.errors import InvalidValue, NotAuthorized, NotFound
from vms.common.model.camera import Camera
from vms.common.model.evidence import ExportJob, ExportState
from vms.storage.export import spec as specs
from vms.storage.export.download import Downloads, NotReady
from vms.storage.export.service import ExportService
from vms.storage.export.spec import MAX_CAMERAS, Burn, Format, Spec
from vms.storage.view import MAX_MS, MILLISECOND, PREFIX, BadSpan, MediaToken, check_span

_ID = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
CameraId = Annotated[str, Field(min_length=1, max_length=40, pattern=_ID)]
_AHEAD_MS = 60_000
# No camera is called so: a token of a camera opens no export, nor the other way about.
_NAMED = "export/"


class BurnWish(BaseModel):
    """What is written into the pictures, which are encoded anew for it."""

    model_config = ConfigDict(extra="forbid")
    time: bool = False
    name: bool = False
    watermark: bool = Field(default=False, description="Who exported it, and the export's id.")


class ExportWish(BaseModel):
    """What to export. Times are epoch milliseconds."""

    model_config = ConfigDict(extra="forbid")
    cameras: list[CameraId] = Field(min_length=1, max_length=MAX_CAMERAS)
    start: int = Field(ge=0, lt=MAX_MS)
    end: int = Field(ge=0, lt=MAX_MS)
    stream: CameraId = "main"
    format: Format = Field(
        default=Format.MP4,
        description="mp4 plays anywhere; mkv is the recording's very bytes; case is a ZIP that "
        "can be verified. Several files that are no case come in a ZIP.",
    )
    exact: bool = Field(
        default=False,
        description="Cut at the very pictures (MP4 with an edit list: the file holds, and does "
        "not show, what lies between the key picture ahead of the start and the start).",
    )
    audio: bool = True
    burn: BurnWish = BurnWish()
    zone: str = Field(
        default="UTC", pattern=r"^[A-Za-z0-9_+/-]{1,64}$", description="Of burned-in times (IANA)."
    )
    masks: bool = Field(
        default=True, description="False needs the permission to see behind privacy masks."
    )
    reason: str = Field(default="", max_length=500, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")


class ExportFileModel(BaseModel):
    """A file in the export. `start` and `end` are what it shows, epoch milliseconds."""

    name: str
    camera: str
    start: int
    end: int
    size: int
    sha256: str


class MissingModel(BaseModel):
    """A span that no file shows, epoch milliseconds."""

    camera: str
    start: int
    end: int


class ExportModel(BaseModel):
    """An export. `size` is an estimate until it is done; `created`, `expires` epoch ms."""

    id: str
    state: ExportState
    progress: float = Field(description="0 to 1")
    error: str
    size: int
    created: int
    expires: int | None
    owner: str
    spec: dict[str, Any]
    name: str = Field(description="What the file is called; empty until it is done.")
    files: list[ExportFileModel] = Field(description="At most 200; `count` says how many.")
    count: int
    missing: list[MissingModel]
    problems: list[str]

    @classmethod
    def of(cls, job: ExportJob) -> ExportModel:
        spec = {name: value for name, value in job.spec.items() if name != "about"}
        result = job.result if job.state is ExportState.DONE else {}
        return cls(
            id=job.id, state=job.state, progress=job.progress, error=job.error, size=job.size,
            created=job.created_ns // MILLISECOND, owner=job.owner_name, spec=spec,
            expires=None if job.expires_ns is None else job.expires_ns // MILLISECOND,
            name=result.get("name", ""), files=result.get("files", []),
            count=result.get("count", 0), missing=result.get("missing", []),
            problems=result.get("problems", []),
        )  # fmt: skip


class ExportList(BaseModel):
    """The newest first."""

    exports: list[ExportModel]


class EvidenceKey(BaseModel):
    """The key that cases are signed with: Ed25519. Publish the fingerprint."""

    algorithm: Literal["ed25519"] = "ed25519"
    fingerprint: str = Field(description="SHA-256 of the public key, in hex.")
    public_key: str = Field(description="Base64 of its 32 bytes.")


class FileToken(BaseModel):
    """`expires` in epoch milliseconds."""

    token: str
    expires: int


async def _exporter(request: Request, principal: CurrentPrincipal) -> Principal:
    """One whose role may export at all; which cameras, each route asks."""
    policy = auth_services(request).policy
    if not policy.has(principal, Permission.EXPORT):
        policy.require(principal, Permission.EXPORT)
    return principal


async def _fetcher(
    request: Request,
    export_id: str,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
    token: MediaToken = None,
) -> Principal:
    """By the header as everywhere, or by a token: a browser that saves a file sends no header."""
    if token is None or (credentials is not None and credentials.credentials):
        return await _exporter(request, await current_principal(request, credentials))
    services = auth_services(request)
    claims = services.media.check(token, _NAMED + export_id)
    return await _exporter(request, await services.access.renewed(claims.holder()))


Exporter = Annotated[Principal, Depends(_exporter)]
Fetcher = Annotated[Principal, Depends(_fetcher)]


def router(service: ExportService, clock: Clock) -> APIRouter:
    """All routes of exports, `/api/v1` included."""
    routes = APIRouter(prefix=PREFIX, tags=["exports"])
    _add_key(routes, service)
    _add_jobs(routes, service, clock)
    _add_one(routes, service)
    _add_file(routes, service, Downloads(service.settings, clock))
    return routes


def _add_key(routes: APIRouter, service: ExportService) -> None:
    @routes.get("/system/evidence-key", dependencies=[require(Permission.VIEW_SYSTEM)])
    async def get_evidence_key() -> EvidenceKey:
        """The key that this system signs cases with."""
        fingerprint, public = await service.fingerprint()
        return EvidenceKey(fingerprint=fingerprint, public_key=base64.b64encode(public).decode())


def _add_jobs(routes: APIRouter, service: ExportService, clock: Clock) -> None:
    @routes.post(
        "/exports",
        status_code=202,
        responses={
            404: {
                "description": "One of the cameras is not there.",
                "content": {"application/problem+json": {}},
            }
        },
    )
    async def add_export(request: Request, who: Exporter, wish: ExportWish) -> ExportModel:
        """Ask for footage as files. All cameras named must be allowed, or nothing is made."""
        cameras = await _cameras(request, who, wish.cameras, masks=wish.masks)
        spec = _spec(wish, clock, service.settings.export_max_days, cameras)
        job = await service.prepare(
            who.user_id, who.name, spec, {camera.id: camera for camera in cameras}
        )
        await _note(
            request, who, job, "export.created", format=spec.format.value, reason=spec.reason,
            masks=spec.masks,
        )  # fmt: skip
        await service.submit(job)
        return ExportModel.of(job)

    @routes.get("/exports")
    async def list_exports(
        request: Request, who: Exporter, limit: Annotated[int, Query(ge=1, le=1000)] = 200
    ) -> ExportList:
        """One's own exports; administrators see all."""
        owner = None if who.role is Role.ADMINISTRATOR else who.user_id
        jobs = await auth_services(request).catalog.exports.list(owner, limit)
        return ExportList(exports=[ExportModel.of(job) for job in jobs])


def _add_one(routes: APIRouter, service: ExportService) -> None:
    @routes.get("/exports/{export_id}")
    async def get_export(request: Request, who: Exporter, export_id: str) -> ExportModel:
        return ExportModel.of(await _job(request, who, export_id))

    @routes.post("/exports/{export_id}/cancel")
    async def cancel_export(request: Request, who: Exporter, export_id: str) -> ExportModel:
        """End it at once; nothing is left of it. One that is over stays as it is."""
        job = await _job(request, who, export_id)
        await _note(request, who, job, "export.cancelled")
        return ExportModel.of(await service.cancel(job.id))

    @routes.delete("/exports/{export_id}", status_code=204)
    async def delete_export(request: Request, who: Exporter, export_id: str) -> Response:
        """Delete the file and all that is known of it but the audit trail."""
        job = await _job(request, who, export_id)
        await _note(request, who, job, "export.deleted")
        await service.remove(job.id)
        return Response(status_code=204)


def _add_file(routes: APIRouter, service: ExportService, downloads: Downloads) -> None:
    binary = {"schema": {"type": "string", "format": "binary"}}

    @routes.post("/exports/{export_id}/token", responses={409: {"description": "It is not done."}})
    async def make_export_token(request: Request, who: Exporter, export_id: str) -> FileToken:
        """A token for whatever fetches the file by its address alone: for this export, for an
        hour at most, and for no longer than the one who asks may export."""
        _done(await _job(request, who, export_id))
        token, expires = auth_services(request).media.issue(who, _NAMED + export_id, 0, 0)
        return FileToken(token=token, expires=expires)

    @routes.get(
        "/exports/{export_id}/file",
        response_class=Response,
        responses={
            200: {"content": {"application/octet-stream": binary}},
            206: {"content": {"application/octet-stream": binary}},
            409: {"description": "It is not done."},
            416: {"description": "The range lies outside of the file."},
            503: {"description": "Too many are being fetched."},
        },
    )
    async def get_export_file(
        request: Request,
        who: Fetcher,
        export_id: str,
        name: Annotated[
            str | None, Query(max_length=200, description="Only this file of the ZIP.")
        ] = None,
    ) -> Response:
        """The export's file, with ranges of bytes."""
        job = await _job(request, who, export_id)
        for camera in specs.parse(job.spec).cameras:
            _still(request, who, camera)
        _done(job)
        if downloads.is_new(who, job.id, name):
            await _note(request, who, job, "export.downloaded", file=name or job.result["name"])
            downloads.noted(who, job.id, name)
        return await downloads.answer(request, job, service.file(job), name)


async def _cameras(
    request: Request, who: Principal, wanted: Sequence[str], *, masks: bool
) -> list[Camera]:
    services = auth_services(request)
    found = []
    for identity in dict.fromkeys(wanted):
        await authorize(services, who, Permission.EXPORT, identity)
        if not masks:
            await authorize(services, who, Permission.UNMASK, identity)
        found.append(await services.catalog.cameras.get(identity))
    return found


def _spec(wish: ExportWish, clock: Clock, most_days: float, cameras: Sequence[Camera]) -> Spec:
    check_span(wish.start, wish.end, most_days * 86_400)
    now_ms = clock.now_ns() // MILLISECOND
    if wish.end > now_ms + _AHEAD_MS:
        raise BadSpan("the span ends in the future: nothing is recorded there yet")
    burn = wish.burn
    try:
        ZoneInfo(wish.zone)
    except (KeyError, ValueError, OSError):
        raise BadSpan(f"time zone {wish.zone!r} is not known; use a name like UTC") from None
    spec = Spec(
        tuple(camera.id for camera in cameras), wish.start * MILLISECOND,
        min(wish.end, now_ms) * MILLISECOND, wish.stream, wish.format, wish.exact, wish.audio,
        Burn(burn.time, burn.name, burn.watermark, wish.zone), wish.masks, wish.reason,
    )  # fmt: skip
    check_span(spec.start_ns // MILLISECOND, spec.end_ns // MILLISECOND, most_days * 86_400)
    masked = [camera.id for camera in cameras if camera.masks and wish.masks]
    if masked and spec.format is Format.MKV:
        raise InvalidValue(
            f"camera {masked[0]!r} has privacy masks, which an mkv of the recording's very bytes "
            "cannot have; choose the format mp4 or case"
        )
    return spec


async def _job(request: Request, who: Principal, identity: str) -> ExportJob:
    """Raises NotFound also where it is another's."""
    if len(identity) > 60 or not (identity.isascii() and identity.isalnum()):
        raise NotFound(f"no export {identity[:60]!r}")
    job = await auth_services(request).catalog.exports.get(identity)
    if who.role is not Role.ADMINISTRATOR and job.owner_id != who.user_id:
        raise NotFound(f"no export {identity[:60]!r}")
    return job


def _done(job: ExportJob) -> None:
    if job.state is not ExportState.DONE:
        raise NotReady(f"the export is {job.state.value}; only one that is done can be fetched")


def _still(request: Request, who: Principal, camera: str) -> None:
    """Also of cameras that are gone. Raises NotAuthorized."""
    if not auth_services(request).policy.allows(who, Permission.EXPORT, camera):
        raise NotAuthorized(f"{who.name} may no longer export camera {camera!r}")


async def _note(
    request: Request, who: Principal, job: ExportJob, action: str, **detail: Any
) -> None:
    """One entry for each camera, on the disk before anything happens. Raises CatalogError."""
    spec = specs.parse(job.spec)
    address = request.client.host if request.client else ""
    trail = auth_services(request).audit
    for camera in spec.cameras:
        await trail.note_now(
            who, address, action, camera, spec.start_ns, spec.end_ns, export=job.id, **detail
        )

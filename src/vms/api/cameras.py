"""From what a client sends to a Camera: ids from names, credentials out of addresses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from vms.api.models import CameraChange, NewCamera, StreamInput
from vms.api.problems import RequestRefused, refuse_nulls
from vms.api.settings import ApiSettings
from vms.api.urls import check_camera_url, check_onvif_address
from vms.catalog.port import Catalog
from vms.common.errors import Conflict
from vms.common.model.camera import Camera, StreamConfig
from vms.common.secret import Secret

_LONGEST = 40
_TRIES = 1000


def slug(name: str) -> str:
    """An id for a name: 'Câmera do Portão' gives 'camera-do-portao'; never empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST].strip("-") or "camera"


async def new_camera(catalog: Catalog, wanted: NewCamera, settings: ApiSettings) -> Camera:
    """Add it and return it as added. Raises RequestRefused, Conflict (given id is taken)."""
    streams, username, password = _streams(wanted.streams, settings)
    camera = Camera(
        id=wanted.id or slug(wanted.name),
        name=wanted.name,
        streams=streams,
        username=wanted.username or username,
        password=Secret(wanted.password) if wanted.password else password,
        enabled=wanted.enabled,
        masks=tuple(mask.mask() for mask in wanted.masks),
        onvif=_onvif(wanted.onvif),
    )
    if wanted.id:
        await catalog.cameras.add(camera)
        return camera
    base = camera.id
    for number in range(1, _TRIES):
        ending = f"-{number}" if number > 1 else ""
        camera = replace(camera, id=base[: _LONGEST - len(ending)].rstrip("-") + ending)
        # An id that has footage belonged to another camera, which others were granted.
        if (await catalog.segments.totals(camera.id)).segments:
            continue
        try:
            await catalog.cameras.add(camera)
        except Conflict:
            continue
        return camera
    raise Conflict(f"no id is free for the name {wanted.name!r}; give one")


def changed_camera(camera: Camera, change: CameraChange, settings: ApiSettings) -> Camera:
    """`camera` with what `change` gives. Raises RequestRefused."""
    refuse_nulls(change)
    changed = camera
    if change.streams is not None:
        streams, username, password = _streams(change.streams, settings)
        changed = replace(changed, streams=streams)
        if username:
            changed = replace(changed, username=username, password=password)
    if change.masks is not None:
        changed = replace(changed, masks=tuple(mask.mask() for mask in change.masks))
    if change.onvif is not None:
        changed = replace(changed, onvif=_onvif(change.onvif))
    if change.name is not None:
        changed = replace(changed, name=change.name)
    if change.enabled is not None:
        changed = replace(changed, enabled=change.enabled)
    if change.username is not None:
        changed = replace(changed, username=change.username)
    if change.password is not None:
        changed = replace(changed, password=Secret(change.password))
    return changed


def _onvif(address: str) -> str:
    if address:
        check_onvif_address(address, "body.onvif")
    return address


def _streams(
    inputs: Sequence[StreamInput], settings: ApiSettings
) -> tuple[tuple[StreamConfig, ...], str, Secret]:
    names = [stream.name for stream in inputs]
    if len(set(names)) != len(names):
        raise RequestRefused("two streams have one name", field="body.streams")
    found: list[StreamConfig] = []
    credentials: set[tuple[str, Secret]] = set()
    for number, stream in enumerate(inputs):
        url, username, password = check_camera_url(
            stream.url,
            settings.camera_schemes,
            settings.loopback_http,
            f"body.streams.{number}.url",
        )
        found.append(stream.config(url))
        if username:
            credentials.add((username, password))
    if len(credentials) > 1:
        raise RequestRefused(
            "the addresses hold different user names or passwords; a camera has one pair",
            field="body.streams",
        )
    username, password = next(iter(credentials), ("", Secret("")))
    return tuple(found), username, password

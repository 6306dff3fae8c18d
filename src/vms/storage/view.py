"""Who looks at recordings, and what of the picture they may see: what each route asks first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials

from vms.auth.http import auth_services, authorize, bearer, current_principal, require
from vms.auth.policy import Permission, Principal
from vms.auth.services import AuthServices
from vms.common.errors import NotAuthorized, VmsError
from vms.storage.masking import Outline

PREFIX = "/api/v1"
MILLISECOND = 1_000_000
MAX_MS = 1 << 43
_LEAD_MS = 120_000
"""A part may begin this much ahead of the span a token is for: with its key picture."""

Viewer = Annotated[Principal, require(Permission.VIEW_PLAYBACK)]
StreamName = Annotated[
    str, Query(pattern="^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$", description="Name of the stream.")
]
Start = Annotated[int, Query(ge=0, lt=MAX_MS, description="Epoch milliseconds.")]
MediaToken = Annotated[
    str | None,
    Query(description="A media token, for players that cannot send headers.", max_length=2048),
]


class BadSpan(VmsError):
    """A span that cannot be asked for."""

    http_status = 422


def check_span(start_ms: int, end_ms: int, longest_s: float) -> None:
    """Raises BadSpan where it ends before it begins, or is too long."""
    if end_ms <= start_ms:
        raise BadSpan("the span ends before it begins: 'end' must be later than 'start'")
    if end_ms - start_ms > longest_s * 1000:
        raise BadSpan(
            f"a span of {(end_ms - start_ms) / 1000:.0f} s; at most {longest_s:.0f} s are given "
            "at once: ask for a shorter one"
        )


@dataclass(frozen=True, slots=True)
class View:
    """One who may look, and `masks`: what they may not see. `token`: how they came, if so."""

    who: Principal
    masks: Sequence[Outline]
    lifted: bool
    """Whether there are masks that they see behind."""
    token: str = ""


async def _seen_by(request: Request, who: Principal, camera_id: str, token: str = "") -> View:
    services: AuthServices = auth_services(request)
    masks = await services.catalog.cameras.masks(camera_id)
    lifted = services.policy.allows(who, Permission.UNMASK, camera_id)
    return View(who, () if lifted else masks, bool(masks) and lifted, token)


async def _view(request: Request, camera_id: str, who: Viewer) -> View:
    return await _seen_by(request, who, camera_id)


async def _media_view(
    request: Request,
    camera_id: str,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
    token: MediaToken = None,
) -> View:
    """By the header as everywhere, or by a media token. Raises as `require`."""
    services = auth_services(request)
    if token is None or (credentials is not None and credentials.credentials):
        who = await current_principal(request, credentials)
        await authorize(services, who, Permission.VIEW_PLAYBACK, camera_id)
        return await _seen_by(request, who, camera_id)
    claims = services.media.check(token, camera_id)
    who = await services.access.renewed(claims.holder())
    await authorize(services, who, Permission.VIEW_PLAYBACK, camera_id)
    request.state.media_span = claims.start_ms, claims.end_ms
    return await _seen_by(request, who, camera_id, token)


CameraView = Annotated[View, Depends(_view)]
MediaView = Annotated[View, Depends(_media_view)]


def check_token_span(request: Request, start_ms: int, end_ms: int, lead_ms: int = 0) -> None:
    """Raises NotAuthorized where a media token was sent that is for another span."""
    span: tuple[int, int] | None = getattr(request.state, "media_span", None)
    if span is not None and not (span[0] - lead_ms <= start_ms and end_ms <= span[1] + lead_ms):
        raise NotAuthorized("the media token is for another span; ask for one for this span")


def check_part_span(request: Request, start_ms: int, end_ms: int) -> None:
    """As `check_token_span`, for a part: whole groups reach a little over the span's ends."""
    check_token_span(request, start_ms, end_ms, _LEAD_MS)


def note(
    request: Request, view: View, action: str, camera_id: str, start_ns: int, end_ns: int,
    **detail: Any,
) -> None:  # fmt: skip
    """Let the audit trail know of a view."""
    if view.lifted:
        detail["unmasked"] = True
    address = request.client.host if request.client else ""
    trail = auth_services(request).audit
    trail.note(view.who, address, action, camera_id, start_ns, end_ns, **detail)

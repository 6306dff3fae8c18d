"""Locks and bookmarks: footage that nothing deletes. No hold is made, changed or released
without its entry in the audit trail."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from vms.api.models_evidence import MILLISECOND, HoldChange, HoldModel, NewHolds, Reason, floor_ms
from vms.api.problems import RequestRefused, documented
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.api.spans import check_span
from vms.api.text import Identifier
from vms.auth.http import CurrentPrincipal, auth_services, authorize, peer_address
from vms.auth.policy import Permission, Principal
from vms.common.errors import Conflict, NotFound
from vms.common.model.evidence import Hold, HoldKind

_DAY_NS = 86_400 * 1_000_000_000
_MOST = 10_000


async def _holder(request: Request, who: CurrentPrincipal) -> Principal:
    """One whose role lets them hold footage; of which cameras is asked for each."""
    policy = auth_services(request).policy
    if not policy.has(who, Permission.HOLD):
        policy.require(who, Permission.HOLD)
    return who


Holder = Annotated[Principal, Depends(_holder)]


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["evidence"])
    holds, policy, trail = services.catalog.holds, services.auth.policy, services.auth.audit

    async def found(hold_id: str, who: Principal) -> Hold:
        hold = await holds.get(hold_id)
        if not policy.allows(who, Permission.HOLD, hold.camera):
            raise NotFound(f"no hold {hold_id[:60]!r}")
        return hold

    @routes.get("/holds")
    async def list_holds(
        who: Holder,
        camera: Annotated[Identifier | None, Query()] = None,
        kind: Annotated[HoldKind | None, Query()] = None,
        all_: Annotated[
            bool, Query(alias="all", description="Also those that are released or past.")
        ] = False,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 1000,
    ) -> list[HoldModel]:
        """Holds on the cameras that the one who asks may hold footage of, the newest first."""
        at_ns = None if all_ else services.clock.now_ns()
        listed = [
            hold
            for hold in await holds.list(camera, at_ns, kind)
            if policy.allows(who, Permission.HOLD, hold.camera)
        ]
        listed.sort(key=lambda hold: hold.created_ns, reverse=True)
        return [HoldModel.of(hold) for hold in listed[:limit]]

    @routes.post("/holds", status_code=201, responses=documented(404))
    async def add_holds(body: NewHolds, who: Holder, request: Request) -> list[HoldModel]:
        """Hold footage of each camera; of all of them or, where one is refused, of none."""
        made = _made(body, who, services.clock.now_ns())
        for hold in made:
            await authorize(services.auth, who, Permission.HOLD, hold.camera)
        for hold in made:
            await trail.note_now(
                who, peer_address(request), "hold.added", hold.camera, hold.start_ns, hold.end_ns,
                **_told(hold),
            )  # fmt: skip
        await holds.add_many(made)
        return [HoldModel.of(hold) for hold in made]

    @routes.get("/holds/{hold_id}")
    async def get_hold(hold_id: str, who: Holder) -> HoldModel:
        return HoldModel.of(await found(hold_id, who))

    @routes.patch("/holds/{hold_id}", responses=documented(409))
    async def change_hold(
        hold_id: str, change: HoldChange, who: Holder, request: Request
    ) -> HoldModel:
        """Change the reason, the end, or how long it is in force."""
        hold = await found(hold_id, who)
        if hold.released_ns is not None:
            raise Conflict("the hold is released; make another")
        changed = _changed(hold, change, services.clock.now_ns())
        await trail.note_now(
            who, peer_address(request), "hold.changed", hold.camera,
            changed.start_ns, changed.end_ns, **_told(changed), before=_told(hold),
        )  # fmt: skip
        await holds.update(changed)
        return HoldModel.of(changed)

    @routes.delete("/holds/{hold_id}")
    async def release_hold(
        hold_id: str,
        who: Holder,
        request: Request,
        reason: Annotated[Reason | None, Query(description="Why it is released.")] = None,
    ) -> HoldModel:
        """Release it: the footage may be deleted once its rule says so. The hold stays to be
        seen; one that is released already stays as it was."""
        hold = await found(hold_id, who)
        if hold.released_ns is not None:
            return HoldModel.of(hold)
        told = _told(hold) | ({"released_for": reason} if reason else {})
        await trail.note_now(
            who, peer_address(request), "hold.released", hold.camera,
            hold.start_ns, hold.end_ns, **told,
        )  # fmt: skip
        return HoldModel.of(await holds.release(hold_id, services.clock.now_ns(), who.name))

    return routes


def _made(body: NewHolds, who: Principal, now_ns: int) -> list[Hold]:
    if len(set(body.cameras)) != len(body.cameras):
        raise RequestRefused("a camera is named twice", field="body.cameras")
    start_ns, end_ns = body.start * MILLISECOND, body.end * MILLISECOND
    until_ns = None if body.until is None else body.until * MILLISECOND
    _check(start_ns, end_ns, until_ns, now_ns)
    return [
        Hold(
            id=f"hold-{secrets.token_hex(8)}",
            camera=camera,
            kind=body.kind,
            start_ns=start_ns,
            end_ns=end_ns,
            reason=body.reason,
            owner_id=who.user_id,
            owner_name=who.name,
            created_ns=now_ns,
            until_ns=until_ns,
        )
        for camera in body.cameras
    ]


def _changed(hold: Hold, change: HoldChange, now_ns: int) -> Hold:
    given = change.model_fields_set
    for name in ("reason", "end"):
        if name in given and getattr(change, name) is None:
            raise RequestRefused("null is no value here", field=f"body.{name}")
    changed = hold
    if change.reason is not None:
        changed = replace(changed, reason=change.reason)
    if change.end is not None:
        changed = replace(changed, end_ns=change.end * MILLISECOND)
        check_span(changed.start_ns, changed.end_ns, "body.end")
    if "until" in given:
        until = None if change.until is None else change.until * MILLISECOND
        changed = replace(changed, until_ns=until)
    until_ns = changed.until_ns if "until" in given else None
    _check(changed.start_ns, changed.end_ns, until_ns, now_ns)
    return changed


def _check(start_ns: int, end_ns: int, until_ns: int | None, now_ns: int) -> None:
    check_span(start_ns, end_ns, "body.end")
    if end_ns > now_ns + _DAY_NS:
        raise RequestRefused("the end is more than a day in the future", field="body.end")
    if until_ns is not None and until_ns <= now_ns:
        raise RequestRefused("it would be over at once: 'until' is past", field="body.until")


def _told(hold: Hold) -> dict[str, Any]:
    until = None if hold.until_ns is None else floor_ms(hold.until_ns)
    return {
        "hold": hold.id, "kind": hold.kind.value, "reason": hold.reason,
        "end": floor_ms(hold.end_ns), "until": until,
    }  # fmt: skip

"""Where recordings lie, how long they are kept, and what of them was missed.

Disks are the storage role's: it is asked by the bus, and answers with what it knows already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from vms.api.models import Taken
from vms.api.problems import RequestRefused
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.api.text import Identifier, Moment, parse_moment
from vms.auth.http import require
from vms.auth.policy import Permission, Principal
from vms.bus import subjects
from vms.common.errors import BusError, NoResponder, VmsError
from vms.common.model.evidence import ANY_CAMERA, Gap, GapCause, LedgerDay, RetentionRule
from vms.common.model.messages import Command

SystemViewer = Annotated[Principal, require(Permission.VIEW_SYSTEM)]
Manager = Annotated[Principal, require(Permission.MANAGE_STORAGE)]
Viewer = Annotated[Principal, require(Permission.VIEW_PLAYBACK)]

_MS = 1_000_000
_NS = 1_000_000_000
_LIMIT_S = 4.0
_MAX_RANGE_NS = 400 * 86_400 * _NS
_MOST_RULES = 10_000
_MOST_KINDS = 100
Kind = Annotated[str, Field(pattern=r"^(\*|[a-z0-9-]{1,40})$")]
Days = Annotated[float, Field(gt=0, le=36_500)]


class StoredVolumeModel(BaseModel):
    """Sizes are in bytes; `floor` stays free. `problem` is a sentence, empty where all is well."""

    name: str
    path: str
    tier: str = Field(description="fast: recorded to; archive: takes what has grown old")
    state: str = Field(description="ok, full, failed or missing")
    problem: str
    total: int
    free: int
    floor: int
    used: int = Field(description="by recordings")


class StoredStreamModel(BaseModel):
    """`oldest` and `newest` are epoch milliseconds; `mode` is off where it is not recorded."""

    stream: str
    bytes: int
    bytes_per_day: int
    oldest: int | None
    newest: int | None
    mode: str
    recording: bool
    reason: str


class StoredCameraModel(BaseModel):
    camera: str
    streams: list[StoredStreamModel]
    promised_days: float | None = Field(description="null: until the room is needed")
    forecast_days: float | None = Field(description="null: not known")
    warning: str


class AlarmModel(BaseModel):
    """`subject`: the volume or the camera it is about; `since` in epoch milliseconds."""

    kind: str
    subject: str
    text: str
    since: int


class StorageModel(BaseModel):
    volumes: list[StoredVolumeModel]
    cameras: list[StoredCameraModel]
    alarms: list[AlarmModel]


class RuleModel(Taken):
    """How long footage stays. `days` null: until its room is needed. `event_days`: kind of
    event to days, "*" for any, where that is longer. `max_bytes` and `share` (0 to 1 of all
    volumes) are ceilings: beyond them the oldest goes first."""

    days: Days | None = None
    max_bytes: Annotated[int, Field(gt=0, lt=2**63)] | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    event_days: dict[Kind, Days] = Field(default_factory=dict, max_length=_MOST_KINDS)

    @classmethod
    def of(cls, rule: RetentionRule) -> RuleModel:
        return cls(
            days=rule.days,
            max_bytes=rule.max_bytes,
            share=rule.share,
            event_days=dict(rule.event_days),
        )

    def rule(self, camera: str) -> RetentionRule:
        return RetentionRule(camera, self.days, self.max_bytes, self.share, dict(self.event_days))


class RetentionModel(Taken):
    """`default` holds for all cameras without a rule of their own."""

    default: RuleModel
    cameras: dict[Identifier, RuleModel] = Field(default_factory=dict, max_length=_MOST_RULES)


class CoverageModel(BaseModel):
    """Of one stream: seconds that should have been recorded, that were, and what was missed by
    its cause. `percent` null: nothing was expected."""

    camera: str
    stream: str
    expected_s: float
    recorded_s: float
    percent: float | None
    by_cause: dict[str, float]


class CoveragesModel(BaseModel):
    cameras: list[CoverageModel]


class MissedModel(BaseModel):
    """`end` null: it lasts."""

    stream: str
    start: int
    end: int | None
    cause: GapCause
    detail: str

    @classmethod
    def of(cls, gap: Gap) -> MissedModel:
        end = None if gap.end_ns is None else -(-gap.end_ns // _MS)
        return cls(
            stream=gap.stream,
            start=gap.start_ns // _MS,
            end=end,
            cause=gap.cause,
            detail=gap.detail,
        )


class GapsModel(BaseModel):
    gaps: list[MissedModel]


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["storage"])
    _add_overview(routes, services)
    _add_retention(routes, services)
    _add_missed(routes, services)
    return routes


def _add_overview(routes: APIRouter, services: ApiServices) -> None:
    @routes.get("/storage")
    async def get_storage(who: SystemViewer) -> StorageModel:
        """Volumes, what each camera has on them and was promised, and alarms; of the cameras
        that one may play back. An alarm of kind `storage` says where nobody answers."""
        found = await _asked(services)
        known = {camera.id for camera in await services.catalog.cameras.list()}

        def visible(camera: str) -> bool:
            return services.auth.policy.allows(who, Permission.VIEW_PLAYBACK, camera)

        return StorageModel(
            volumes=found.volumes,
            cameras=[one for one in found.cameras if visible(one.camera)],
            alarms=[a for a in found.alarms if a.subject not in known or visible(a.subject)],
        )


async def _asked(services: ApiServices) -> StorageModel:
    """What the storage role says, within a few seconds."""
    try:
        reply = await services.bus.request(
            subjects.STORAGE_COMMANDS, Command("storage"), timeout=_LIMIT_S
        )
        if reply.error:
            raise VmsError(reply.error)
        return StorageModel.model_validate(reply.body)
    except NoResponder:
        text = "no storage role runs, so nothing is recorded; start it"
    except BusError:
        text = "the storage role does not answer; check that it runs"
    except ValueError:
        text = "the storage role answers what this version cannot read; let both be of one version"
    except VmsError as error:
        text = str(error)
    now = services.clock.now_ns() // _MS
    alarm = AlarmModel(kind="storage", subject="storage", text=text, since=now)
    return StorageModel(volumes=[], cameras=[], alarms=[alarm])


def _add_retention(routes: APIRouter, services: ApiServices) -> None:
    rules = services.catalog.retention
    changing = asyncio.Lock()

    async def read() -> RetentionModel:
        found = await rules.list()
        default = found.pop(ANY_CAMERA, None) or RetentionRule(ANY_CAMERA, services.retention_days)
        return RetentionModel(
            default=RuleModel.of(default),
            cameras={camera: RuleModel.of(rule) for camera, rule in sorted(found.items())},
        )

    @routes.get("/storage/retention")
    async def get_retention(who: SystemViewer) -> RetentionModel:
        """How long footage is kept: the rule of all, and those of single cameras."""
        found = await read()
        allows = services.auth.policy.allows
        found.cameras = {
            camera: rule
            for camera, rule in found.cameras.items()
            if allows(who, Permission.VIEW_PLAYBACK, camera)
        }
        return found

    @routes.put("/storage/retention")
    async def put_retention(
        request: Request, who: Manager, wanted: RetentionModel
    ) -> RetentionModel:
        """Replace all rules. Footage that nothing promises any more is deleted soon after."""
        async with changing:
            before = await rules.list()
            new = {camera: rule.rule(camera) for camera, rule in wanted.cameras.items()}
            await _check_cameras(services, new.keys() - before.keys())
            new[ANY_CAMERA] = wanted.default.rule(ANY_CAMERA)
            changed = {camera for camera in new if before.get(camera) != new[camera]}
            gone = before.keys() - new.keys()
            # What shortens the life of evidence may not happen without its entry.
            address = request.client.host if request.client else ""
            for camera in sorted(changed | gone):
                await services.auth.audit.note_now(
                    who, address, "retention.changed", "" if camera == ANY_CAMERA else camera,
                    before=_said(before.get(camera)), after=_said(new.get(camera)),
                )  # fmt: skip
            for camera in sorted(changed):
                await rules.put(new[camera])
            for camera in sorted(gone):
                await rules.remove(camera)
            return await read()


async def _check_cameras(services: ApiServices, cameras: Iterable[str]) -> None:
    """Raises RequestRefused for one that there is not."""
    known = {camera.id for camera in await services.catalog.cameras.list()}
    for camera in sorted(cameras):
        if camera not in known:
            raise RequestRefused(f"there is no camera {camera!r}", field=f"body.cameras.{camera}")


def _said(rule: RetentionRule | None) -> Mapping[str, Any] | None:
    return None if rule is None else RuleModel.of(rule).model_dump()


def _add_missed(routes: APIRouter, services: ApiServices) -> None:
    gaps = services.catalog.gaps

    @routes.get("/storage/coverage")
    async def get_coverage(
        who: SystemViewer,
        month: Annotated[
            str, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="As 2026-11; by UTC.")
        ],
    ) -> CoveragesModel:
        """What should have been recorded in a month and what was, of each stream."""
        days = await gaps.ledger(None, f"{month}-01", f"{month}-31")
        allows = services.auth.policy.allows
        return CoveragesModel(
            cameras=[
                one for one in coverage(days) if allows(who, Permission.VIEW_PLAYBACK, one.camera)
            ]
        )

    @routes.get("/cameras/{camera_id}/gaps")
    async def list_gaps(
        camera_id: Annotated[str, Path()],
        start: Moment,
        end: Moment,
        who: Viewer,
        stream: Annotated[Identifier | None, Query(description="Left out: of all.")] = None,
    ) -> GapsModel:
        """What should have been recorded within [start, end) and was not, with its cause; at
        most 400 days, and the first 10,000 of them."""
        start_ns, end_ns = parse_moment(start, "query.start"), parse_moment(end, "query.end")
        if end_ns <= start_ns:
            raise RequestRefused("the end must come after the start", field="query.end")
        if end_ns - start_ns > _MAX_RANGE_NS:
            raise RequestRefused("the range is longer than 400 days", field="query.end")
        found = await gaps.spans(camera_id, stream, start_ns, end_ns)
        # One that ends where it began was none after all.
        return GapsModel(gaps=[MissedModel.of(gap) for gap in found if gap.end_ns != gap.start_ns])


def coverage(days: Iterable[LedgerDay]) -> list[CoverageModel]:
    """The days of each stream together, by camera and stream."""
    totals: dict[tuple[str, str], dict[str, int]] = {}
    for day in days:
        total = totals.setdefault((day.camera, day.stream), {"expected": 0, "missed": 0})
        total["expected"] += day.expected_ns
        total["missed"] += day.missed_ns
        for cause, missed in day.by_cause.items():
            total[cause] = total.get(cause, 0) + missed
    return [_coverage(*key, total) for key, total in sorted(totals.items())]


def _coverage(camera: str, stream: str, total: dict[str, int]) -> CoverageModel:
    expected = max(0, total.pop("expected"))
    missed = min(expected, max(0, total.pop("missed")))
    return CoverageModel(
        camera=camera,
        stream=stream,
        expected_s=round(expected / _NS, 3),
        recorded_s=round((expected - missed) / _NS, 3),
        percent=round(100 * (expected - missed) / expected, 4) if expected else None,
        by_cause={cause: round(ns / _NS, 3) for cause, ns in total.items() if ns > 0},
    )

"""What the routes need, handed over by the app."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import generate_latest

from vms.api.board import StateBoard
from vms.api.by_hand import EventsByHand
from vms.api.models import StateModel
from vms.api.recording import RecordingWatch
from vms.api.settings import ApiSettings
from vms.auth.policy import Permission, Principal
from vms.auth.services import AuthServices
from vms.bus.port import Bus
from vms.catalog.port import Catalog
from vms.common.clock import Clock
from vms.common.model.camera import StreamState

_ASK = "it is not recorded; an administrator sees why"


@dataclass(slots=True)
class ApiServices:
    """`volumes` are the directories this process records to; `metrics` gives the Prometheus
    text, `retention_days` is what holds where no rule was made. `board` keeps the states of
    streams, `recording` what is not recorded; both live while `vms.api.service.run` does."""

    catalog: Catalog
    bus: Bus
    auth: AuthServices
    clock: Clock
    version: str
    roles: tuple[str, ...] = ()
    volumes: tuple[Path, ...] = ()
    settings: ApiSettings = field(default_factory=ApiSettings)
    metrics: Callable[[], bytes] = generate_latest
    retention_days: float = 30.0
    board: StateBoard = field(init=False)
    recording: RecordingWatch = field(init=False)
    by_hand: EventsByHand = field(init=False)
    probes: asyncio.Semaphore = field(init=False)
    node: str = field(init=False)
    started_ns: int = field(init=False)

    def __post_init__(self) -> None:
        self.board = StateBoard(self.clock)
        self.recording = RecordingWatch(
            self.bus, self.catalog.cameras.list, self.clock, self.board.tell_again
        )
        self.by_hand = EventsByHand(self.bus, self.clock)
        self.probes = asyncio.Semaphore(self.settings.probes_at_once)
        self.node = secrets.token_hex(6)
        self.started_ns = self.clock.now_ns()

    def shown(self, state: StreamState, who: Principal) -> StateModel:
        """`state` beside what is known of its recording. Paths of disks are not for everybody."""
        why = self.recording.why_not(state.camera, state.stream)
        if why and not self.auth.policy.allows(who, Permission.VIEW_SYSTEM):
            why = _ASK
        return StateModel.of(state, why)

"""Events of simulated ONVIF devices: pull points, as the Core Specification describes them."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from vms.simulator.soap import Fault, SoapRequest, text

_MOST_POINTS = 8
_MOST_WAITING = 256
_LONGEST_S = 10.0
_LIFE_S = 60.0
_DURATION = re.compile(r"PT(?:(\d{1,5})M)?(?:(\d{1,5})S)?")


@dataclass(frozen=True, slots=True)
class State:
    """One property of a camera: a topic, what it is of, and the name of its value."""

    topic: str
    source: tuple[str, str]
    name: str


MOTION = State(
    "tns1:RuleEngine/CellMotionDetector/Motion", ("Rule", "MyMotionDetectorRule"), "IsMotion"
)


@dataclass(slots=True)
class _Point:
    camera: str
    ends: float
    waiting: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_WAITING))
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, message: str) -> None:
        self.waiting.append(message)
        self.told.set()


class PullPoints:
    """Those of all devices of one simulator. `reboot` forgets them, as a device does."""

    def __init__(self) -> None:
        self._points: dict[str, _Point] = {}
        self._states: dict[tuple[str, State], bool] = {}
        self._made = 0
        self.refuse_renewal = False

    @property
    def open(self) -> int:
        """How many subscriptions there are."""
        return len(self._points)

    def set(self, camera: str, state: State, value: bool) -> None:
        """Change a property of a camera, and tell all who listen."""
        self._states[camera, state] = value
        self._tell(camera, state, value, "Changed")

    def happen(self, camera: str, topic: str, rule: str) -> None:
        """Something that has no duration."""
        self._put(camera, _message(State(topic, ("Rule", rule), "ObjectId"), "7", ""))

    def reboot(self) -> None:
        self._points.clear()

    def _tell(self, camera: str, state: State, value: bool, operation: str) -> None:
        self._put(camera, _message(state, "true" if value else "false", operation))

    def _put(self, camera: str, message: str) -> None:
        for point in self._points.values():
            if point.camera == camera:
                point.put(message)

    async def answer(self, asked: SoapRequest, camera: str, base: str, path: str) -> str | None:
        """The body of the answer; None for operations of other services."""
        if asked.operation == "CreatePullPointSubscription":
            return self._create(asked, camera, base)
        name = path.rpartition("/")[2]
        if asked.operation not in (
            "PullMessages", "Renew", "Unsubscribe", "SetSynchronizationPoint",
        ):  # fmt: skip
            return None
        point = self._points.get(name)
        if point is None or point.camera != camera or point.ends < time.monotonic():
            self._points.pop(name, None)
            raise Fault("wsrf-rw:ResourceUnknownFault", "no such subscription")
        if asked.operation == "PullMessages":
            return await self._pull(asked, point)
        if asked.operation == "Unsubscribe":
            del self._points[name]
            return "<wsnt:UnsubscribeResponse/>"
        if asked.operation == "Renew":
            if self.refuse_renewal:
                raise Fault("ter:InvalidArgs", "renewal is not supported")
            point.ends = time.monotonic() + _seconds(asked.text("TerminationTime"), _LIFE_S)
            return f"<wsnt:RenewResponse>{_times(point.ends, 'wsnt')}</wsnt:RenewResponse>"
        self._sync(point)
        return "<tev:SetSynchronizationPointResponse/>"

    def _create(self, asked: SoapRequest, camera: str, base: str) -> str:
        now = time.monotonic()
        self._points = {k: p for k, p in self._points.items() if p.ends >= now}
        if sum(point.camera == camera for point in self._points.values()) >= _MOST_POINTS:
            raise Fault("ter:MaxPullPoints", "too many pull points", sender=False)
        self._made += 1
        ends = now + _seconds(asked.text("InitialTerminationTime"), _LIFE_S)
        self._points[str(self._made)] = _Point(camera, ends)
        return (
            "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference>"
            f"<wsa:Address>{base}/subscription/{self._made}</wsa:Address>"
            f"</tev:SubscriptionReference>{_times(ends, 'wsnt')}"
            "</tev:CreatePullPointSubscriptionResponse>"
        )

    def _sync(self, point: _Point) -> None:
        for (camera, state), value in self._states.items():
            if camera == point.camera:
                point.put(_message(state, "true" if value else "false", "Initialized"))

    async def _pull(self, asked: SoapRequest, point: _Point) -> str:
        limit = min(_LONGEST_S, _seconds(asked.text("Timeout"), 1.0))
        if not point.waiting:
            point.told.clear()
            try:
                async with asyncio.timeout(limit):
                    await point.told.wait()
            except TimeoutError:
                pass
        found = "".join(point.waiting)
        point.waiting.clear()
        body = _times(point.ends, "tev") + found
        return f"<tev:PullMessagesResponse>{body}</tev:PullMessagesResponse>"


def _message(state: State, value: str, operation: str) -> str:
    kind = f' PropertyOperation="{operation}"' if operation else ""
    name, of = state.source
    return (
        "<wsnt:NotificationMessage><wsnt:Topic "
        'Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        f"{text(state.topic)}</wsnt:Topic><wsnt:Message>"
        f'<tt:Message UtcTime="{_utc(time.time())}"{kind}>'
        f'<tt:Source><tt:SimpleItem Name="{text(name)}" Value="{text(of)}"/></tt:Source>'
        f'<tt:Data><tt:SimpleItem Name="{text(state.name)}" Value="{text(value)}"/></tt:Data>'
        "</tt:Message></wsnt:Message></wsnt:NotificationMessage>"
    )


def _times(ends: float, prefix: str) -> str:
    now = time.time()
    end = _utc(now + ends - time.monotonic())
    return (
        f"<{prefix}:CurrentTime>{_utc(now)}</{prefix}:CurrentTime>"
        f"<{prefix}:TerminationTime>{end}</{prefix}:TerminationTime>"
    )


def _utc(seconds: float) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _seconds(duration: str, otherwise: float) -> float:
    found = _DURATION.fullmatch(duration)
    if found is None:
        return otherwise
    return 60.0 * int(found[1] or 0) + int(found[2] or 0)

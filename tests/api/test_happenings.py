"""Events over HTTP: shown, and started and ended by hand as every source does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import pytest_asyncio
from tests.support.api_server import Api
from tests.support.virtual_clock import VirtualClock

from vms.api.by_hand import LONGEST_S, MAX_OPEN, EventsByHand, TooManyEvents
from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.bus.port import Delivery
from vms.common.model.evidence import Event
from vms.common.model.messages import Trigger
from vms.storage.triggers import SILENCE_S, TriggerDesk

EVENTS = "/api/v1/cameras/front/events"
S = 1_000_000_000
T0 = 1_790_000_000 * S


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


class Ear:
    """What the storage role would hear."""

    def __init__(self) -> None:
        self.told: list[Trigger] = []

    def __call__(self, delivery: Delivery) -> None:
        assert isinstance(delivery.message, Trigger)
        assert delivery.subject == subjects.events("manual", delivery.message.camera)
        self.told.append(delivery.message)


@pytest_asyncio.fixture
async def ear(api: Api) -> AsyncIterator[Ear]:
    made = Ear()
    await api.bus.subscribe(subjects.EVENTS_ALL, made)
    yield made


async def test_an_event_by_hand_is_told_again_until_it_is_ended(
    api: Api, ear: Ear, admin: httpx.AsyncClient
) -> None:
    made = await admin.post(EVENTS, json={"kind": "manual", "label": "A man at the fence"})
    assert made.status_code == 201, made.text
    event = made.json()
    assert made.headers["location"] == f"{EVENTS}/{event['id']}"
    assert (event["camera"], event["source"], event["end"]) == ("front", "manual", None)
    first = ear.told[0]
    assert (first.active, first.id, first.label) == (True, event["id"], "A man at the fence")
    api.clock.ahead += 6
    await until(lambda: len(ear.told) >= 2)
    assert ear.told[1].active
    assert (await admin.get(f"{EVENTS}/{event['id']}")).json() == event
    ended = await admin.post(f"{EVENTS}/{event['id']}/end")
    assert ended.status_code == 200, ended.text
    assert ended.json()["end"] >= event["start"]
    assert (ear.told[-1].active, ear.told[-1].id) == (False, event["id"])
    await until_noted(api, "event.ended")
    actions = [e.action for e in await api.services.catalog.audit.list(action="event")]
    assert actions == ["event.ended", "event.started"]


async def until_noted(api: Api, action: str) -> None:
    assert await api.services.auth.audit.flush()
    assert await api.services.catalog.audit.list(action=action)


async def test_an_event_with_a_duration_ends_by_itself(
    api: Api, ear: Ear, admin: httpx.AsyncClient
) -> None:
    event = (await admin.post(EVENTS, json={"kind": "manual", "duration_s": 20})).json()
    api.clock.ahead += 21
    await until(lambda: not ear.told[-1].active)
    assert ear.told[-1].id == event["id"]


async def test_only_events_by_hand_are_ended_by_hand(
    api: Api, ear: Ear, admin: httpx.AsyncClient
) -> None:
    await api.services.catalog.events.put_many(
        [
            Event("m", "front", "motion", T0, None, "onvif"),
            Event("o", "front", "manual", T0, T0 + S, "manual"),
            Event("b", "back", "manual", T0, None, "manual"),
            Event("x", "front", "manual", T0, None, "manual"),
        ]
    )
    assert (await admin.post(f"{EVENTS}/m/end")).status_code == 409
    assert (await admin.post(f"{EVENTS}/b/end")).status_code == 404
    assert (await admin.post(f"{EVENTS}/absent/end")).status_code == 404
    assert (await admin.post(f"{EVENTS}/o/end")).json()["end"] == T0 // 10**6 + 1000
    assert ear.told == []
    # Begun at another process: it hears of it, and says it no more.
    assert (await admin.post(f"{EVENTS}/x/end")).status_code == 200
    assert [(t.active, t.id) for t in ear.told] == [(False, "x")]


async def test_events_are_shown_by_span_and_kind(api: Api, vera: httpx.AsyncClient) -> None:
    await api.services.catalog.events.put_many(
        [Event(f"m{n}", "front", "motion", T0 + n * S, T0 + (n + 1) * S, "onvif") for n in range(9)]
        + [Event("p", "front", "person", T0, None, "ai", "gate", 0.5)]
        + [Event("b", "back", "person", T0, None, "ai", "zq-hidden")]
    )
    query: dict[str, str | int] = {"start": T0 // 10**6, "end": T0 // 10**6 + 60_000}
    found = (await vera.get(EVENTS, params=query)).json()
    assert len(found["events"]) == 10
    assert found["more"] is False
    few = (await vera.get(EVENTS, params=query | {"limit": 4})).json()
    assert few == {"events": found["events"][:4], "more": True}
    (person,) = (await vera.get(EVENTS, params=query | {"kind": "person"})).json()["events"]
    assert person == {
        "id": "p", "camera": "front", "kind": "person", "start": T0 // 10**6, "end": None,
        "source": "ai", "label": "gate", "score": 0.5,
    }  # fmt: skip
    assert (await vera.post(EVENTS, json={"kind": "manual"})).status_code in (403, 404)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"kind": "Motion!"}, {"kind": "x" * 41}, {"kind": "a", "label": "x" * 201},
        {"kind": "a", "duration_s": 0}, {"kind": "a", "duration_s": 3601}, {"kind": "a", "x": 1},
    ],
)  # fmt: skip
async def test_what_is_no_event_is_refused(
    api: Api, ear: Ear, admin: httpx.AsyncClient, body: dict[str, object]
) -> None:
    answer = await admin.post(EVENTS, json=body)
    assert answer.status_code == 422
    assert ear.told == []


async def test_as_many_as_one_process_keeps_and_no_more() -> None:
    clock = VirtualClock(T0)
    bus = MemoryBus()
    by_hand = EventsByHand(bus, clock)
    kept = [by_hand.start("front", "manual", "", None) for _ in range(MAX_OPEN)]
    with pytest.raises(TooManyEvents):
        by_hand.start("front", "manual", "", None)
    by_hand.end(kept[0])
    by_hand.start("front", "manual", "", None)
    clock.pass_(LONGEST_S + 1)
    by_hand.tick()
    assert all(by_hand.lasting(event.id) is None for event in kept)
    await bus.close()


async def test_the_storage_role_keeps_it_open_as_long_as_it_is_told() -> None:
    """Two processes of the API, and the desk that opens and closes events."""
    clock, bus = VirtualClock(T0), MemoryBus()
    one, other = EventsByHand(bus, clock), EventsByHand(bus, clock)
    desk = TriggerDesk(NoRows(), clock, lambda _: None)
    for sink in (desk.sink, one.heard, other.heard):
        await bus.subscribe(subjects.EVENTS_ALL, sink)
    event = one.start("front", "manual", "", None)
    for _ in range(int(SILENCE_S) * 3):
        clock.pass_(1)
        one.tick()
        desk.tick()
    assert desk.windows("front") == [(T0, None)]
    other.end(event)
    assert desk.windows("front") == [(T0, clock.now_ns())]
    for _ in range(20):
        clock.pass_(1)
        one.tick()
    assert [end for _, end in desk.windows("front")] != [None]
    await bus.close()


class NoRows:
    async def put_many(self, events: object) -> None: ...

    async def open(self, camera: str | None = None) -> list[Event]:
        return []

    async def spans(self, *_: object, **__: object) -> list[Event]:
        return []

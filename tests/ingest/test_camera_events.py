"""What cameras tell of by themselves, through pull points of simulated ONVIF devices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ingest_hostile import serving
from tests.support.ingest_rig import QUICK, SMALL, Rig, camera, ingesting

from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.bus.port import Delivery
from vms.common.clock import SystemClock
from vms.common.errors import SourceProtocolError
from vms.common.model.messages import Trigger
from vms.common.secret import Secret
from vms.ingest import camera_events
from vms.ingest.camera_events import EventPlan, EventReader
from vms.ingest.onvif_notices import Notice, notices_of
from vms.ingest.onvif_soap import parse_answer
from vms.simulator.http import HttpResponse
from vms.simulator.onvif import OnvifDevices
from vms.simulator.onvif_events import MOTION, State
from vms.simulator.server import Simulator

INPUT = State("tns1:Device/Trigger/DigitalInput", ("InputToken", "door"), "LogicalState")


class Heard:
    """The triggers of a rig."""

    def __init__(self, rig: Rig) -> None:
        self.all: list[Trigger] = []
        self._rig = rig

    def take(self, delivery: Delivery) -> None:
        assert isinstance(delivery.message, Trigger)
        self.all.append(delivery.message)

    def of(self, kind: str, active: bool) -> list[Trigger]:
        return [one for one in self.all if one.id and (one.kind, one.active) == (kind, active)]

    async def until(self, condition: Callable[[], Any]) -> None:
        await self._rig.until(condition, 15.0)


@asynccontextmanager
async def listening(simulator: Simulator, **more: Any) -> AsyncIterator[tuple[OnvifDevices, Heard]]:
    simulator.add_camera("door", SMALL, "admin", "s3cret&<>")
    async with OnvifDevices(simulator) as devices:
        one = camera(
            "door", simulator.url("door"), username="admin", password="s3cret&<>",
            onvif=devices.address("door"), **more,
        )  # fmt: skip
        async with ingesting(one) as rig:
            heard = Heard(rig)
            await rig.bus.subscribe(subjects.EVENTS_ALL, heard.take)
            yield devices, heard


async def test_motion_begins_and_ends(simulator: Simulator) -> None:
    async with listening(simulator) as (devices, heard):
        await heard.until(lambda: devices.events.open == 1)
        devices.events.set("door", MOTION, True)
        await heard.until(lambda: heard.of("motion", True))
        devices.events.set("door", INPUT, True)
        await heard.until(lambda: heard.of("input", True))
        assert heard.of("input", True)[0].label == "door"
        devices.events.set("door", MOTION, False)
        await heard.until(lambda: heard.of("motion", False))
        assert {one.id for one in heard.of("motion", True)} == {heard.of("motion", False)[0].id}
        assert not heard.of("input", False)
        assert {one.source for one in heard.all} == {"onvif"}
    assert devices.events.open == 0, "the pull point was not given back"


async def test_a_quiet_camera_is_alive(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vms.ingest.onvif_pull.PULL_S", 1.0)
    async with listening(simulator) as (_, heard):
        await heard.until(lambda: sum(not one.id and not one.active for one in heard.all) >= 2)


async def test_what_lasts_outlives_the_subscription(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(simulator) as (devices, heard):
        await heard.until(lambda: devices.events.open == 1)
        devices.events.set("door", MOTION, True)
        await heard.until(lambda: heard.of("motion", True))
        devices.events.reboot()
        await heard.until(lambda: devices.events.open == 1)
        count = len(heard.of("motion", True))
        await heard.until(lambda: len(heard.of("motion", True)) > count)
        assert len({one.id for one in heard.of("motion", True)}) == 1


async def test_a_device_that_refuses_renewal_is_subscribed_to_again(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vms.ingest.onvif_pull._LIFE_S", 2.0)
    monkeypatch.setattr("vms.ingest.onvif_pull.PULL_S", 1.0)
    async with listening(simulator) as (devices, heard):
        devices.events.refuse_renewal = True
        await heard.until(lambda: devices.events._made >= 3)
        devices.events.set("door", MOTION, True)
        await heard.until(lambda: heard.of("motion", True))


async def test_a_moment_is_an_event_with_an_end(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vms.ingest.onvif_pull.PULL_S", 1.0)
    monkeypatch.setattr(camera_events, "_MOMENT_S", 0.5)
    async with listening(simulator) as (devices, heard):
        await heard.until(lambda: devices.events.open == 1)
        devices.events.happen("door", "tns1:RuleEngine/LineDetector/Crossed", "gate")
        await heard.until(lambda: heard.of("line-crossed", False))
        assert heard.of("line-crossed", True)[0].label == "gate"


async def test_a_camera_that_is_switched_off_is_asked_no_more(simulator: Simulator) -> None:
    async with listening(simulator) as (devices, heard):
        await heard.until(lambda: devices.events.open == 1)
        await heard._rig.configure([])
        await heard.until(lambda: devices.events.open == 0)


async def test_a_wrong_password_is_tried_once(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.add_camera("door", SMALL, "admin", "right")
    asked = 0
    async with OnvifDevices(simulator) as devices:
        judged = devices._refusal

        def count(*given: Any) -> HttpResponse | None:
            nonlocal asked
            asked += 1
            return judged(*given)

        devices._refusal = count  # type: ignore[method-assign, assignment]
        plan = EventPlan("door", devices.address("door"), "admin", Secret("wrong-one"))
        reader = EventReader(plan, MemoryBus(), QUICK, SystemClock())
        task = asyncio.create_task(reader.run())
        await asyncio.sleep(1.0)
        before = asked
        await asyncio.sleep(1.0)
        assert 0 < asked == before
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
    assert "wrong-one" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>", b"HTTP/1.1 500 X\r\n\r\n"],
)
async def test_a_device_that_answers_nonsense_harms_nobody(answer: bytes) -> None:
    asked = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"Envelope>")
        asked += 1
        writer.write(answer)

    async with serving(script) as address:
        plan = EventPlan("door", urlsplit(address).netloc, "", Secret(""))
        reader = EventReader(plan, MemoryBus(), QUICK, SystemClock())
        task = asyncio.create_task(reader.run())
        await asyncio.sleep(0.5)
        assert asked >= 2
        assert not task.done()
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=3)
        assert done


def notification(topic: str, item: str, value: str, operation: str = "Changed") -> str:
    return (
        f"<m:NotificationMessage><m:Topic>{topic}</m:Topic><m:Message><t:Message "
        f'PropertyOperation="{operation}"><t:Source><t:SimpleItem Name="Rule" Value="r1"/>'
        f'</t:Source><t:Data><t:SimpleItem Name="{item}" Value="{value}"/></t:Data></t:Message>'
        "</m:Message></m:NotificationMessage>"
    )


def read(*messages: str) -> list[Notice]:
    root = fromstring(f'<a xmlns:m="m" xmlns:t="t">{"".join(messages)}</a>')
    return notices_of(root)


@pytest.mark.parametrize(
    ("topic", "item", "value", "kind", "active"),
    [
        ("tns1:RuleEngine/CellMotionDetector/Motion", "IsMotion", "true", "motion", True),
        ("tns1:VideoSource/MotionAlarm", "State", "0", "motion", False),
        ("tns1:RuleEngine/MyRuleDetector/PeopleDetect", "State", "true", "person", True),
        ("tns1:RuleEngine/MyRuleDetector/VehicleDetect", "State", "true", "vehicle", True),
        ("tns1:RuleEngine/FieldDetector/ObjectsInside", "IsInside", "true", "intrusion", True),
        ("tns1:VideoSource/GlobalSceneChange/ImagingService", "State", "true", "tamper", True),
        ("tns1:Device/Trigger/DigitalInput", "LogicalState", "true", "input", True),
        ("tns1:AudioAnalytics/Audio/DetectedSound", "IsSoundDetected", "true", "sound", True),
    ],
)
def test_topics_of_known_cameras(
    topic: str, item: str, value: str, kind: str, active: bool
) -> None:
    (found,) = read(notification(topic, item, value))
    assert (found.kind, found.active) == (kind, active)


def test_what_is_not_known_is_left_alone() -> None:
    assert not read(
        notification("tns1:Monitoring/ProcessorUsage", "Value", "12"),
        notification("tns1:RuleEngine/CellMotionDetector/Motion", "Strange", "12"),
    )


def test_a_property_that_is_gone_is_over() -> None:
    (found,) = read(notification("tns1:VideoSource/MotionAlarm", "State", "true", "Deleted"))
    assert found.active is False


@given(st.binary(max_size=400))
def test_no_answer_is_too_strange(data: bytes) -> None:
    try:
        root = parse_answer(data, "camera")
    except SourceProtocolError:
        return
    notices_of(root)


@given(st.lists(st.sampled_from(["m:Message", "m:Topic", "t:Data", "m:NotificationMessage"])))
def test_no_nesting_is_too_strange(names: list[str]) -> None:
    opened = "".join(f"<{name}>" for name in names)
    closed = "".join(f"</{name}>" for name in reversed(names))
    assert (
        notices_of(fromstring(f'<a xmlns:m="m" xmlns:t="t">{opened}motion{closed}</a>')) is not None
    )

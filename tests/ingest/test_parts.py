"""The small parts: addresses, media time, the gate, run ids."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.ingest_rig import QUICK

from vms.common.errors import ConfigError
from vms.common.secret import Secret
from vms.ingest.address import parse_address, shown
from vms.ingest.gate import ConnectGate
from vms.ingest.runid import new_run_id
from vms.ingest.settings import IngestSettings
from vms.ingest.timeline import Timeline

SECOND = 1_000_000_000


def test_address_parts() -> None:
    address = parse_address("rtsps://user:p%40ss@cam.local/a?b=c", QUICK)
    assert (address.scheme, address.host, address.port) == ("rtsps", "cam.local", 322)
    assert (address.username, address.password.reveal()) == ("user", "p@ss")
    assert address.url == "rtsps://cam.local/a?b=c"
    assert address.tls
    assert address.is_rtsp
    assert parse_address("rtsp://[::1]:8554/x", QUICK).host == "::1"
    assert parse_address("rtsp://h/x", QUICK, "me", Secret("s")).username == "me"


@pytest.mark.parametrize(
    ("url", "for_people"),
    [
        ("rtsp://u:p@h/x", "rtsp://***@h/x"),
        ("rtsp://h/x?user=a&password=secret", "rtsp://h/x"),
        (
            "rtsp://h/user=admin&password=secret&channel=1",
            "rtsp://h/user=admin&password=***&channel=1",
        ),
        ("rtsp://h/user=a_password=secret_stream=0", "rtsp://h/user=a_password=***"),
    ],
)
def test_secrets_are_not_shown(url: str, for_people: str) -> None:
    assert shown(url) == for_people


@given(st.text(max_size=60) | st.builds("rtsp://{}".format, st.text(max_size=40)))
def test_any_text_is_an_address_or_a_config_error(text: str) -> None:
    try:
        parse_address(text, QUICK)
    except ConfigError:
        return


def test_media_time_stands_where_it_arrived() -> None:
    line = Timeline(90_000, 1000 * SECOND, 5.0)
    assert line.place(12_345, 1000 * SECOND + SECOND // 10) == 9_000
    assert line.place(12_345 + 3600, 1000 * SECOND + SECOND // 5) == 12_600
    assert line.place(12_345 + 3600, 1000 * SECOND + SECOND // 5) == 12_601


def test_late_and_all_at_once_is_no_jump() -> None:
    line = Timeline(1000, 0, 5.0)
    assert line.place(0, 0) == 0
    for number in range(1, 400):
        assert line.place(number * 40, 20 * SECOND) == number * 40


@pytest.mark.parametrize(("step", "passed"), [(-6000, 0.04), (6000, 0.04), (30_000, 10.0)])
def test_jumps_are_found(step: int, passed: float) -> None:
    line = Timeline(1000, 0, 5.0)
    assert line.place(100_000, 0) == 0
    assert line.place(100_000 + step, int(passed * SECOND)) is None


def test_a_pause_of_the_camera_is_no_jump() -> None:
    line = Timeline(1000, 0, 5.0)
    line.place(0, 0)
    assert line.place(60_000, 58 * SECOND) == 60_000


@given(st.lists(st.integers(-(2**40), 2**40), max_size=50))
def test_media_time_is_never_negative(ticks: list[int]) -> None:
    line = Timeline(90_000, 0, 1e6)
    for arrival, each in enumerate(ticks):
        pts = line.place(each, arrival)
        assert pts is None or pts >= 0


@given(st.integers(0, 2**62))
def test_run_ids_are_uuids_in_order_of_time(now: int) -> None:
    run = new_run_id(now)
    assert len(run) == 32
    assert run[12] == "7"
    assert run[16] in "89ab"
    later = new_run_id(now + 2_000_000)
    assert later > run or (now + 2_000_000) >> 68


def test_run_ids_differ() -> None:
    assert len({new_run_id(1) for _ in range(1000)}) == 1000


async def test_gate_limits_and_spaces() -> None:
    gate = ConnectGate(3, 200.0)
    loop = asyncio.get_running_loop()
    inside = most = 0
    starts: list[float] = []

    async def one() -> None:
        nonlocal inside, most
        async with gate.turn(False):
            starts.append(loop.time())
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.02)
            inside -= 1

    await asyncio.gather(*(one() for _ in range(12)))
    assert most == 3
    assert starts[-1] - starts[0] > 0.05


async def test_dead_cameras_do_not_hold_up_the_living() -> None:
    gate = ConnectGate(1, 1000.0)
    async with gate.turn(True), asyncio.timeout(1), gate.turn(False):
        pass


def test_pins_are_checked() -> None:
    pin = ":".join(["AB"] * 32)
    assert IngestSettings(tls_pins={"Cam": pin}).tls_pins == {"cam": "ab" * 32}
    with pytest.raises(ValidationError):
        IngestSettings(tls_pins={"cam": "123"})

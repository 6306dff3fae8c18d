"""Hubs: the last group of pictures, and when they end. Timelines: one line over Runs."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.support.stream_units import Camera, encode

from vms.bus import subjects
from vms.bus.memory import MemoryBus
from vms.common.model.camera import StreamState, StreamStatus
from vms.common.model.media import AccessUnit, Codec, CodecParameters
from vms.stream.hub import Hub, Hubs
from vms.stream.settings import StreamSettings
from vms.stream.timeline import Timeline

VIDEO = CodecParameters(Codec.H264, 90_000, (b"\x67", b"\x68"))
AUDIO = CodecParameters(Codec.PCMU, 8000, channels=1)
SECOND = 1_000_000_000


def unit(
    number: int = 0,
    key: bool = False,
    track: int = 0,
    size: int = 100,
    parameters: CodecParameters = VIDEO,
    pts: int | None = None,
    run: str = "r",
    arrival_ns: int = 0,
) -> AccessUnit:
    at = number * 3600 if pts is None else pts
    return AccessUnit(
        "c", "main", track, run, number, parameters, bytes(size), at, arrival_ns, key=key
    )


class Heard:
    def __init__(self) -> None:
        self.units: list[AccessUnit] = []
        self.ended = False

    def on_unit(self, unit: AccessUnit) -> None:
        self.units.append(unit)

    def on_end(self) -> None:
        self.ended = True


def test_a_hub_keeps_all_tracks_from_the_last_key_picture_on():
    hub = Hub("c", "main", 10_000)
    sound = unit(0, track=1, parameters=AUDIO)
    hub.put(unit(0))
    hub.put(sound)
    assert hub.gop == []
    units = [unit(1, key=True), unit(2), sound, unit(3)]
    for each in units:
        hub.put(each)
    assert hub.gop == units
    newer = unit(4, key=True)
    hub.put(newer)
    assert hub.gop == [newer]
    assert hub.video is VIDEO
    assert hub.audio is AUDIO


def test_a_group_too_large_is_let_go_until_the_next_key_picture():
    hub = Hub("c", "main", 1000)
    hub.put(unit(0, key=True, size=600))
    hub.put(unit(1, size=600))
    assert hub.gop == []
    hub.put(unit(2, size=10))
    assert hub.gop == []
    hub.put(unit(3, key=True))
    assert len(hub.gop) == 1


def test_listeners_hear_every_unit_and_the_end():
    hub = Hub("c", "main", 10_000)
    one, other = Heard(), Heard()
    hub.add(one)
    hub.put(unit(0, key=True))
    hub.add(other)
    hub.put(unit(1))
    hub.remove(one)
    hub.put(unit(2))
    hub.end()
    hub.end()
    assert [u.number for u in one.units] == [0, 1]
    assert [u.number for u in other.units] == [1, 2]
    assert other.ended
    assert not one.ended


def test_reordered_pictures_are_noticed_and_jumps_are_not_taken_for_them():
    hub = Hub("c", "main", 10_000)
    for number, pts in enumerate((0, 3600, 7200)):
        hub.put(unit(number, key=number == 0, pts=pts))
    assert not hub.reordered
    hub.put(unit(4, pts=5400))
    assert hub.reordered
    hub.put(unit(0, key=True, pts=0, run="next"))
    assert not hub.reordered


def test_tracks_are_bounded():
    hub = Hub("c", "main", 10_000)
    for track in range(50):
        hub.put(unit(0, key=True, track=track, parameters=replace(VIDEO)))
    assert len(hub.tracks) == 8


async def test_hubs_come_with_media_and_go_with_silence_and_the_switch(monkeypatch):
    hubs = Hubs(StreamSettings(silence_seconds=60))
    bus = MemoryBus()
    await bus.subscribe(subjects.MEDIA_ALL, hubs.on_media)
    await bus.subscribe(subjects.STATE_ALL, hubs.on_state)
    Camera(bus, encode()).publish(3)
    Camera(bus, encode(), camera="back").publish(3)
    hubs.sweep()
    hub = hubs.find("front", "main")
    assert hub is not None
    heard = Heard()
    hub.add(heard)
    hub.last_monotonic -= 61
    hubs.sweep()
    assert heard.ended
    assert hubs.find("front", "main") is None
    state = StreamState("back", "main", StreamStatus.DISABLED, 0)
    bus.publish(subjects.state("back", "main"), state)
    assert hubs.find("back", "main") is None
    await bus.close()


def test_a_timeline_goes_on_over_runs_and_keeps_tracks_together():
    line = Timeline(10 * SECOND)
    first = line.ticks(unit(0, pts=5000), 90_000)
    assert first == 900_000
    assert line.ticks(unit(1, pts=8600, arrival_ns=40_000_000), 90_000) == first + 3600
    # Sound of the same media time stands at the same place of the line.
    sound = unit(0, track=1, parameters=AUDIO, pts=8600 * 8000 // 90_000, arrival_ns=41_000_000)
    assert abs(line.ticks(sound, 8000) - (first + 3600) * 8000 / 90_000) <= 1
    # A new Run two seconds later.
    later = line.ticks(unit(0, pts=123, run="next", arrival_ns=2_040_000_000), 90_000)
    assert abs(later - (first + 3600 + 180_000)) <= 1
    assert line.breaks == 1
    assert abs(line.at(2_540_000_000, 90_000) - later - 45_000) <= 1


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5), st.integers(-(1 << 40), 1 << 40), st.integers(0, 1 << 62)
        ),
        min_size=1, max_size=30,
    ),
    st.sampled_from([8000, 48_000, 90_000]),
)  # fmt: skip
def test_a_timeline_is_never_negative(moves, rate):
    line = Timeline(20 * SECOND)
    for run, pts, arrival in moves:
        ticks = line.ticks(unit(0, pts=pts, run=str(run), arrival_ns=arrival), rate)
        assert ticks >= 0


@given(st.lists(st.integers(1, 100), min_size=2, max_size=40))
def test_ticks_of_a_run_differ_as_its_pts(steps):
    line = Timeline()
    times = list(itertools.accumulate(steps))
    made = [
        line.ticks(unit(n, pts=t, arrival_ns=t * SECOND // 90_000), 90_000)
        for n, t in enumerate(times)
    ]
    assert [b - a for a, b in itertools.pairwise(made)] == steps[1:]

"""What cameras do to their time, parameters and sound: scripts for the real feed.

Each scenario is a list of `Unit`s in order of arrival: what a source gives to
`ingest.feed.Feed`. Play them with `play`; all pictures it sends differ in their bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.support.storage_media import encode_video, g711

from vms.common.model.media import Codec, CodecParameters
from vms.ingest.feed import Feed

VIDEO, AUDIO = 0, 1
FPS = 25
_RATE = 90_000


@dataclass(frozen=True)
class Unit:
    """One that comes `at` seconds after the start, with the camera's `ticks`."""

    at: float
    track: int
    parameters: CodecParameters
    data: bytes
    ticks: int
    key: bool


@dataclass(frozen=True)
class Scenario:
    tracks: tuple[CodecParameters, ...]
    units: list[Unit]

    @property
    def pictures(self) -> list[bytes]:
        return [unit.data for unit in self.units if unit.track == VIDEO]


def video(seconds: int, gop: int = FPS, b_frames: int = 0) -> Scenario:
    """Pictures that differ, a key picture every `gop` of them."""
    parameters, packets = encode_video(pictures=seconds * FPS, gop=gop, b_frames=b_frames)
    units = [
        Unit(number / FPS, VIDEO, parameters, data, pts, key)
        for number, (pts, key, data) in enumerate(packets)
    ]
    return Scenario((parameters,), units)


def ticks_jump(by_s: float, seconds: int = 8) -> Scenario:
    """The camera's time jumps in the middle of a group (fault 8)."""
    plain = video(seconds)
    half = len(plain.units) // 2 + 7
    moved = [
        replace(u, ticks=u.ticks + round(by_s * _RATE)) if n >= half else u
        for n, u in enumerate(plain.units)
    ]
    return Scenario(plain.tracks, moved)


def stray(by_s: float, seconds: int = 8) -> Scenario:
    """One picture alone has a time far off."""
    plain = video(seconds)
    odd = len(plain.units) // 2 + 7
    return Scenario(
        plain.tracks,
        [
            replace(u, ticks=u.ticks + round(by_s * _RATE)) if n == odd else u
            for n, u in enumerate(plain.units)
        ],
    )


def equal_times(seconds: int = 8) -> Scenario:
    """Every second picture has the time of the one before (fault 9)."""
    plain = video(seconds)
    units = [
        replace(u, ticks=plain.units[n - 1].ticks) if n % 2 else u
        for n, u in enumerate(plain.units)
    ]
    return Scenario(plain.tracks, units)


def parameters_flap(times: int = 10) -> Scenario:
    """Each second another size, and back (fault 10)."""
    small, large = (
        encode_video(pictures=times * FPS, gop=FPS, width=width) for width in (160, 192)
    )
    units = []
    for number in range(times * FPS):
        parameters, packets = (small, large)[number // FPS % 2]
        pts, key, data = packets[number]
        units.append(Unit(number / FPS, VIDEO, parameters, data, pts, key))
    return Scenario((small[0],), units)


def no_key(seconds: int = 60) -> Scenario:
    """One key picture, then none for so long (fault 11), then one again."""
    return video(seconds + 1, gop=seconds * FPS)


def sound(kind: str, seconds: int = 8) -> Scenario:
    """Audio that `comes` in the middle, `goes`, or is `swapped` for another codec (fault 12)."""
    plain = video(seconds)
    first, packets = g711(Codec.PCMU, seconds)
    other = g711(Codec.PCMA, seconds)[0]
    half = seconds / 2
    heard = [
        Unit(
            n / 50, AUDIO, other if kind == "swapped" and n / 50 >= half else first, data, pts, True
        )
        for n, (pts, _, data) in enumerate(packets)
        if kind == "swapped" or (n / 50 >= half) is (kind == "comes")
    ]
    units = sorted([*plain.units, *heard], key=lambda unit: unit.at)
    return Scenario((*plain.tracks, first), units)


def play(feed: Feed, units: Sequence[Unit], pass_: Callable[[float], None], since: float) -> float:
    """Give the units to the feed as time goes by; when the last one came."""
    for unit in units:
        pass_(max(0.0, unit.at - since))
        since = max(since, unit.at)
        feed.unit(unit.track, unit.parameters, unit.data, unit.ticks, unit.key, False, None)
    return since

"""What is drawn and encoded: it moves, it is stamped, it keeps to its settings."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.common.errors import ConfigError
from vms.common.model.media import Codec
from vms.common.stamp import Stamp, read_stamp
from vms.format.annexb import to_annexb, to_length_prefixed
from vms.format.font import text_mask
from vms.simulator.audio import sound
from vms.simulator.demo import demo_simulator
from vms.simulator.encode import Encoder, Encoding
from vms.simulator.gallery import VIEWS
from vms.simulator.packets import audio_unit, framed, video_unit
from vms.simulator.render import Renderer
from vms.simulator.snapshot import snapshot
from vms.simulator.sources import File, Loop, Scene, programme

START = 1_900_000_000_000_000_000


@pytest.mark.parametrize("view", list(VIEWS))
def test_views_move_and_put_back_what_they_covered(view: str) -> None:
    renderer = Renderer(view, 320, 180, "Test")
    seen = [renderer.draw(i, START + i * 1_000_000_000).y.copy() for i in range(20)]
    below = [picture[12:150] for picture in seen]
    assert all((a != b).any() for a, b in pairwise(below))
    middle = np.median(np.stack(below), axis=0)
    assert all(np.abs(picture - middle).mean() < 12 for picture in below)


def test_main_and_sub_are_the_same_scene() -> None:
    large = Renderer("yard", 640, 360, "").draw(1, START).y
    small = Renderer("yard", 320, 180, "").draw(1, START).y
    halved = large.reshape(180, 2, 320, 2).mean(axis=(1, 3))
    assert np.abs(halved[30:150] - small[30:150]).mean() < 8


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_stamps_survive_compression_and_halving(codec: Codec) -> None:
    """At half the size of a sub stream, and at a bitrate that is short for it."""
    settings = Encoding(640, 360, 15, 250_000, codec)
    renderer, encoder = Renderer("parking", 640, 360, "Test"), Encoder(settings)
    decoder = av.CodecContext.create({"h264": "h264", "h265": "hevc"}[codec.value], "r")
    seen: list[Stamp | None] = []
    units = []
    for number in range(45):
        picture = renderer.draw(number, START + number * 66_666_667)
        units += encoder.encode(picture)
    packets = [
        av.Packet(to_annexb(to_length_prefixed([*unit.parameter_sets, *unit.nals])))
        for unit in units
    ]
    for packet in [*packets, None]:
        for frame in decoder.decode(packet):
            luma = frame.reformat(320, 180, format="gray").to_ndarray()
            seen.append(read_stamp(luma))
    assert [stamp and stamp.number for stamp in seen] == list(range(45))
    assert seen[-1] is not None
    assert seen[-1].wall_ms == (START + 44 * 66_666_667) // 1_000_000


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_key_pictures_come_when_asked_for(codec: Codec) -> None:
    settings = Encoding(320, 180, 25, 300_000, codec, gop=10)
    renderer, encoder = Renderer("shop", 320, 180, ""), Encoder(settings)
    keys = []
    for number in range(25):
        picture = renderer.draw(number, START)
        for unit in encoder.encode(picture, key=number == 14):
            assert bool(unit.parameter_sets) == unit.key
            if unit.key:
                keys.append(unit.pts)
    assert keys == [0, 10, 14, 24]


def test_loop_keeps_to_its_bitrate() -> None:
    loop = Loop(640, 360, 25, 1_000_000, seconds=3)
    made = programme(loop)
    assert programme(loop) is made
    octets = sum(
        i.unit.body.octets + (i.unit.head.octets if i.unit.head else 0) for i in made.items
    )
    assert octets * 8 / 3 == pytest.approx(1_000_000, rel=0.15)
    assert made.duration_ns == 3_000_000_000
    assert [item.unit.key for item in made.items].count(True) == 3
    assert made.parameters.width == 640


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 321}, "even"),
        ({"width": 32}, "128x64"),
        ({"fps": 0.1}, "fps"),
        ({"bitrate": 10}, "bitrate"),
        ({"b_frames": 9}, "b_frames"),
        ({"codec": Codec.AAC}, "video"),
        ({"view": "moon"}, "no scene 'moon'; there are parking"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Scene(**change)


def test_files_that_cannot_be_played(tmp_path: Path) -> None:
    missing, text = tmp_path / "none.mp4", tmp_path / "text.mp4"
    text.write_text("no film")
    for path in (missing, text):
        with pytest.raises(ConfigError, match=path.name):
            programme(File(path))
        with pytest.raises(ConfigError, match=path.name):
            snapshot(File(path))


@pytest.mark.parametrize("codec", [Codec.AAC, Codec.PCMU, Codec.PCMA])
def test_sound_fits_behind_itself_and_beeps_on_the_second(codec: Codec) -> None:
    made = sound(codec)
    assert made.duration_ns == 8_000_000_000
    steps = {b.at_ns - a.at_ns for a, b in pairwise(made.items)}
    assert len(steps) == 1
    assert made.items[-1].at_ns + steps.pop() == made.duration_ns


def test_sound_is_not_for_video_codecs() -> None:
    with pytest.raises(ConfigError):
        sound(Codec.H264)


def test_names_are_written_without_accents() -> None:
    assert (text_mask("Portão", 2) == text_mask("Portao", 2)).all()
    assert (text_mask("日", 1) == text_mask("?", 1)).all()
    assert text_mask("", 1).shape == (7, 5)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8), st.integers(0, 65535))
def test_filled_packets(payloads: list[bytes], sequence: int) -> None:
    row = framed(payloads, 96, marker=True)
    filled = row.filled(4, sequence, 0x01020304, 0x05060708)
    packets = [bytes(packet) for packet in row.split(filled)]
    assert [packet[12:] for packet in packets] == payloads
    assert [int.from_bytes(p[2:4], "big") for p in packets] == [
        (sequence + i) & 0xFFFF for i in range(len(payloads))
    ]
    assert all(packet[4:12] == bytes(range(1, 9)) for packet in packets)
    assert [packet[1] >> 7 for packet in packets] == [0] * (len(payloads) - 1) + [1]
    assert filled[0] == 0x24
    assert filled[1] == 4
    assert row.octets == sum(map(len, payloads))


def test_units() -> None:
    unit = video_unit(Codec.H264, [b"\x67\x42", b"\x68\xce"], [b"\x65" + bytes(3000)], key=True)
    assert unit.head is not None
    assert len(unit.head.starts) == 1
    assert len(unit.body.starts) == 3
    stamp = unit.stamp(7, START)
    assert stamp is not None
    assert stamp.data[16] == 6
    sound_unit = audio_unit(Codec.PCMU, bytes(160))
    assert sound_unit.stamp(7, START) is None


def test_demo_has_four_cameras_with_main_and_sub() -> None:
    cameras = demo_simulator().cameras
    assert [camera.id for camera in cameras] == ["parking", "shop", "gate", "yard"]
    assert all(list(camera.streams) == ["main", "sub"] for camera in cameras)


def test_the_reader_in_the_documentation(tmp_path: Path) -> None:
    """docs/reference/stamp.md holds a reader for browsers; it reads what is drawn."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here")
    text = (Path(__file__).parents[2] / "docs/reference/stamp.md").read_text()
    script = text.split("```js\n")[1].split("```")[0]
    luma = Renderer("gate", 640, 360, "").draw(123456, START).y
    pixels = ",".join(map(str, np.repeat(luma[:40], 4, axis=1).ravel()))
    script += f"const data = [{pixels}];\n"
    script += "console.log(JSON.stringify(readStamp({ data, width: 640, height: 40 })));"
    path = tmp_path / "reader.mjs"
    path.write_text(script)
    done = subprocess.run([node, path], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == f'{{"number":123456,"wallMs":{START // 1_000_000}}}'

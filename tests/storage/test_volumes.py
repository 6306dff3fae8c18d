"""Several disks: what each is for, and that one that fails takes only itself away."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vms.common.errors import StorageError
from vms.storage.settings import StorageSettings, VolumeSettings
from vms.storage.volume import MARKER, Volume
from vms.storage.volume_state import Tier, VolumeState
from vms.storage.volumes import Volumes

CAMERAS = [f"camera-{number}" for number in range(200)]


def reached(condition: Callable[[], bool], limit: float = 8.0) -> bool:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


@contextlib.contextmanager
def watched(*volumes: Volume, **identities: str) -> Iterator[Volumes]:
    made = Volumes(volumes)
    made.start(identities)
    try:
        made.wait_looked(5.0)
        yield made
    finally:
        made.stop()


def two(folder: Path) -> tuple[Volume, Volume]:
    return Volume(folder / "one", 0), Volume(folder / "two", 0, "second")


@contextlib.contextmanager
def mounted(folder: Path, size: str = "16m") -> Iterator[Callable[[str], None]]:
    """A file system of its own at `folder`; gives a way to run mount with more options."""
    folder.mkdir(exist_ok=True)

    def mount(*words: str) -> bool:
        command = ["mount", *words, str(folder)]
        return not subprocess.run(command, check=False, capture_output=True).returncode

    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        pytest.skip("a file system cannot be mounted here")
    try:
        yield lambda options: mount("-o", options) or pytest.fail(f"mount -o {options}")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def test_an_empty_mount_point_is_never_taken_for_a_new_volume(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "one", 0)
    identity = volume.prepare()
    (tmp_path / "one" / MARKER).unlink()
    again = Volume(tmp_path / "one", 0)
    again.identity = identity
    with pytest.raises(StorageError, match=r"is not there.*mount it again"):
        again.prepare()
    assert not (tmp_path / "one" / MARKER).exists()
    # A person who puts in a new disk says so.
    (tmp_path / "one" / MARKER).touch()
    assert again.prepare() not in ("", identity)


def test_a_disk_that_was_mounted_in_the_place_of_another_is_refused(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.prepare()
    swapped = Volume(tmp_path / "one", 0)
    swapped.identity = other.prepare()
    with pytest.raises(StorageError, match="another one than it was"):
        swapped.prepare()
    with pytest.raises(StorageError, match="another one than it was"):
        swapped.create("front", "main", 0, False)


def test_the_cameras_spread_over_fast_volumes_and_move_no_more_than_they_must(
    tmp_path: Path,
) -> None:
    archive = Volume(tmp_path / "old", 0, "old", Tier.ARCHIVE)
    with watched(*two(tmp_path), archive) as volumes:
        homes = {camera: volumes.to_write(camera, "main").name for camera in CAMERAS}
        assert 60 < list(homes.values()).count("second") < 140
        assert set(homes.values()) == {"main", "second"}
        (tmp_path / "two" / MARKER).unlink()
        assert reached(lambda: volumes.named("second").state() is VolumeState.MISSING)
        for camera, home in homes.items():
            assert volumes.to_write(camera, "main").name == "main"
            assert volumes.should_move(camera, "main", home) == (home == "second")


def test_streams_come_home_once_the_disk_has_been_well_for_a_while(tmp_path: Path) -> None:
    now = [0.0]
    one, second = two(tmp_path)
    volumes = Volumes((one, second), lambda: now[0])
    for volume in volumes:
        volume.prepare()
    camera = next(c for c in CAMERAS if volumes.to_write(c, "main") is second)
    marker = (tmp_path / "two" / MARKER).read_bytes()
    (tmp_path / "two" / MARKER).unlink()
    with pytest.raises(StorageError):
        second.check(now=True)
    assert volumes.to_write(camera, "main") is one
    (tmp_path / "two" / MARKER).write_bytes(marker)
    second.check(now=True)
    now[0] = second.well_since + 1
    assert not volumes.should_move(camera, "main", "main")
    now[0] = second.well_since + 60
    assert volumes.should_move(camera, "main", "main")


def test_an_archive_is_recorded_to_where_nothing_else_is_left(tmp_path: Path) -> None:
    fast = Volume(tmp_path / "one", 1 << 62)
    archive = Volume(tmp_path / "old", 0, "old", Tier.ARCHIVE)
    with watched(fast, archive) as volumes:
        assert fast.state() is VolumeState.FULL
        assert volumes.to_write("front", "main") is archive
        assert "is full" in volumes.problem()


def test_a_disk_gone_or_read_only_is_left_and_nothing_lies_under_its_mount_point(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "two"
    with (
        mounted(folder) as mount,
        watched(
            Volume(tmp_path / "one", 0, max_bytes=1 << 24),
            Volume(folder, 0, "second", max_bytes=1 << 24),
        ) as volumes,
    ):
        second = volumes.named("second")
        camera = next(c for c in CAMERAS if volumes.to_write(c, "main") is second)
        mount("remount,ro")
        assert reached(lambda: volumes.should_move(camera, "main", "second"))
        assert second.state() is VolumeState.FAILED
        assert "Read-only" in second.problem()
        mount("remount,rw")
        assert reached(lambda: second.state() is VolumeState.OK)
        subprocess.run(["umount", "-l", str(folder)], check=True)
        assert reached(lambda: second.state() is VolumeState.MISSING)
        with pytest.raises(StorageError, match="mount it again"):
            second.create(camera, "main", 0, False)
        assert volumes.to_write(camera, "main").name == "main"
        assert list(folder.iterdir()) == []


class Hanging(Volume):
    """A disk whose system calls do not come back while `stuck` is clear: the wire's fake."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(root, 0, name)
        self.stuck = threading.Event()
        self.stuck.set()

    def _marker(self) -> str | None:
        self.stuck.wait()
        return super()._marker()


def test_a_disk_that_hangs_is_named_and_holds_nobody_up(tmp_path: Path) -> None:
    hanging = Hanging(tmp_path / "two", "second")
    with watched(Volume(tmp_path / "one", 0), hanging) as volumes:
        camera = next(c for c in CAMERAS if volumes.to_write(c, "main") is hanging)
        hanging.stuck.clear()
        assert reached(hanging.hangs)
        asked = time.thread_time()
        assert volumes.to_write(camera, "main").name == "main"
        assert hanging.state() is VolumeState.FAILED
        assert "does not answer" in hanging.problem()
        assert volumes.problem() == ""
        assert time.thread_time() - asked < 1.0
        hanging.stuck.set()
        assert reached(lambda: hanging.state() is VolumeState.OK)


def test_a_disk_that_hangs_from_the_start_does_not_hold_the_start(tmp_path: Path) -> None:
    hanging = Hanging(tmp_path / "two", "second")
    hanging.stuck.clear()
    volumes = Volumes([Volume(tmp_path / "one", 0), hanging])
    volumes.start({})
    try:
        volumes.main.wait_looked(5.0)
        assert volumes.main.problem() == ""
        assert reached(hanging.hangs)
        assert {volumes.to_write(camera, "main").name for camera in CAMERAS} == {"main"}
    finally:
        hanging.stuck.set()
        volumes.stop()


def test_an_error_of_the_disk_is_looked_into_at_once(tmp_path: Path) -> None:
    one, second = two(tmp_path)
    with watched(one, second) as volumes:
        assert "replace it" in str(second.error("refuses", OSError(5, "Input/output error")))
        # What it says is judged by writing to it: it takes the probe, so it stays.
        assert reached(lambda: not second._suspect)
        assert volumes.named("second").state() is VolumeState.OK
        assert second.free_bytes() > 0
        second.error("refuses", OSError(28, "No space left on device"))
        assert second.pressed.is_set()


@pytest.mark.parametrize(
    ("volumes", "said"),
    [
        ([{"name": "main", "path": "/b"}], "name 'main'"),
        ([{"name": "b", "path": "/b"}, {"name": "b", "path": "/c"}], "name 'b'"),
        ([{"name": "b", "path": "/a"}], "path '/a'"),
        ([{"name": "../b", "path": "/b"}], "name"),
        ([{"name": "b", "path": "/b", "tier": "slow"}], "tier"),
    ],
)
def test_volumes_that_make_no_sense_are_refused(volumes: list[dict[str, str]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        StorageSettings.model_validate({"root": "/a", "volumes": volumes})


def test_settings_give_the_volumes_in_order(tmp_path: Path) -> None:
    more = VolumeSettings(name="old", path=tmp_path / "old", tier="archive", max_bytes=1 << 30)
    settings = StorageSettings(root=tmp_path / "new", volumes=(more,))
    volumes = Volumes.of_settings(settings)
    assert [(v.name, v.tier, v.max_bytes) for v in volumes] == [
        ("main", Tier.FAST, None), ("old", Tier.ARCHIVE, 1 << 30),
    ]  # fmt: skip
    with pytest.raises(StorageError, match=r"'gone'.*storage\.volumes"):
        volumes.named("gone")


@given(st.text(max_size=40))
def test_no_path_leads_out_of_a_volume(relative: str) -> None:
    volume = Volume(Path("/srv/recordings"), 0)
    try:
        path = volume.path(relative)
    except StorageError:
        return
    assert Path(os.path.normpath(path)).is_relative_to("/srv/recordings")
    assert path != volume.root

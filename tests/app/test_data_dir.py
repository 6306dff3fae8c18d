from __future__ import annotations

import os
from pathlib import Path

import pytest

from vms.app.data_dir import holding, make_data_dir
from vms.common.errors import ConfigError


def test_a_role_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    with holding(tmp_path, ("ingest", "storage")):
        with pytest.raises(ConfigError) as caught, holding(tmp_path, ("storage",)):
            pass
        assert "'storage' already runs" in str(caught.value)
        assert str(os.getpid()) in str(caught.value)
        assert str(tmp_path) in str(caught.value)
    with holding(tmp_path, ("storage",)):
        pass


def test_different_roles_share_a_directory(tmp_path: Path) -> None:
    with holding(tmp_path, ("ingest",)), holding(tmp_path, ("storage", "stream", "api")):
        pass


def test_what_was_held_is_let_go_where_one_role_is_taken(tmp_path: Path) -> None:
    with holding(tmp_path, ("storage",)):
        with pytest.raises(ConfigError), holding(tmp_path, ("ingest", "storage")):
            pass
        with holding(tmp_path, ("ingest",)):
            pass


def test_no_lock_is_followed_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".api.lock").symlink_to(victim)
    with pytest.raises(ConfigError, match="lock file"), holding(tmp_path, ("api",)):
        pass
    assert victim.read_text() == "precious"


def test_directories_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, says in (
        (file, "Not a directory"),
        (file / "below", "Not a directory"),
        (Path("/proc/nothing"), "No such file"),
    ):
        with pytest.raises(ConfigError, match=says) as caught:
            make_data_dir(path)
        assert str(path) in str(caught.value)
        assert "--data-dir" in str(caught.value)

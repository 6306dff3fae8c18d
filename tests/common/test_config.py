from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from vms.common.config import Section, SettingsTree, load_settings
from vms.common.errors import ConfigError
from vms.common.secret import Secret


class Disk(Section):
    root: str = "here"
    limit: int = Field(default=3, ge=1)


class Login(Section):
    password: Secret = Secret("")


class Tree(SettingsTree):
    name: str = "vms"
    disk: Disk = Disk()
    login: Login = Login()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VMS_NAME", "VMS_DISK__ROOT", "VMS_DISK__LIMIT"):
        monkeypatch.delenv(name, raising=False)


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "vms.toml"
    file.write_text(text)
    return file


def test_later_sources_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, 'name = "file"\n[disk]\nroot = "file"\nlimit = 7\n')
    monkeypatch.setenv("VMS_DISK__ROOT", "environment")
    settings = load_settings(Tree, file, {"name": "flag", "disk.limit": None}, {})
    assert (settings.name, settings.disk.root, settings.disk.limit) == ("flag", "environment", 7)


def test_unknown_key_names_key_file_and_nearest(tmp_path: Path) -> None:
    file = write(tmp_path, "[disk]\nrot = 1\n")
    with pytest.raises(ConfigError, match=r"vms\.toml: unknown key 'disk\.rot'.*'disk\.root'"):
        load_settings(Tree, file, {}, {})


def test_unknown_variable_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'VMS_DISK__ROOTS'; did you mean 'VMS_DISK__ROOT'"):
        load_settings(Tree, None, {}, {"VMS_DISK__ROOTS": "x"})


def test_wrong_value_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"key 'disk\.limit': .*greater than or equal to 1"):
        load_settings(Tree, write(tmp_path, "[disk]\nlimit = 0\n"), {}, {})


def test_unreadable_files_say_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_settings(Tree, tmp_path / "absent.toml", {}, {})
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_settings(Tree, write(tmp_path, "name = = 1"), {}, {})
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(Tree, binary, {}, {})


def test_secrets_survive_flags_and_never_print(tmp_path: Path) -> None:
    file = write(tmp_path, '[login]\npassword = "hunter2"\n')
    settings = load_settings(Tree, file, {"name": "flag"}, {})
    assert settings.login.password.reveal() == "hunter2"
    assert "hunter2" not in repr(settings) + settings.model_dump_json()

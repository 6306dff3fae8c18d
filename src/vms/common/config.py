"""Settings: one typed tree from a TOML file, the environment and flags.

Later sources win: defaults, file, environment (`VMS_STORAGE__ROOT`), flags. A key that is
not known is an error that names it, where it stands, and the nearest known key.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from vms.common import environment
from vms.common.errors import ConfigError

ENV_NESTING = "__"

_MAX_FILE_BYTES = 1 << 20


class Section(BaseModel):
    """Base of every part of the tree: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SettingsTree(BaseSettings):
    """Base of the whole tree. Build it with `load_settings`, not directly."""

    model_config = SettingsConfigDict(
        env_prefix=environment.PREFIX,
        env_nested_delimiter=ENV_NESTING,
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (env_settings, init_settings)


Tree = TypeVar("Tree", bound=SettingsTree)


def load_settings(
    tree: type[Tree],
    file: Path | None,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
) -> Tree:
    """Read, merge and check all sources. Raises ConfigError naming the key and its source.

    `flags` maps dotted keys to values; a None value is no flag.
    """
    known = sorted(_keys(tree))
    content = _read(file) if file else {}
    _check_unknown(_leaves(content), known, f"settings file {file}")
    _check_environment(environ, known)
    try:
        settings = tree(**content)
        overrides = {key: value for key, value in flags.items() if value is not None}
        return _with_flags(tree, settings, overrides)
    except ValidationError as error:
        raise ConfigError(_describe(error, file)) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise ConfigError(f"settings file {file} is larger than 1 MiB; is it the right file?")
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            f"settings file {file} cannot be read: {error.strerror}; "
            f"check the path and its permissions"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"settings file {file} is not UTF-8 text at byte {error.start}; save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"settings file {file} is not valid TOML: {error}") from None


def _with_flags(tree: type[Tree], settings: Tree, overrides: Mapping[str, Any]) -> Tree:
    if not overrides:
        return settings
    content = settings.model_dump()
    for key, value in overrides.items():
        *parents, leaf = key.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        place[leaf] = value
    return tree.model_validate(content)


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from _keys(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _check_unknown(keys: Iterator[str], known: list[str], where: str) -> None:
    for key in keys:
        if key in known or any(key.startswith(f"{name}.") for name in known):
            continue
        raise ConfigError(f"{where}: unknown key '{key}'{_nearest(key, known)}")


def _check_environment(environ: Mapping[str, str], known: list[str]) -> None:
    sections = {key.split(".")[0] for key in known}
    for name in environ:
        if not name.startswith(environment.PREFIX) or name in environment.NOT_SETTINGS:
            continue
        key = name.removeprefix(environment.PREFIX).lower().replace(ENV_NESTING, ".")
        if key in known or key in sections:
            continue
        nearest = _nearest(key, known, as_variable=True)
        raise ConfigError(f"environment: unknown variable '{name}'{nearest}")


def _nearest(key: str, known: list[str], as_variable: bool = False) -> str:
    found = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    if not found:
        by_leaf = {name.rsplit(".", 1)[-1]: name for name in known}
        close = difflib.get_close_matches(key.rsplit(".", 1)[-1], list(by_leaf), n=1, cutoff=0.6)
        found = [by_leaf[name] for name in close]
    if not found:
        return "; `vms settings` lists the known ones"
    name = found[0]
    if as_variable:
        name = environment.PREFIX + name.upper().replace(".", ENV_NESTING)
    return f"; did you mean '{name}'?"


def _describe(error: ValidationError, file: Path | None) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    source = f"settings (file {file}, environment, flags)" if file else "settings"
    return f"{source}: key '{key}': {first['msg']}"

"""The roles of the system: one table, name to builder."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import typer

from vms.api.app import create_app
from vms.api.services import ApiServices
from vms.app import http
from vms.app.demo import prepare_demo
from vms.app.node import Node, Service
from vms.app.settings import Settings
from vms.auth.bootstrap import ensure_administrator
from vms.common.errors import ConfigError
from vms.ingest import service as ingest
from vms.storage import routes as storage_routes
from vms.storage import service as storage
from vms.stream import routes as stream_routes
from vms.stream.service import StreamService

WEB_DIR = Path(__file__).resolve().parents[3] / "web" / "dist"

Builder = Callable[[Node], Awaitable[Service]]


def check_roles(names: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """The roles in the table's order. Raises ConfigError for a name that is not in it."""
    for name in names:
        if name not in ROLES:
            near = difflib.get_close_matches(name, list(ROLES), n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(ROLES)}"
            raise ConfigError(f"unknown role '{name}'{hint}")
    if set(names) != set(ROLES) and settings.bus.url.startswith("memory:"):
        missing = ", ".join(name for name in ROLES if name not in names)
        raise ConfigError(
            f"this process runs only some roles, and the memory bus reaches no other process: "
            f"run {missing} here too, or pass --bus unix:///path or nats://host:port to all"
        )
    return tuple(name for name in ROLES if name in names)

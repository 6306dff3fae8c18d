"""The roles of the system: one table, name to builder."""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version

import structlog
import typer
from fastapi import APIRouter

from vms.api import service as api_service
from vms.api.app import create_app
from vms.api.services import ApiServices
from vms.app import http
from vms.app.demo import open_demo, run_demo
from vms.app.node import Node, Service
from vms.app.settings import Settings
from vms.app.web import WEB_DIR
from vms.auth.bootstrap import FIRST_USER, ensure_administrator
from vms.auth.services import open_auth
from vms.common.errors import ConfigError
from vms.ingest import service as ingest
from vms.storage import routes as storage_routes
from vms.storage.export import routes as export_routes
from vms.storage.export.service import About, ExportService
from vms.storage.playback import Playback
from vms.storage.preview import Previews
from vms.storage.removal import forget_previews
from vms.storage.service import StorageService
from vms.storage.settings import StorageSettings
from vms.storage.volumes import Volumes
from vms.stream import routes as stream_routes
from vms.stream.service import StreamService
from vms.telemetry import metrics

log = structlog.get_logger(__name__)

FIRST, MIDDLE, LAST, AFTER = 0, 1, 2, 3
"""When a service stops: what brings media first, what answers people last, and after it what
writes down who did what."""


async def _ingest(node: Node) -> list[Service]:
    settings = node.settings
    services = []
    if settings.demo.enabled:
        simulator = await open_demo(node.catalog)
        if simulator is not None:
            services.append(Service("simulator", lambda: run_demo(simulator), stops=MIDDLE))

    async def run() -> None:
        await ingest.run(node.bus, node.catalog.cameras.list, settings.ingest, node.wall)

    return [*services, Service("ingest", run, stops=FIRST)]


async def _storage(node: Node) -> list[Service]:
    settings = node.settings.storage.model_copy(update={"root": node.settings.storage_root})
    # Made once, and shared: who reads must know what the recorder knows of the disks.
    volumes = Volumes.of_settings(settings)
    playback = Playback(node.catalog, settings, volume_of=volumes.of)
    previews = Previews(node.catalog, volumes.of, node.settings.data_dir, node.wall)

    async def run() -> None:
        gone = forget_previews(node.settings.data_dir)
        await StorageService(
            node.bus, node.catalog, settings, node.wall, volumes=volumes, gone=gone
        ).run()

    return [
        Service("storage", run, storage_routes.router(playback, previews), stops=MIDDLE),
        _exports(node, settings, volumes),
    ]


def _exports(node: Node, settings: StorageSettings, volumes: Volumes) -> Service:
    root = settings.exports_root or node.settings.data_dir / "exports"
    about = About(version("vms"), WEB_DIR / "verify.html", lambda: node.wall.problem)
    service = ExportService(node.catalog, settings, root, volumes.of, node.wall, about)
    router = export_routes.router(service, node.wall)
    return Service("exports", service.run, router, stops=MIDDLE)


async def _stream(node: Node) -> list[Service]:
    settings = node.settings.stream
    if not settings.webrtc.host and _is_loopback(node.settings.http.host):
        # Who is not let in by HTTP has no use for media at other addresses either.
        webrtc = settings.webrtc.model_copy(update={"host": "127.0.0.1"})
        settings = settings.model_copy(update={"webrtc": webrtc})
    service = StreamService(node.bus, settings)
    return [Service("stream", service.run, stream_routes.router(service), stops=LAST)]


async def _api(_: Node) -> list[Service]:
    # The API is what the HTTP server of every process that has one serves.
    return []


Builder = Callable[[Node], Awaitable[list[Service]]]

ROLES: dict[str, Builder] = {
    "ingest": _ingest,
    "storage": _storage,
    "stream": _stream,
    "api": _api,
}
_SERVED_BY_HTTP = frozenset({"storage", "stream", "api"})


def check_roles(names: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """The roles in the table's order. Raises ConfigError for names that make no system."""
    for name in names:
        if name not in ROLES:
            near = difflib.get_close_matches(name, list(ROLES), n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(ROLES)}"
            raise ConfigError(f"unknown role '{name}'{hint}")
    missing = ", ".join(name for name in ROLES if name not in names)
    if missing and settings.bus.url.startswith("memory:"):
        raise ConfigError(
            "this process runs only some roles, and the memory bus reaches no other process: "
            f"run {missing} here too, or pass --bus unix:///path or nats://host:port to all"
        )
    return tuple(name for name in ROLES if name in names)


async def build_services(node: Node) -> list[Service]:
    """What the roles of `node` run, with the HTTP server of those that serve something."""
    services = [Service("loop watch", metrics.watch_loop, stops=LAST)]
    for name in node.roles:
        services += await ROLES[name](node)
    if _SERVED_BY_HTTP.intersection(node.roles):
        services += await _http(node, [found.router for found in services if found.router])
    return services


async def _http(node: Node, routers: Sequence[APIRouter]) -> list[Service]:
    server = http.listen(node.settings.http)
    password = await ensure_administrator(node.catalog)
    auth = await open_auth(node.catalog, node.clock, node.settings.auth)
    services = ApiServices(
        node.catalog,
        node.bus,
        auth,
        node.clock,
        version("vms"),
        node.roles,
        (node.settings.storage_root,) if "storage" in node.roles else (),
        node.settings.api,
        metrics.render,
        node.settings.storage.retention_days,
    )
    app = create_app(services, routers, WEB_DIR)
    _tell(http.address(server), password)
    return [
        Service("audit", auth.audit.run, stops=AFTER),
        Service("api", lambda: api_service.run(services), stops=LAST),
        Service("http", lambda: http.serve(app, server, node.settings.http), stops=LAST),
    ]


def _tell(address: str, password: str | None) -> None:
    """What the person who starts it must know; the password is shown this once."""
    try:
        if password is not None:
            typer.echo(f"\n  user:     {FIRST_USER}\n  password: {password}   (shown only now)")
        if not (WEB_DIR / "index.html").exists():
            typer.echo("  the web client is not built: make web", err=True)
        typer.echo(f"\n  VMS is at {address}   (Ctrl-C stops it)\n")
    except OSError as error:
        log.warning("standard output cannot be written to", error=error.strerror, address=address)
        if password is not None:
            log.warning(f"nobody saw the first password; set one: vms user password {FIRST_USER}")
        _forget_standard_output()


def _forget_standard_output() -> None:
    """What still waits in its buffer would fail once more, and with it the end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

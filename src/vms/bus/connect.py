"""From settings to a bus."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from vms.bus.local import LocalBus
from vms.bus.memory import MemoryBus
from vms.bus.port import Bus
from vms.bus.settings import BusSettings
from vms.common.secret import join_credentials


async def open_bus(settings: BusSettings) -> Bus:
    """The bus that `settings` name, connected. Raises BusError where it cannot be reached."""
    if settings.scheme == "memory":
        return MemoryBus()
    if settings.scheme == "unix":
        path = urlsplit(settings.servers[0]).path
        local = LocalBus(path, host=settings.broker == "auto")
        await local.start(settings.connect_timeout_s)
        return local
    # Only who uses NATS pays for importing it.
    from vms.bus.nats import NatsBus

    servers = [_with_credentials(server, settings) for server in settings.servers]
    return await NatsBus.connect(servers, settings.connect_timeout_s)


def _with_credentials(server: str, settings: BusSettings) -> str:
    if settings.password or not settings.username:
        return join_credentials(server, settings.username, settings.password)
    parts = urlsplit(server)
    token = quote(settings.username, safe="")
    return urlunsplit(parts._replace(netloc=f"{token}@{parts.netloc}"))

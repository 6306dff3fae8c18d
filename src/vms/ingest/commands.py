"""What other roles may ask of ingest: try an address, find devices, read a device."""

from __future__ import annotations

import structlog

from vms.common.clock import Clock
from vms.common.errors import ConfigError, SourceError, VmsError
from vms.common.model.camera import Transport
from vms.common.model.messages import Command, Reply
from vms.common.secret import Secret, redact
from vms.ingest.discovery import discover
from vms.ingest.onvif_device import read_device
from vms.ingest.probe import probe
from vms.ingest.settings import IngestSettings

log = structlog.get_logger(__name__)

_LONGEST_DISCOVERY = 15.0


class Commands:
    """Serves `subjects.INGEST_COMMANDS`; errors are sentences for people."""

    def __init__(self, settings: IngestSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def handle(self, command: Command) -> Reply:
        """Answer one command; never raises."""
        try:
            match command.kind:
                case "probe":
                    return await self._probe(command)
                case "discover":
                    return await self._discover(command)
                case "onvif":
                    return await self._onvif(command)
            return Reply(error=f"ingest knows no command {command.kind[:40]!r}")
        except VmsError as error:
            return Reply(error=redact(str(error)))
        except Exception as error:
            log.exception("command failed", kind=command.kind)
            return Reply(error=f"unexpected error ({type(error).__name__}), see the log of ingest")

    async def _probe(self, command: Command) -> Reply:
        body = command.body
        try:
            transport = Transport(str(body.get("transport") or "tcp"))
        except ValueError:
            raise ConfigError("transport must be tcp or udp") from None
        found = await probe(
            _text(command, "url"),
            _text(command, "username"),
            Secret(_text(command, "password")),
            transport,
            self._settings,
            self._clock,
        )
        return Reply(found.as_json())

    async def _discover(self, command: Command) -> Reply:
        wait = command.body.get("timeout_s", 3.0)
        if not isinstance(wait, int | float) or not 0 < wait <= _LONGEST_DISCOVERY:
            raise ConfigError(f"timeout_s must be a number up to {_LONGEST_DISCOVERY:g}")
        address = _text(command, "address")
        devices = await discover(float(wait), self._settings, address)
        return Reply({"devices": [device.as_json() for device in devices]})

    async def _onvif(self, command: Command) -> Reply:
        address = _text(command, "address")
        if not address:
            raise SourceError("the address of the device is missing, as in 192.168.1.20")
        device = await read_device(
            address, _text(command, "username"), Secret(_text(command, "password")), self._settings
        )
        return Reply(device)


def _text(command: Command, name: str) -> str:
    value = command.body.get(name, "")
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be text")
    return value

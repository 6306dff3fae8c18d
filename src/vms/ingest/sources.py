"""Chooses the source for an address."""

from __future__ import annotations

from vms.common.clock import Clock
from vms.common.model.camera import Transport
from vms.common.secret import Secret
from vms.ingest.address import parse_address
from vms.ingest.av_source import AvSource
from vms.ingest.rtsp_source import RtspSource
from vms.ingest.settings import IngestSettings
from vms.ingest.source import Source


def make_source(
    url: str,
    transport: Transport,
    username: str,
    password: Secret,
    settings: IngestSettings,
    clock: Clock,
) -> Source:
    """A source that is not yet open. Raises ConfigError for an address that may not be."""
    address = parse_address(url, settings, username, password)
    if address.is_rtsp:
        return RtspSource(address, transport, settings, clock)
    return AvSource(address, settings)

"""WS-Discovery (2005/04, as ONVIF Core 7 uses it): answers probes for cameras."""

from __future__ import annotations

import asyncio
import socket
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog

from vms.common.errors import ConfigError, ParseError
from vms.simulator.onvif_answers import scope_items
from vms.simulator.soap import local, named, parse_envelope, text

log = structlog.get_logger(__name__)

GROUP = "239.255.255.250"
PORT = 3702
_TYPES = frozenset({"NetworkVideoTransmitter", "Device"})


@dataclass(frozen=True, slots=True)
class Device:
    """What an answer says of a device: a lasting UUID, its name and its address."""

    id: str
    name: str
    address: str


class DiscoveryResponder(asyncio.DatagramProtocol):
    """Listens for probes on UDP and answers each for all `devices`."""

    def __init__(self, host: str, port: int, devices: Callable[[], list[Device]]) -> None:
        self._host, self._port, self._devices = host, port, devices
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> int:
        """Listen; gives the port. On the real port it joins the group on `host`."""
        loop = asyncio.get_running_loop()
        try:
            sock = _socket(self._host, self._port)
        except OSError as error:
            raise ConfigError(
                f"WS-Discovery cannot listen on UDP port {self._port}: {error.strerror or error}"
            ) from error
        await loop.create_datagram_endpoint(lambda: self, sock=sock)
        return int(sock.getsockname()[1])

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            message = probe(data)
        except ParseError as error:
            log.debug("not a probe", error=str(error))
            return
        if message is not None and self._transport is not None:
            for device in self._devices():
                self._transport.sendto(_match(message, device), addr)


def probe(data: bytes) -> str | None:
    """The message id of a probe that asks for cameras, None for other messages.

    Raises ParseError for what is no SOAP message.
    """
    root = parse_envelope(data)
    found = next(named(root, "Probe"), None)
    if found is None:
        return None
    types = next((e.text or "" for e in found if local(e.tag) == "Types"), "").split()
    wanted = {name.rpartition(":")[2] for name in types}
    if wanted and not wanted & _TYPES:
        return None
    return next((e.text or "" for e in named(root, "MessageID")), "").strip()[:200]


def _match(message: str, device: Device) -> bytes:
    scopes = " ".join(scope_items(device.name))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
        'xmlns:dn="http://www.onvif.org/ver10/network/wsdl" '
        'xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><s:Header>'
        f"<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID>"
        f"<a:RelatesTo>{text(message)}</a:RelatesTo>"
        "<a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>"
        "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action>"
        "</s:Header><s:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference>"
        f"<a:Address>urn:uuid:{device.id}</a:Address></a:EndpointReference>"
        "<d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types>"
        f"<d:Scopes>{scopes}</d:Scopes><d:XAddrs>{text(device.address)}</d:XAddrs>"
        "<d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>"
        "</s:Body></s:Envelope>"
    ).encode()


def _socket(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if port == PORT:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", port))
            interface = socket.inet_aton("0.0.0.0" if host == "0.0.0.0" else host)  # noqa: S104
            group = struct.pack("4s4s", socket.inet_aton(GROUP), interface)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        else:
            sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock

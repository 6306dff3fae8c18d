"""Finds ONVIF devices: WS-Discovery over multicast, or asked of one address.

Sources: OASIS WS-Discovery 1.1 (as the 2005/04 draft that ONVIF Core 7 uses), SOAP over UDP.
Answers come from anybody on the network: they are bounded, and read without entities.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import ParseError as XmlError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from vms.common.errors import ParseError, SourceUnreachable
from vms.ingest.settings import IngestSettings

MULTICAST = "239.255.255.250"
PORT = 3702
USUAL_PATH = "/onvif/device_service"

_MOST_DEVICES = 512
_MOST_ANSWERS = 4096
_MOST_BYTES = 32 * 1024
_MOST_TEXT = 2048
_SENDINGS = (0.0, 0.25, 0.75)
"""Seconds after which the question is asked again: datagrams get lost."""

_PROBE = """<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"
 xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>
<a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>
<a:MessageID>{message}</a:MessageID>
<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>
<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>
<s:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that answered. `address` is what `onvif_device.read_device` takes: its host,
    host and port, or the whole address of its service where that is an unusual one.
    `xaddrs` are the addresses of that service as it gave them."""

    address: str
    name: str
    hardware: str
    xaddrs: tuple[str, ...]
    identity: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "name": self.name,
            "hardware": self.hardware,
            "xaddrs": list(self.xaddrs),
        }


async def discover(
    seconds: float, settings: IngestSettings, address: str = "", port: int = PORT
) -> list[Device]:
    """The devices that answer within `seconds`, by address.

    With `address` only that host is asked, which also works where multicast does not reach.
    Raises SourceUnreachable where no question could be sent at all.
    """
    target = (address or MULTICAST, port)
    gather = _Gather()
    transports: list[asyncio.DatagramTransport] = []
    try:
        for sock in _sockets(settings.discovery_interfaces, multicast=not address):
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: gather, sock=sock
            )
            transports.append(transport)
        if not transports:
            raise SourceUnreachable("this machine has no network address to search from")
        await _ask(transports, target, seconds)
    finally:
        for transport in transports:
            transport.close()
    return sorted(gather.devices.values(), key=lambda device: device.address)


async def _ask(
    transports: Sequence[asyncio.DatagramTransport], target: tuple[str, int], seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    question = _PROBE.format(message=f"urn:uuid:{uuid.uuid4()}").encode()
    for after in _SENDINGS:
        if after >= seconds:
            break
        await asyncio.sleep(begin + after - loop.time())
        for transport in transports:
            transport.sendto(question, target)
    await asyncio.sleep(max(0.0, begin + seconds - loop.time()))


def _sockets(interfaces: Sequence[str], multicast: bool) -> list[socket.socket]:
    """One socket per interface of ours, so that each network is asked; one where not multicast."""
    if not multicast:
        return [_socket(0)]
    opened: list[socket.socket] = []
    for index, name in socket.if_nameindex()[:64]:
        if interfaces and name not in interfaces:
            continue
        try:
            opened.append(_socket(index))
        except OSError:
            continue
    return opened


def _socket(interface: int) -> socket.socket:
    """A socket that sends multicast by the interface of that index (struct ip_mreqn)."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind(("", 0))
        if interface:
            choice = struct.pack("4s4si", bytes(4), bytes(4), interface)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, choice)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
    except OSError:
        sock.close()
        raise
    return sock


class _Gather(asyncio.DatagramProtocol):
    """Collects answers, a bounded number of them."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self._answers = 0

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._answers += 1
        if self._answers > _MOST_ANSWERS:
            return
        try:
            found = parse_matches(data, str(addr[0]))
        except ParseError:
            return
        for device in found:
            if len(self.devices) < _MOST_DEVICES:
                self.devices[device.identity or device.address] = device

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: nobody listens there."""


def parse_matches(data: bytes, sender: str) -> list[Device]:
    """The devices in an answer to a probe; ParseError where it is none."""
    if len(data) > _MOST_BYTES:
        raise ParseError(f"answer of {len(data)} bytes to a discovery probe")
    try:
        root = fromstring(data, forbid_dtd=True)
    except (XmlError, DefusedXmlException, ValueError, LookupError) as error:
        raise ParseError(f"discovery answer is not acceptable XML: {error}") from None
    return [_device(match, sender) for match in _named(root, "ProbeMatch")[:16]]


def _device(match: Element, sender: str) -> Device:
    xaddrs = [
        text for text in _text(match, "XAddrs").split() if text.startswith(("http://", "https://"))
    ][:8]
    scopes = _text(match, "Scopes").split()[:128]
    chosen = _nearest(xaddrs, sender)
    return Device(
        chosen or sender,
        _scope(scopes, "name"),
        _scope(scopes, "hardware"),
        tuple(xaddrs),
        _text(match, "Address")[:200],
    )


def _nearest(xaddrs: Sequence[str], sender: str) -> str:
    """The service address at the host that answered, else the first; shortened to host, or
    host and port, where the rest is what every device has."""
    places: list[str] = []
    for url in xaddrs:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            continue
        if not host:
            continue
        usual = parts.scheme == "http" and parts.path in ("", "/", USUAL_PATH) and not parts.query
        short = f"[{host}]" if ":" in host else host
        if port not in (None, 80):
            short += f":{port}"
        if host == sender:
            return short if usual else url
        places.append(short if usual else url)
    return places[0] if places else ""


def _scope(scopes: Sequence[str], name: str) -> str:
    """The value of an ONVIF scope (ONVIF Core 7.3.2.2), as onvif://www.onvif.org/name/Door."""
    prefix = f"onvif://www.onvif.org/{name}/"
    for scope in scopes:
        if scope.lower().startswith(prefix):
            return unquote(scope[len(prefix) :]).replace("_", " ")[:100]
    return ""


def _named(root: Element, name: str) -> list[Element]:
    return [element for element in root.iter() if element.tag.rpartition("}")[2] == name]


def _text(element: Element, name: str) -> str:
    found = _named(element, name)
    return (found[0].text or "").strip()[: _MOST_TEXT * 4] if found else ""

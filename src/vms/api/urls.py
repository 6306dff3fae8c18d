"""Which addresses of cameras may be set: the server will connect to them."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from vms.api.problems import RequestRefused
from vms.common.secret import Secret, split_credentials

_MAX_URL = 2048
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
# Where clouds hand out credentials to whoever asks from inside.
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")
)
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata"})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_camera_url(
    url: str, schemes: Sequence[str], loopback_http: bool, field: str = "url"
) -> tuple[str, str, Secret]:
    """The address without its credentials, and those. Raises RequestRefused naming `field`.

    Refused: other schemes (file: above all), no host, a port out of range, hosts of cloud
    metadata, and http(s) to this machine unless `loopback_http`.
    """
    if len(url) > _MAX_URL or _UNPRINTABLE.search(url):
        raise RequestRefused(
            f"the address must have at most {_MAX_URL} characters and no spaces", field=field
        )
    try:
        bare, username, password = split_credentials(url)
        parts = urlsplit(bare)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RequestRefused(f"this is no address: {error}", field=field) from error
    if parts.scheme.lower() not in schemes:
        raise RequestRefused(
            f"the address must begin with one of {', '.join(f'{s}://' for s in schemes)}",
            field=field,
        )
    if not host or port == 0:
        raise RequestRefused("the address needs a host, as in rtsp://10.0.0.5/main", field=field)
    address = check_camera_host(host, field)
    if parts.scheme.lower() in ("http", "https") and not loopback_http:
        _refuse_loopback(host, address, field)
    return bare, username, password


def check_camera_host(host: str, field: str = "address") -> Address | None:
    """The address `host` spells, None for a name. Raises RequestRefused for metadata hosts."""
    address = literal(host)
    if address in _METADATA or host.lower().rstrip(".") in _METADATA_NAMES:
        raise RequestRefused(f"{host} is no camera but a service of the cloud", field=field)
    return address


def literal(host: str) -> Address | None:
    """The address that `host` spells, also in the odd forms that resolvers take (0x7f.1)."""
    text = host.partition("%")[0].rstrip(".")
    try:
        found: Address = ipaddress.ip_address(text)
    except ValueError:
        try:
            found = ipaddress.ip_address(socket.inet_aton(text))
        except (OSError, UnicodeError, ValueError):
            return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _refuse_loopback(host: str, address: Address | None, field: str) -> None:
    name = host.lower().rstrip(".")
    local = name == "localhost" or name.endswith(".localhost")
    if local or (address is not None and (address.is_loopback or address.is_unspecified)):
        raise RequestRefused(
            "http addresses of this machine itself are not taken "
            "(setting api.loopback_http allows them)",
            field=field,
        )


def check_onvif_address(address: str, field: str = "body.address") -> None:
    """A host, host:port or http(s) address of a device service. Raises RequestRefused."""
    if _UNPRINTABLE.search(address):
        raise RequestRefused("the address must have no spaces", field=field)
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RequestRefused(f"this is no address: {error}", field=field) from error
    if parts.scheme.lower() not in ("http", "https") or not host or port == 0:
        raise RequestRefused("expected a host, host:port or http address", field=field)
    if "@" in parts.netloc:
        raise RequestRefused("give the user name and password in their own fields", field=field)
    check_camera_host(host, field)

"""The values of RTSP headers that carry structure (RFC 2326 section 12)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from vms.common.errors import ParseError

_MAX_TRANSPORTS = 16


@dataclass(frozen=True, slots=True)
class Transport:
    """One transport: `protocol` is RTP/AVP (UDP) or RTP/AVP/TCP; ports and channels are pairs
    (RTP, RTCP), None where not said; `ssrc` as a number, None where not said."""

    protocol: str = "RTP/AVP"
    unicast: bool = True
    interleaved: tuple[int, int] | None = None
    client_port: tuple[int, int] | None = None
    server_port: tuple[int, int] | None = None
    ssrc: int | None = None
    source: str = ""
    destination: str = ""
    mode: str = ""

    @property
    def over_tcp(self) -> bool:
        return self.protocol.upper().endswith("/TCP") or self.interleaved is not None

    def encode(self) -> str:
        parts = [self.protocol, "unicast" if self.unicast else "multicast"]
        for name, pair in (
            ("interleaved", self.interleaved),
            ("client_port", self.client_port),
            ("server_port", self.server_port),
        ):
            if pair is not None:
                parts.append(f"{name}={pair[0]}-{pair[1]}")
        if self.source:
            parts.append(f"source={self.source}")
        if self.destination:
            parts.append(f"destination={self.destination}")
        if self.ssrc is not None:
            parts.append(f"ssrc={self.ssrc:08X}")
        if self.mode:
            parts.append(f'mode="{self.mode}"')
        return ";".join(parts)


def parse_transports(value: str) -> list[Transport]:
    """The transports of a Transport header, best first; ParseError where one is malformed."""
    specs = value.split(",")
    if len(specs) > _MAX_TRANSPORTS:
        raise ParseError(f"Transport header with {len(specs)} transports")
    return [_transport(spec) for spec in specs if spec.strip()]


def parse_transport(value: str) -> Transport:
    """The one transport that a server chose."""
    found = parse_transports(value)
    if not found:
        raise ParseError("empty Transport header")
    return found[0]


def _transport(spec: str) -> Transport:
    protocol, *rest = (part.strip() for part in spec.split(";"))
    fields: dict[str, str] = {}
    for part in rest:
        name, _, text = part.partition("=")
        fields.setdefault(name.strip().lower(), text.strip().strip('"'))
    return Transport(
        protocol,
        "multicast" not in fields,
        _pair(fields, "interleaved", 255),
        _pair(fields, "client_port", 65535),
        _pair(fields, "server_port", 65535),
        _ssrc(fields.get("ssrc", "")),
        fields.get("source", ""),
        fields.get("destination", ""),
        fields.get("mode", ""),
    )


def _pair(fields: dict[str, str], name: str, limit: int) -> tuple[int, int] | None:
    text = fields.get(name)
    if text is None:
        return None
    low, dash, high = text.partition("-")
    first = decimal(low, limit, name)
    return first, decimal(high, limit, name) if dash else min(first + 1, limit)


def _ssrc(text: str) -> int | None:
    """Cameras write it in hex as they should, in decimal, or not at all: a hint only."""
    try:
        return int(text, 16) & 0xFFFFFFFF if 0 < len(text) <= 10 else None
    except ValueError:
        return None


def decimal(text: str, limit: int, what: str) -> int:
    """A decimal number from 0 to `limit`; ParseError otherwise."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) > limit:
        raise ParseError(f"{what} {text[:40]!r} is not a number up to {limit}")
    return int(text)


def parse_session(value: str) -> tuple[str, int]:
    """(session id, timeout in seconds) of a Session header; 60 s where it is not said."""
    identifier, *rest = (part.strip() for part in value.split(";"))
    if not identifier or len(identifier) > 512:
        raise ParseError(f"Session header {value[:40]!r}")
    timeout = 60
    for part in rest:
        name, _, text = part.partition("=")
        if name.strip().lower() == "timeout" and text.strip().isdigit():
            timeout = min(decimal(text[:9], 999_999_999, "timeout"), 86_400) or 60
    return identifier, timeout


@dataclass(frozen=True, slots=True)
class RtpInfo:
    """Where a stream begins after PLAY: first sequence number and timestamp, if said."""

    url: str
    sequence: int | None = None
    rtp_time: int | None = None


def parse_rtp_info(value: str) -> list[RtpInfo]:
    """The streams of an RTP-Info header; what cannot be read counts as not said."""
    found: list[RtpInfo] = []
    for entry in value.split(",")[:64]:
        fields: dict[str, str] = {}
        for part in entry.split(";"):
            name, _, text = part.partition("=")
            fields[name.strip().lower()] = text.strip()
        if "url" in fields:
            found.append(
                RtpInfo(
                    fields["url"],
                    _maybe(fields.get("seq", ""), 0xFFFF),
                    _maybe(fields.get("rtptime", ""), 0xFFFFFFFF),
                )
            )
    return found


def _maybe(text: str, limit: int) -> int | None:
    try:
        return decimal(text, limit, "number")
    except ParseError:
        return None


def resolve_control(base: str, control: str) -> str:
    """The URL of a control attribute (RFC 2326 C.1.1), as servers in the field mean it.

    An absolute URL stands for itself, `*` or nothing for the base; anything else is put
    behind the base with one slash between, also where the base has a query.
    """
    if not control or control == "*":
        return base
    if control.lower().startswith(("rtsp://", "rtsps://", "rtspu://")):
        return control
    return base.rstrip("/") + "/" + control.lstrip("/")


def without_credentials(url: str) -> str:
    """A URL without user name and password; ParseError where it is none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError as error:
        raise ParseError("URL that cannot be read") from error
    if ":" in host:
        host = f"[{host}]"
    netloc = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))

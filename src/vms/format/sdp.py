"""Session descriptions (RFC 8866), as cameras write them and as we do.

Reading is lenient: unknown lines, wrong order and bare line feeds pass. Sizes are bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from vms.common.errors import ParseError

MAX_BYTES = 64 * 1024
MAX_LINES = 2000
MAX_MEDIA = 64
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

Attributes = tuple[tuple[str, str | None], ...]


class RtpMap(NamedTuple):
    """Encoding name as written, clock in ticks a second, channels (1 where not said)."""

    name: str
    rate: int
    channels: int = 1


STATIC_FORMATS = {
    0: RtpMap("PCMU", 8000),
    8: RtpMap("PCMA", 8000),
}
"""Payload types that need no rtpmap (RFC 3551 section 6), of the codecs known here."""


@dataclass(frozen=True, slots=True)
class Media:
    """One media description.

    `formats` as written; `rtpmap` and `fmtp` by payload type, fmtp names in lower case;
    `direction` is that of the session where the media has none; `attributes` holds all
    others as (name, value or None), in order.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    rtpmap: dict[int, RtpMap] = field(default_factory=dict)
    fmtp: dict[int, dict[str, str]] = field(default_factory=dict)
    control: str = ""
    direction: str = ""
    attributes: Attributes = ()
    connection: str = ""

    def payload_types(self) -> list[int]:
        """The RTP payload types among the formats, in order of preference."""
        return [int(text) for text in self.formats if _is_payload_type(text)]

    def attribute(self, name: str) -> str | None:
        """The value of the first attribute of that name, None where there is none."""
        return next((value for key, value in self.attributes if key == name), None)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    media: tuple[Media, ...] = ()
    origin: str = "- 0 0 IN IP4 0.0.0.0"
    name: str = "-"
    information: str = ""
    connection: str = ""
    time: str = "0 0"
    control: str = ""
    direction: str = ""
    attributes: Attributes = ()

    def attribute(self, name: str) -> str | None:
        """The value of the first session attribute of that name."""
        return next((value for key, value in self.attributes if key == name), None)


def _is_payload_type(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) < 128


def parse(data: bytes | str) -> SessionDescription:
    """Reads a session description; ParseError where it is none, or too large."""
    if len(data) > MAX_BYTES:
        raise ParseError(f"session description of {len(data)} bytes; at most {MAX_BYTES}")
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    lines = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > MAX_LINES:
        raise ParseError(f"session description of {len(lines)} lines; at most {MAX_LINES}")
    session: dict[str, str] = {}
    sections: list[_Section] = [_Section()]
    for line in lines:
        kind, equals, value = line.partition("=")
        kind, value = kind.strip(), value.strip()
        if not equals or len(kind) != 1:
            continue
        if kind == "m":
            if len(sections) > MAX_MEDIA:
                raise ParseError(f"session description of more than {MAX_MEDIA} media")
            sections.append(_Section(value))
        elif kind == "a":
            sections[-1].attribute(value)
        elif kind == "c":
            sections[-1].connection = sections[-1].connection or value
        elif len(sections) == 1:
            session.setdefault(kind, value)
    head = sections[0]
    if "v" not in session and len(sections) == 1:
        raise ParseError("not a session description: neither version nor media")
    return SessionDescription(
        media=tuple(section.media(head.direction) for section in sections[1:]),
        origin=session.get("o", ""),
        name=session.get("s", ""),
        information=session.get("i", ""),
        connection=head.connection,
        time=session.get("t", ""),
        control=head.control,
        direction=head.direction,
        attributes=tuple(head.others),
    )


class _Section:
    """What gathers while the lines of the session or of one media are read."""

    def __init__(self, line: str = "") -> None:
        self.line = line
        self.connection = ""
        self.control = ""
        self.direction = ""
        self.rtpmap: dict[int, RtpMap] = {}
        self.fmtp: dict[int, dict[str, str]] = {}
        self.others: list[tuple[str, str | None]] = []

    def attribute(self, text: str) -> None:
        name, colon, value = text.partition(":")
        name, value = name.strip(), value.strip()
        lower = name.lower()
        if lower == "control":
            self.control = self.control or value
        elif lower in _DIRECTIONS and not colon:
            self.direction = lower
        elif lower in ("rtpmap", "fmtp") and self.line:
            number, _, rest = value.partition(" ")
            if not _is_payload_type(number):
                raise ParseError(f"{lower} of payload type {number[:20]!r}")
            if lower == "rtpmap":
                self.rtpmap[int(number)] = _rtpmap(rest.strip())
            else:
                self.fmtp.setdefault(int(number), {}).update(_fmtp(rest))
        else:
            self.others.append((name, value if colon else None))

    def media(self, direction: str) -> Media:
        words = self.line.split()
        if len(words) < 3:
            raise ParseError(f"media line {self.line[:80]!r}")
        port = words[1].partition("/")[0]
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
            raise ParseError(f"media port {port[:20]!r}")
        return Media(
            kind=words[0],
            port=int(port),
            protocol=words[2],
            formats=tuple(words[3:]),
            rtpmap=self.rtpmap,
            fmtp=self.fmtp,
            control=self.control,
            direction=self.direction or direction,
            attributes=tuple(self.others),
            connection=self.connection,
        )


def _rtpmap(text: str) -> RtpMap:
    name, _, rest = text.partition("/")
    rate, _, channels = rest.partition("/")
    rate, channels = rate.strip(), channels.strip()
    if not (rate.isascii() and rate.isdigit() and len(rate) <= 9 and int(rate)):
        raise ParseError(f"rtpmap {text[:60]!r}")
    known = channels.isascii() and channels.isdigit() and len(channels) <= 3
    return RtpMap(name.strip(), int(rate), int(channels) or 1 if known else 1)


def _fmtp(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.strip().partition("=")
        if name.strip():
            found[name.strip().lower()] = value.strip()
    return found


def build(description: SessionDescription) -> bytes:
    """The text of a session description; ParseError where a value holds a line break."""
    session = description
    lines = ["v=0", f"o={session.origin}", f"s={session.name}"]
    if session.information:
        lines.append(f"i={session.information}")
    if session.connection:
        lines.append(f"c={session.connection}")
    lines.append(f"t={session.time}")
    lines += _attribute_lines(session.control, session.direction, session.attributes)
    for media in session.media:
        lines.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}")
        if media.connection:
            lines.append(f"c={media.connection}")
        for number, entry in media.rtpmap.items():
            channels = f"/{entry.channels}" if entry.channels != 1 else ""
            lines.append(f"a=rtpmap:{number} {entry.name}/{entry.rate}{channels}")
        for number, values in media.fmtp.items():
            text = ";".join(f"{name}={value}" if value else name for name, value in values.items())
            lines.append(f"a=fmtp:{number} {text}")
        inherited = media.direction == session.direction
        direction = "" if inherited else media.direction
        lines += _attribute_lines(media.control, direction, media.attributes)
    if any("\r" in line or "\n" in line for line in lines):
        raise ParseError("line break inside a session description's value")
    return ("\r\n".join(lines) + "\r\n").encode()


def _attribute_lines(control: str, direction: str, attributes: Attributes) -> list[str]:
    lines = [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]
    if direction:
        lines.append(f"a={direction}")
    if control:
        lines.append(f"a=control:{control}")
    return lines


def with_control(media: Media, control: str) -> Media:
    """The same media under another control URL."""
    return replace(media, control=control)

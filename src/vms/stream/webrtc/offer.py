"""The viewer's offer: what of SDP (RFC 8866) WebRTC (RFC 8829) puts into it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from vms.common.errors import ParseError

MAX_BYTES = 64 * 1024
_MAX_LINES = 4000
_MAX_SECTIONS = 32
_MAX_FORMATS = 128
_TOKEN = re.compile(r"[A-Za-z0-9+/]{4,256}")
_MID = re.compile(r"[!-~]{1,64}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
_DIGESTS = {"sha-256": 32, "sha-384": 48, "sha-512": 64}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`algorithm` as in SDP, like `sha-256`; `digest` of the certificate's DER."""

    algorithm: str
    digest: bytes


@dataclass(slots=True)
class PayloadFormat:
    """One payload type: `name` in lower case, fmtp keys in lower case."""

    number: int
    name: str = ""
    rate: int = 0
    channels: int = 1
    parameters: dict[str, str] = field(default_factory=dict)
    fmtp: str = ""
    feedback: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Section:
    """One `m=` section with what it takes over from the session."""

    kind: str
    port: int
    protocol: str
    formats: dict[int, PayloadFormat]
    listed: str
    mid: str = ""
    direction: str = "sendrecv"
    ufrag: str = ""
    password: str = ""
    setup: str = ""
    fingerprints: list[Fingerprint] = field(default_factory=list)
    extensions: dict[str, int] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)

    def named(self, name: str, rate: int) -> list[PayloadFormat]:
        """The payload formats of an encoding, in the order of preference."""
        return [f for f in self.formats.values() if f.name == name and f.rate == rate]

    def retransmission_of(self, number: int) -> PayloadFormat | None:
        """The RTX format (RFC 4588) for payload type `number`."""
        return next(
            (f for f in self.formats.values() if f.name == "rtx"
             and f.parameters.get("apt") == str(number)), None,
        )  # fmt: skip

    @property
    def receives(self) -> bool:
        """Whether the viewer wants media here."""
        wanted = self.port != 0 or "bundle-only" in self.flags
        return wanted and self.direction in ("sendrecv", "recvonly")


@dataclass(frozen=True, slots=True)
class Offer:
    sections: tuple[Section, ...]
    bundle: tuple[str, ...]


def parse_offer(text: str) -> Offer:
    """Read an offer. Raises ParseError where it is not one; unknown lines are passed over."""
    if len(text) > MAX_BYTES:
        raise ParseError(f"an SDP offer of {len(text)} bytes; {MAX_BYTES} are read")
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > _MAX_LINES:
        raise ParseError("an SDP offer of too many lines")
    if not lines[0].startswith("v=0"):
        raise ParseError("an SDP offer starts with v=0")
    session = Section("session", 9, "", {}, "")
    bundle: tuple[str, ...] = ()
    sections: list[Section] = []
    current = session
    for line in lines[1:]:
        if line.startswith("m="):
            if len(sections) == _MAX_SECTIONS:
                raise ParseError(f"an SDP offer of more than {_MAX_SECTIONS} media sections")
            current = _open_section(line, session)
            sections.append(current)
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            if name == "group" and current is session and value.startswith("BUNDLE "):
                bundle = tuple(value.split()[1:])
            else:
                _attribute(current, name, value.strip())
    if not sections:
        raise ParseError("an SDP offer without a media section")
    return Offer(tuple(sections), bundle)


def _open_section(line: str, session: Section) -> Section:
    parts = line[2:].split()
    if len(parts) < 4 or not parts[0].isalnum() or len(parts) > 3 + _MAX_FORMATS:
        raise ParseError(f"SDP media line {line[:80]!r}")
    port = _number(parts[1].partition("/")[0], 65535, line)
    formats: dict[int, PayloadFormat] = {}
    if "RTP" in parts[2]:
        numbers = [_number(part, 127, line) for part in parts[3:]]
        formats = {
            number: PayloadFormat(number, *_STATIC.get(number, ("", 0))) for number in numbers
        }
    return Section(
        parts[0], port, parts[2], formats, " ".join(parts[3:]),
        direction=session.direction, ufrag=session.ufrag, password=session.password,
        setup=session.setup, fingerprints=list(session.fingerprints),
        extensions=dict(session.extensions), flags=set(session.flags),
    )  # fmt: skip


_STATIC = {0: ("pcmu", 8000), 8: ("pcma", 8000)}


def _number(text: str, most: int, line: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 6 or int(text) > most:
        raise ParseError(f"SDP line {line[:80]!r}: {text[:20]!r} is not a number up to {most}")
    return int(text)


def _attribute(section: Section, name: str, value: str) -> None:
    if name in _DIRECTIONS:
        section.direction = name
    elif name in ("rtpmap", "fmtp", "rtcp-fb"):
        _format_attribute(section, name, value)
    elif name == "mid":
        section.mid = _checked(_MID, value, "a=mid")
    elif name == "ice-ufrag":
        section.ufrag = _checked(_TOKEN, value, "a=ice-ufrag")
    elif name == "ice-pwd":
        section.password = _checked(_PASSWORD, value, "a=ice-pwd")
    elif name == "setup":
        section.setup = value
    elif name == "fingerprint":
        _fingerprint(section, value)
    elif name == "extmap":
        number, _, rest = value.partition(" ")
        number = number.partition("/")[0]
        if rest and number.isascii() and number.isdigit() and 1 <= int(number[:6]) <= 14:
            section.extensions[rest.split()[0]] = int(number)
    elif name in ("rtcp-mux", "rtcp-rsize", "bundle-only"):
        section.flags.add(name)


def _checked(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise ParseError(f"SDP {what} has a value that is not allowed there")
    return value


def _format_attribute(section: Section, name: str, value: str) -> None:
    number, _, rest = value.partition(" ")
    if number == "*" and name == "rtcp-fb":
        for known in section.formats.values():
            known.feedback.add(rest.strip())
        return
    if not (number.isascii() and number.isdigit()) or len(number) > 3:
        raise ParseError(f"SDP a={name}:{value[:60]!r} has no payload type")
    payload = section.formats.get(int(number))
    if payload is None:
        return
    if name == "rtpmap":
        encoding = rest.strip().split("/")
        if len(encoding) < 2:
            raise ParseError(f"SDP a=rtpmap:{value[:60]!r} has no clock rate")
        payload.name = encoding[0].lower()
        payload.rate = _number(encoding[1], 999_999, value)
        payload.channels = _number(encoding[2], 255, value) if len(encoding) > 2 else 1
    elif name == "fmtp":
        payload.fmtp = rest.strip()[:512]
        for part in payload.fmtp.split(";"):
            key, _, setting = part.strip().partition("=")
            payload.parameters[key.lower()] = setting
    else:
        payload.feedback.add(rest.strip())


def _fingerprint(section: Section, value: str) -> None:
    algorithm, _, digits = value.partition(" ")
    size = _DIGESTS.get(algorithm.lower())
    if size is None:
        return
    try:
        digest = bytes.fromhex(digits.strip().replace(":", ""))
    except ValueError:
        digest = b""
    if len(digest) != size:
        raise ParseError(f"SDP a=fingerprint is not {size} bytes in hex")
    section.fingerprints.append(Fingerprint(algorithm.lower(), digest))

"""WHEP's PATCH: candidates that trickle in, and ICE restarts (RFC 9725 section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from vms.common.errors import ParseError
from vms.stream.webrtc.answer import Transport, candidates
from vms.stream.webrtc.offer import parse_offer

MAX_FRAGMENT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class IceFragment:
    """What a PATCH brings: the viewer's ICE name and password, empty where it has none."""

    ufrag: str
    password: str


def parse_fragment(text: str) -> IceFragment:
    """Read an application/trickle-ice-sdpfrag (RFC 8840). Raises ParseError.

    Candidates are not kept: a lite agent answers whatever address a check comes from.
    """
    if len(text) > MAX_FRAGMENT_BYTES:
        raise ParseError(f"an SDP fragment of {len(text)} bytes; {MAX_FRAGMENT_BYTES} are read")
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    if not lines or any(line[:2] not in ("a=", "m=", "c=") for line in lines):
        raise ParseError("an SDP fragment has lines that start with a= and m= only")
    body = lines if any(line.startswith("m=") for line in lines) else [*lines, _ANY_SECTION]
    parsed = parse_offer("\n".join(["v=0", *body]))
    section = parsed.sections[0]
    return IceFragment(section.ufrag, section.password)


_ANY_SECTION = "m=video 9 UDP/TLS/RTP/SAVPF 0"


def build_fragment(transport: Transport) -> str:
    """Our side after an ICE restart."""
    lines = [
        f"a=ice-ufrag:{transport.ufrag}",
        f"a=ice-pwd:{transport.password}",
        *candidates(transport),
        "a=end-of-candidates",
    ]
    return "\r\n".join(lines) + "\r\n"

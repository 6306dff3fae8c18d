"""Our answer to an offer (RFC 8829): ICE-lite, DTLS server, one transport for all."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from vms.stream.webrtc.negotiate import PLAYOUT_DELAY, Chosen, Plan
from vms.stream.webrtc.offer import Offer, Section

CNAME = "vms"


@dataclass(frozen=True, slots=True)
class Transport:
    """How we are reached. `fingerprint` is SHA-256 as in SDP; `addresses` best first."""

    ufrag: str
    password: str
    fingerprint: str
    addresses: Sequence[str]
    port: int


@dataclass(frozen=True, slots=True)
class Sources:
    """SSRCs of what we send; 0 for what we do not."""

    video: int
    retransmission: int
    audio: int


def build_answer(
    offer: Offer, plan: Plan, transport: Transport, sources: Sources, playout: bool
) -> str:
    """The SDP of the answer; sections that are not sent are refused."""
    mids = [
        offer.sections[chosen.section].mid
        for chosen in sorted(filter(None, (plan.video, plan.audio)), key=lambda c: c.section)
    ]
    lines = [
        "v=0",
        f"o=- {secrets.randbits(52)} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=msid-semantic: WMS vms",
    ]
    if offer.bundle:
        lines.insert(4, f"a=group:BUNDLE {' '.join(mids)}")
    for i, section in enumerate(offer.sections):
        if i == plan.video.section:
            lines += _video(section, plan.video, transport, sources, playout)
        elif plan.audio is not None and i == plan.audio.section:
            lines += _audio(section, plan.audio, transport, sources)
        else:
            lines += _refused(section)
    return "\r\n".join(lines) + "\r\n"


def _refused(section: Section) -> list[str]:
    lines = [f"m={section.kind} 0 {section.protocol} {section.listed}", "c=IN IP4 0.0.0.0"]
    if section.mid:
        lines.append(f"a=mid:{section.mid}")
    return [*lines, "a=inactive"]


def _opening(section: Section, chosen: Chosen, transport: Transport) -> list[str]:
    numbers = [chosen.payload.number]
    if chosen.retransmission is not None:
        numbers.append(chosen.retransmission.number)
    lines = [
        f"m={section.kind} 9 {section.protocol} {' '.join(map(str, numbers))}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        *candidates(transport),
        "a=end-of-candidates",
        f"a=ice-ufrag:{transport.ufrag}",
        f"a=ice-pwd:{transport.password}",
        f"a=fingerprint:sha-256 {transport.fingerprint}",
        "a=setup:passive",
    ]
    if section.mid:
        lines.append(f"a=mid:{section.mid}")
    lines += ["a=sendonly", "a=rtcp-mux", f"a=msid:vms {section.kind}"]
    if "rtcp-rsize" in section.flags:
        lines.append("a=rtcp-rsize")
    return lines


def candidates(transport: Transport) -> list[str]:
    """Host candidates (RFC 8839 section 5.1), the first the most preferred."""
    lines = []
    for i, address in enumerate(transport.addresses):
        # RFC 8445 section 5.1.2.1: type preference 126 for host, one component.
        priority = 126 << 24 | max(0, 65535 - i) << 8 | 255
        host = ipaddress.ip_address(address)
        lines.append(f"a=candidate:{i + 1} 1 udp {priority} {host} {transport.port} typ host")
    return lines


def _format_lines(chosen: Chosen, name: str) -> list[str]:
    number = chosen.payload.number
    lines = [f"a=rtpmap:{number} {name}"]
    lines += [
        f"a=rtcp-fb:{number} {feedback}"
        for feedback in ("nack", "nack pli", "ccm fir")
        if feedback in chosen.payload.feedback
    ]
    if chosen.payload.fmtp:
        lines.append(f"a=fmtp:{number} {chosen.payload.fmtp}")
    return lines


def _video(
    section: Section, chosen: Chosen, transport: Transport, sources: Sources, playout: bool
) -> list[str]:
    lines = _opening(section, chosen, transport)
    lines += _format_lines(chosen, f"{chosen.payload.name.upper()}/90000")
    if playout and chosen.playout:
        lines.append(f"a=extmap:{chosen.playout} {PLAYOUT_DELAY}")
    # The primary stands before its retransmission: Chromium drops all media otherwise.
    if chosen.retransmission is not None:
        number = chosen.retransmission.number
        lines += [
            f"a=rtpmap:{number} rtx/90000",
            f"a=fmtp:{number} apt={chosen.payload.number}",
            f"a=ssrc-group:FID {sources.video} {sources.retransmission}",
            f"a=ssrc:{sources.video} cname:{CNAME}",
            f"a=ssrc:{sources.retransmission} cname:{CNAME}",
        ]
    else:
        lines.append(f"a=ssrc:{sources.video} cname:{CNAME}")
    return lines


_AUDIO_NAMES = {"pcmu": "PCMU/8000", "pcma": "PCMA/8000", "opus": "opus/48000/2"}


def _audio(section: Section, chosen: Chosen, transport: Transport, sources: Sources) -> list[str]:
    lines = _opening(section, chosen, transport)
    lines += _format_lines(chosen, _AUDIO_NAMES[chosen.payload.name])
    lines.append(f"a=ssrc:{sources.audio} cname:{CNAME}")
    return lines

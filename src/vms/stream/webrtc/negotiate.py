"""What of a viewer's offer a stream can be sent as."""

from __future__ import annotations

from dataclasses import dataclass

from vms.common.errors import ParseError
from vms.common.model.media import Codec, CodecParameters
from vms.format import h264, h265
from vms.stream.errors import NotPlayable
from vms.stream.hub import Hub
from vms.stream.webrtc.offer import Fingerprint, Offer, PayloadFormat, Section

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
_BASELINE, _MAIN, _HIGH = 0x42, 0x4D, 0x64
# Which profiles a stream of a profile is best declared as. Browsers decode High under any
# of them, so each is better than nothing.
_PREFERENCE = {
    _BASELINE: (_BASELINE, _MAIN, _HIGH),
    _MAIN: (_MAIN, _HIGH, _BASELINE),
    _HIGH: (_HIGH, _MAIN, _BASELINE),
}
_AUDIO = {Codec.PCMU: ("pcmu", 8000), Codec.PCMA: ("pcma", 8000), Codec.OPUS: ("opus", 48_000)}


@dataclass(frozen=True, slots=True)
class Chosen:
    """One medium as it will be sent. `section` is its place in the offer."""

    section: int
    payload: PayloadFormat
    retransmission: PayloadFormat | None = None
    playout: int = 0
    """The ID of the playout-delay extension, 0 where it is not offered."""


@dataclass(frozen=True, slots=True)
class Plan:
    video: Chosen
    audio: Chosen | None
    ufrag: str
    """The viewer's ICE name."""
    fingerprints: tuple[Fingerprint, ...]


def negotiate(offer: Offer, hub: Hub) -> Plan:
    """Choose formats for the stream's video and audio.

    Raises NotPlayable with the reason where its video cannot be sent to this viewer, and
    ParseError where the offer lacks what every offer has.
    """
    parameters = hub.video
    if parameters is None:
        raise NotPlayable("the stream has no video")
    if hub.reordered:
        raise NotPlayable(
            "the stream has B-frames, which WebRTC does not play; use MSE, or switch them off "
            "in the camera"
        )
    video = _choose_video(offer, parameters)
    section = offer.sections[video.section]
    if not section.ufrag or not section.password or not section.fingerprints:
        raise ParseError("the offer has no ICE name, ICE password or SHA-2 fingerprint")
    if section.setup not in ("actpass", "active"):
        raise ParseError("the offer must let us be the DTLS server (a=setup:actpass)")
    audio = None
    if hub.audio is not None and section.mid in offer.bundle:
        audio = _choose_audio(offer, hub.audio)
    return Plan(video, audio, section.ufrag, tuple(section.fingerprints))


def _open_sections(offer: Offer, kind: str) -> list[tuple[int, Section]]:
    return [
        (i, section)
        for i, section in enumerate(offer.sections)
        if section.kind == kind
        and section.receives
        and "rtcp-mux" in section.flags
        and section.protocol in ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP")
    ]


def _choose_video(offer: Offer, parameters: CodecParameters) -> Chosen:
    sections = _open_sections(offer, "video")
    if not sections:
        raise NotPlayable("the offer asks for no video")
    for i, section in sections:
        payload = (
            _h264(section, parameters)
            if parameters.codec is Codec.H264
            else _h265(section, parameters)
        )
        if payload is not None:
            retransmission = section.retransmission_of(payload.number)
            playout = section.extensions.get(PLAYOUT_DELAY, 0)
            return Chosen(i, payload, retransmission, playout)
    name = "H.264 (packetization mode 1)" if parameters.codec is Codec.H264 else "H.265"
    raise NotPlayable(f"the stream is {name}, which this viewer does not offer to play")


def _h264(section: Section, parameters: CodecParameters) -> PayloadFormat | None:
    try:
        sps = h264.first_sps(parameters.parameter_sets)
    except ParseError:
        raise NotPlayable("the stream has not shown its parameter sets yet") from None
    order = _PREFERENCE.get(sps[1], _PREFERENCE[_HIGH])
    best: tuple[int, PayloadFormat] | None = None
    for payload in section.named("h264", 90_000):
        level_id = payload.parameters.get("profile-level-id", "42e01f")
        if payload.parameters.get("packetization-mode") != "1" or len(level_id) != 6:
            continue
        try:
            profile, constraints, _ = bytes.fromhex(level_id)
        except ValueError:
            continue
        if profile not in order:
            continue
        # Constrained Baseline is what every browser has; plain Baseline is seldom real.
        score = 4 * order.index(profile) + (profile == _BASELINE and not constraints & 0x40)
        if best is None or score < best[0]:
            best = (score, payload)
    return best[1] if best else None


def _h265(section: Section, parameters: CodecParameters) -> PayloadFormat | None:
    offered = [p for p in section.named("h265", 90_000) if "tx-mode" not in p.parameters
               or p.parameters["tx-mode"].upper() == "SRST"]  # fmt: skip
    ten_bit = _is_main10(parameters)
    fitting = [p for p in offered if (p.parameters.get("profile-id", "1") == "2") == ten_bit]
    return fitting[0] if fitting else None


def _is_main10(parameters: CodecParameters) -> bool:
    try:
        return h265.codec_string(parameters.parameter_sets).split(".")[1] == "2"
    except ParseError:
        return False


def _choose_audio(offer: Offer, parameters: CodecParameters) -> Chosen | None:
    wanted = _AUDIO.get(parameters.codec)
    if wanted is None or (parameters.codec is not Codec.OPUS and parameters.clock_rate != 8000):
        return None
    for i, section in _open_sections(offer, "audio"):
        if section.mid not in offer.bundle:
            continue
        found = section.named(*wanted)
        if found:
            return Chosen(i, found[0])
    return None

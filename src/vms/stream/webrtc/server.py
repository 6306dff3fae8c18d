"""WebRTC for all streams of this process: one UDP port, ICE-lite, viewers by address."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from vms.common.errors import NotFound, ParseError
from vms.format import stun
from vms.format.rtcp import Bye
from vms.stream import metrics
from vms.stream.errors import NotPlayable, TooManyViewers
from vms.stream.hub import Hub
from vms.stream.settings import WebRtcSettings
from vms.stream.webrtc.answer import Sources, Transport, build_answer
from vms.stream.webrtc.dtls import DtlsError, Identity
from vms.stream.webrtc.negotiate import negotiate
from vms.stream.webrtc.offer import parse_offer
from vms.stream.webrtc.outlet import Outlet
from vms.stream.webrtc.udp import Address, UdpPort
from vms.stream.webrtc.viewer import Credentials, Viewer

log = structlog.get_logger(__name__)

_TICK = 0.1
_PACE = 0.002
_GROUPS_A_PACE = 1


@dataclass(frozen=True, slots=True)
class Answered:
    """A new session: its id, its ICE session's tag, and the SDP to send back."""

    session: str
    tag: str
    sdp: str


class WebRtcServer:
    """Sessions come by `offer` and end by `end`, by the viewer's goodbye, or by silence."""

    def __init__(self, settings: WebRtcSettings, identity: Identity | None = None) -> None:
        self._settings = settings
        self._identity = identity or Identity()
        self._port: UdpPort | None = None
        self._viewers: dict[str, Viewer] = {}
        self._by_ufrag: dict[str, Viewer] = {}
        self._by_address: dict[Address, Viewer] = {}
        self._outlets: dict[tuple[str, str], Outlet] = {}
        self._behind: dict[str, Viewer] = {}
        self._tick_handle: asyncio.TimerHandle | None = None
        self._pace_handle: asyncio.TimerHandle | None = None
        self._gauge = metrics.viewers.labels("webrtc")

    def start(self) -> None:
        """Bind the port, if it is not. Raises ConfigError where that cannot be done."""
        if self._port is not None:
            return
        self._port = UdpPort(self._settings, self._on_datagram)
        self._port.start()
        self._tick_handle = asyncio.get_running_loop().call_later(_TICK, self._tick)
        log.info("webrtc ready", port=self._port.port, address=self._port.host or "all")

    def close(self) -> None:
        for viewer in list(self._viewers.values()):
            self.end(viewer, "server stops")
        for handle in (self._tick_handle, self._pace_handle):
            if handle is not None:
                handle.cancel()
        if self._port is not None:
            self._port.close()
            self._port = None

    @property
    def port(self) -> int:
        """The UDP port in use, 0 before `start`."""
        return self._port.port if self._port else 0

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        return tuple(self._viewers.values())

    def offer(
        self,
        hub: Hub,
        sdp: str,
        owner: str,
        reached_at: str = "",
        from_loopback: bool = False,
        delay_ms: tuple[int, int] | None = None,
    ) -> Answered:
        """Answer a viewer's offer for the stream of `hub`.

        `owner` is who asks; only they may change or end the session. `reached_at` is our
        address that the request came to: the best guess of one that works for media.
        Raises ParseError, NotPlayable or TooManyViewers.
        """
        port = self._port
        if port is None:
            raise NotPlayable("WebRTC is not running here, its UDP port cannot be had; use MSE")
        if len(self._viewers) >= self._settings.max_viewers:
            raise TooManyViewers(f"{self._settings.max_viewers} viewers are connected already")
        self._check_unconnected(owner)
        parsed = parse_offer(sdp)
        plan = negotiate(parsed, hub)
        viewer = Viewer((hub.camera, hub.stream), owner, plan, self._identity, port)
        outlet = self._outlets.get((hub.camera, hub.stream))
        if outlet is None or outlet.hub is not hub:
            outlet = self._outlets[(hub.camera, hub.stream)] = Outlet(
                hub, self.end, self._pace_if_behind
            )
        delay = delay_ms or self._settings.playout_delay_ms
        outlet.add(viewer, delay)
        self._viewers[viewer.id] = viewer
        credentials = viewer.credentials[0]
        self._by_ufrag[credentials.ufrag] = viewer
        self._gauge.set(len(self._viewers))
        transport = self._transport(credentials, reached_at, from_loopback)
        has_rtx = plan.video.retransmission is not None
        sources = Sources(outlet.video_ssrc, viewer.rtx_ssrc if has_rtx else 0, outlet.audio_ssrc)
        answer = build_answer(parsed, plan, transport, sources, delay is not None)
        log.info("viewer asks", camera=hub.camera, stream=hub.stream, session=viewer.id[:6])
        return Answered(viewer.id, viewer.tag, answer)

    def _check_unconnected(self, owner: str) -> None:
        """One user's offers that lead nowhere must not take the places of all others."""
        most = self._settings.max_unconnected_per_user
        viewers = self._viewers.values()
        if sum(one.owner == owner and not one.connected for one in viewers) >= most:
            raise TooManyViewers(
                f"{most} viewers of this user are not connected yet; does UDP get through?"
            )

    def _transport(self, credentials: Credentials, reached_at: str, loopback: bool) -> Transport:
        port = self._port
        assert port is not None
        addresses = list(self._settings.announce) or port.addresses(loopback)
        addresses.sort(key=lambda address: address != reached_at)
        return Transport(
            credentials.ufrag,
            credentials.password,
            self._identity.fingerprint,
            addresses,
            port.port,
        )

    def find(self, session: str, owner: str) -> Viewer:
        """The session of that name, for its owner. Raises NotFound."""
        viewer = self._viewers.get(session)
        if viewer is None or viewer.owner != owner:
            raise NotFound("no such WHEP session; it may have ended")
        return viewer

    def restart_ice(
        self, viewer: Viewer, remote_ufrag: str, reached_at: str, from_loopback: bool
    ) -> Transport:
        """New ICE credentials beside the old ones, which hold until the new are used."""
        while len(viewer.credentials) > 1:
            self._by_ufrag.pop(viewer.credentials.pop(0).ufrag, None)
        made = Credentials.make(remote_ufrag)
        viewer.credentials.append(made)
        viewer.tag = made.ufrag
        self._by_ufrag[made.ufrag] = viewer
        return self._transport(made, reached_at, from_loopback)

    def end(self, viewer: Viewer, reason: str) -> None:
        """End a session and forget it; once is enough, more do no harm."""
        if viewer.ended:
            return
        viewer.ended = True
        if viewer.watch is not None:
            viewer.watch.cancel()
        viewer.say_goodbye()
        self._flush_counts(viewer)
        self._viewers.pop(viewer.id, None)
        self._behind.pop(viewer.id, None)
        for credentials in viewer.credentials:
            self._by_ufrag.pop(credentials.ufrag, None)
        for address in viewer.ways:
            if self._by_address.get(address) is viewer:
                del self._by_address[address]
        outlet = self._outlets.get((viewer.camera, viewer.stream))
        if outlet is not None:
            outlet.remove(viewer)
            if not outlet.viewers:
                del self._outlets[(viewer.camera, viewer.stream)]
        self._gauge.set(len(self._viewers))
        metrics.viewers_ended.labels("webrtc", reason).inc()
        log.info(
            "viewer ended",
            camera=viewer.camera,
            stream=viewer.stream,
            session=viewer.id[:6],
            reason=reason,
            seconds=round(time.monotonic() - viewer.started, 1),
        )

    # --- datagrams ---

    def _on_datagram(self, data: bytes, remote: Address, local: bytes) -> None:
        # RFC 7983: the first byte tells STUN, DTLS and RTP or RTCP apart.
        first = data[0]
        if first < 4:
            self._on_stun(data, remote, local)
            return
        viewer = self._by_address.get(remote)
        if viewer is None:
            metrics.ignored.labels("stranger").inc()
        elif 20 <= first < 64:
            self._on_dtls(viewer, data)
        elif 128 <= first < 192 and len(data) >= 8 and 192 <= data[1] <= 223:
            self._on_rtcp(viewer, data)
        else:
            metrics.ignored.labels("other").inc()

    def _on_stun(self, data: bytes, remote: Address, local: bytes) -> None:
        try:
            message = stun.parse_stun(data)
        except ParseError:
            metrics.ignored.labels("stun").inc()
            return
        if message.kind != stun.BINDING_REQUEST:
            return
        ours, _, theirs = message.attributes.get(stun.USERNAME, b"").partition(b":")
        viewer = self._by_ufrag.get(ours.decode("latin-1"))
        credentials = _matching(viewer, ours, theirs) if viewer else None
        port = self._port
        if viewer is None or credentials is None or port is None:
            metrics.ignored.labels("stun").inc()
            return
        key = credentials.password.encode()
        if not message.verify(key):
            metrics.ignored.labels("stun").inc()
            return
        path = port.path(remote, local)
        if stun.ICE_CONTROLLED in message.attributes:
            # RFC 8445 section 7.3.1.1: a lite agent is always the controlled one.
            role = [(stun.ERROR_CODE, stun.error_value(487, "Role Conflict"))]
            answer = stun.build_stun(stun.BINDING_ERROR, message.transaction, role, key)
            port.send(answer, path)
            return
        mapped = stun.xor_address(remote[0], remote[1], message.transaction)
        answer = stun.build_stun(
            stun.BINDING_SUCCESS, message.transaction, [(stun.XOR_MAPPED_ADDRESS, mapped)], key
        )
        port.send(answer, path)
        viewer.heard = time.monotonic()
        known = set(viewer.ways)
        viewer.remember_way(path, stun.USE_CANDIDATE in message.attributes)
        for address in known - set(viewer.ways):
            self._by_address.pop(address, None)
        self._by_address[remote] = viewer

    def _on_dtls(self, viewer: Viewer, data: bytes) -> None:
        try:
            done = viewer.dtls.feed(data)
        except DtlsError as error:
            log.warning("viewer refused", session=viewer.id[:6], error=str(error))
            viewer.send_raw(viewer.dtls.flush())
            self.end(viewer, "dtls failed")
            return
        viewer.send_raw(viewer.dtls.flush())
        if viewer.dtls.closed:
            self.end(viewer, "viewer closed")
        elif done:
            self._connected(viewer)

    def _connected(self, viewer: Viewer) -> None:
        keys = viewer.dtls.keys
        outlet = self._outlets.get((viewer.camera, viewer.stream))
        if keys is None or outlet is None:
            return
        viewer.open_channel(viewer.dtls.profile, keys)
        log.info(
            "viewer connected",
            camera=viewer.camera,
            stream=viewer.stream,
            session=viewer.id[:6],
            cipher=viewer.dtls.profile.decode(),
        )
        outlet.connected(viewer)
        self._pace_if_behind(viewer)

    def _on_rtcp(self, viewer: Viewer, data: bytes) -> None:
        for packet in viewer.on_rtcp(data):
            outlet = self._outlets.get((viewer.camera, viewer.stream))
            if isinstance(packet, Bye):
                self.end(viewer, "viewer left")
                return
            if outlet is not None:
                outlet.refresh(viewer)
                self._pace_if_behind(viewer)

    # --- time ---

    def _pace_if_behind(self, viewer: Viewer) -> None:
        if viewer.queued and not viewer.ended:
            self._behind[viewer.id] = viewer
            if self._pace_handle is None:
                loop = asyncio.get_running_loop()
                self._pace_handle = loop.call_later(_PACE, self._pace)

    def _pace(self) -> None:
        self._pace_handle = None
        for viewer in list(self._behind.values()):
            viewer.drain(_GROUPS_A_PACE)
            if not viewer.queued:
                del self._behind[viewer.id]
        if self._behind:
            self._pace_handle = asyncio.get_running_loop().call_later(_PACE, self._pace)

    def _tick(self) -> None:
        self._tick_handle = asyncio.get_running_loop().call_later(_TICK, self._tick)
        now, utc_ns = time.monotonic(), time.time_ns()
        for viewer in list(self._viewers.values()):
            if now - viewer.heard > self._settings.consent_timeout:
                self.end(viewer, "silent")
            elif viewer.connected:
                viewer.report(now, utc_ns)
                self._flush_counts(viewer)
                self._pace_if_behind(viewer)
            elif now - viewer.started > self._settings.connect_timeout:
                self.end(viewer, "never connected")
            else:
                self._handshake_timer(viewer)

    def _handshake_timer(self, viewer: Viewer) -> None:
        try:
            viewer.dtls.on_timer()
        except DtlsError:
            self.end(viewer, "dtls failed")
            return
        viewer.send_raw(viewer.dtls.flush())

    @staticmethod
    def _flush_counts(viewer: Viewer) -> None:
        metrics.packets.inc(viewer.packets_taken)
        metrics.sent_bytes.inc(viewer.bytes_taken)
        viewer.packets_taken = viewer.bytes_taken = 0


def _matching(viewer: Viewer, ours: bytes, theirs: bytes) -> Credentials | None:
    for credentials in viewer.credentials:
        if credentials.ufrag.encode() == ours and credentials.remote_ufrag.encode() == theirs:
            return credentials
    return None

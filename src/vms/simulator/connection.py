"""One RTSP connection (RFC 2326), as a camera serves it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast
from urllib.parse import urlsplit

import structlog

from vms.common.errors import ConfigError, ParseError
from vms.common.secret import redact
from vms.format import rtcp
from vms.format.rtsp import Headers, Interleaved, Request, Response, RtspParser
from vms.format.rtsp_headers import Transport, parse_transports
from vms.format.sdp import SessionDescription
from vms.format.sdp import build as build_sdp
from vms.format.sdp_codecs import media_for
from vms.simulator.camera import SimCamera, SimStream
from vms.simulator.guard import Guard
from vms.simulator.outputs import WRITE_LIMIT, Output, TcpOutput, UdpOutput
from vms.simulator.packets import payload_type
from vms.simulator.track import SendingTrack

log = structlog.get_logger(__name__)

SERVER = "VMS simulator"
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
_MAX_WAITING = 64


class Refused(Exception):
    """A request that is answered with an error status."""

    def __init__(self, status: int, *headers: tuple[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


class Registry(Protocol):
    """What a connection asks of its simulator."""

    def find_camera(self, camera: str) -> SimCamera | None: ...

    def connected(self, connection: Connection) -> None: ...

    def disconnected(self, connection: Connection) -> None: ...

    def sessions_of(self, camera: SimCamera) -> int: ...


class Session:
    """What a client has set up: one track each of one stream."""

    def __init__(self, camera: SimCamera, stream: SimStream) -> None:
        self.id = secrets.token_hex(8)
        self.camera, self.stream = camera, stream
        self.tracks: dict[int, SendingTrack] = {}
        self.alive_at = time.monotonic()

    def keep_alive(self, by: str) -> None:
        if by in ("play", "setup") or by in self.camera.behaviour.keep_alive:
            self.alive_at = time.monotonic()

    @property
    def expired(self) -> bool:
        return time.monotonic() - self.alive_at > self.camera.behaviour.session_timeout

    def close(self) -> None:
        for track in self.tracks.values():
            track.close()
        self.tracks.clear()


class Connection(asyncio.Protocol):
    """Answers one request after the other; interleaved RTCP keeps its session alive."""

    def __init__(self, registry: Registry, host: str) -> None:
        self._registry = registry
        self._host = host
        self._parser = RtspParser()
        self._guard = Guard()
        self._waiting: deque[Request] = deque()
        self._work: asyncio.Task[None] | None = None
        self._paused = False
        self.transport: asyncio.Transport
        self.session: Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=WRITE_LIMIT)
        self._registry.connected(self)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        if self._work is not None:
            self._work.cancel()
        self._end_session()
        self._registry.disconnected(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._parser.feed(bytes(data))
        except ParseError as error:
            log.info("client does not speak rtsp", error=redact(str(error)))
            self._reply(Response(400))
            self.transport.close()
            return
        for message in messages:
            if isinstance(message, Interleaved):
                if message.channel % 2:
                    self._rtcp_received(message.data[message.start : message.end])
            elif isinstance(message, Request):
                self._waiting.append(message)
        if len(self._waiting) > _MAX_WAITING:
            self.transport.abort()
        elif self._waiting and (self._work is None or self._work.done()):
            self._work = asyncio.get_running_loop().create_task(self._serve())

    def abort(self) -> None:
        """Cut the connection, as when the plug is pulled."""
        self.transport.abort()

    def expire(self) -> None:
        """End a session that nobody has kept alive, and its connection."""
        if self.session is not None and self.session.expired:
            log.info("session expired", camera=self.session.camera.id)
            self._end_session()
            self.transport.close()

    def _end_session(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.close()

    def _rtcp_received(self, data: bytes) -> None:
        if self.session is None:
            return
        with contextlib.suppress(ParseError):
            rtcp.parse_rtcp(data)
            self.session.keep_alive("rtcp")

    async def _serve(self) -> None:
        while self._waiting:
            request = self._waiting.popleft()
            try:
                response, after = await self._answer(request)
            except Refused as refused:
                response, after = Response(refused.status, Headers(refused.headers)), None
            except ParseError as error:
                log.info("bad request", method=request.method, error=redact(str(error)))
                response, after = Response(400), None
            except (ConfigError, OSError) as error:
                log.error("stream cannot be played", error=redact(str(error)))
                response, after = Response(503), None
            if self.transport.is_closing():
                return
            self._reply(response, request)
            if after is not None:
                after()

    def _reply(self, response: Response, request: Request | None = None) -> None:
        items = [("Server", SERVER), *response.headers.items()]
        if request is not None and request.cseq >= 0:
            items.insert(0, ("CSeq", str(request.cseq)))
        self.transport.write(Response(response.status, Headers(items), response.body).encode())

    async def _answer(self, request: Request) -> tuple[Response, Callable[[], None] | None]:
        """The response, and what is to be done once it is written."""
        camera, stream, track = self._target(request.url)
        if camera is not None and camera.behaviour.answer_delay:
            await asyncio.sleep(camera.behaviour.answer_delay)
        if request.method == "OPTIONS":
            self._alive("options")
            return Response(200, Headers({"Public": _METHODS})), None
        if camera is None or stream is None:
            raise Refused(404)
        self._admit(camera, request)
        match request.method:
            case "DESCRIBE":
                return await self._describe(request, camera, stream), None
            case "SETUP":
                return await self._setup(request, camera, stream, track), None
            case "PLAY":
                return self._play(request)
            case "PAUSE":
                return self._pause(request), None
            case "TEARDOWN":
                session = self._session_of(request)
                return self._ok(session), self._end_session
            case "GET_PARAMETER" | "SET_PARAMETER":
                return self._parameter(request, camera), None
            case _:
                raise Refused(405, ("Allow", _METHODS))

    def _target(self, url: str) -> tuple[SimCamera | None, SimStream | None, int]:
        """Camera, stream and track (-1: all) that an address names."""
        parts = urlsplit(url).path.strip("/").split("/")
        camera = self._registry.find_camera(parts[0])
        if camera is None:
            return None, None, -1
        if camera.dead:
            self.transport.abort()
            raise Refused(503)
        if len(parts) == 1:
            return camera, next(iter(camera.streams.values())), -1
        track = parts[2].removeprefix("track") if len(parts) > 2 else ""
        number = int(track) - 1 if track.isdecimal() and len(track) < 3 else -1
        return camera, camera.streams.get(parts[1]), number

    def _admit(self, camera: SimCamera, request: Request) -> None:
        given = request.headers.get("Authorization")
        if self._guard.admits(camera, given, request.method, request.url):
            return
        challenges = [challenge.header() for challenge in self._guard.challenges(camera)]
        raise Refused(401, *(("WWW-Authenticate", text) for text in challenges))

    async def _describe(self, request: Request, camera: SimCamera, stream: SimStream) -> Response:
        base = request.url.rstrip("/") + "/"
        prefix = base if camera.behaviour.absolute_control else ""
        media = tuple(
            media_for(parameters, payload_type(parameters.codec), f"{prefix}track{index + 1}")
            for index, parameters in enumerate(await stream.parameters())
        )
        description = SessionDescription(
            media,
            origin=f"- {secrets.randbits(31)} 1 IN IP4 {self._host}",
            name=f"{camera.id} {stream.name}",
            connection="IN IP4 0.0.0.0",
            control=base if camera.behaviour.absolute_control else "*",
            attributes=(("range", "npt=now-"),),
        )
        headers = Headers({"Content-Base": base, "Content-Type": "application/sdp"})
        return Response(200, headers, build_sdp(description))

    async def _setup(
        self, request: Request, camera: SimCamera, stream: SimStream, track: int
    ) -> Response:
        feeds = await stream.feeds()
        if not 0 <= track < len(feeds):
            raise Refused(404 if track >= 0 else 459)
        session = self.session
        if session is None:
            if self._registry.sessions_of(camera) >= camera.behaviour.max_sessions:
                raise Refused(453)
            session = Session(camera, stream)
        elif request.headers.get("Session").partition(";")[0] != session.id:
            raise Refused(454)
        elif session.stream is not stream:
            raise Refused(459)
        elif track in session.tracks:
            raise Refused(455)
        output, transport = self._output(request, session, camera)
        sending = SendingTrack(feeds[track], output, camera.behaviour, camera.id)
        session.tracks[track] = sending
        self.session = session
        session.keep_alive("setup")
        answer = Transport(
            transport.protocol,
            interleaved=transport.interleaved,
            client_port=transport.client_port,
            server_port=output.ports if isinstance(output, UdpOutput) else None,
            ssrc=sending.ssrc,
        )
        timeout = f";timeout={max(1, round(camera.behaviour.session_timeout))}"
        return Response(
            200, Headers({"Transport": answer.encode(), "Session": session.id + timeout})
        )

    def _output(
        self, request: Request, session: Session, camera: SimCamera
    ) -> tuple[Output, Transport]:
        """Where to send, by the first transport offered that the camera has."""
        for offered in parse_transports(request.headers.get("Transport")):
            if offered.over_tcp and camera.behaviour.tcp:
                first = len(session.tracks) * 2
                channels = offered.interleaved or (first, first + 1)
                output = TcpOutput(self.transport, channels, lambda: self._paused)
                return output, Transport("RTP/AVP/TCP", interleaved=channels)
            if offered.client_port and offered.unicast and camera.behaviour.udp:
                peer = self.transport.get_extra_info("peername")[0]
                local = self.transport.get_extra_info("sockname")[0]
                udp = UdpOutput(local, (peer, *offered.client_port), self._rtcp_received)
                return udp, Transport("RTP/AVP", client_port=offered.client_port)
        raise Refused(461)

    def _play(self, request: Request) -> tuple[Response, Callable[[], None]]:
        session = self._session_of(request)
        if not session.tracks:
            raise Refused(455)
        session.keep_alive("play")
        base = f"{request.url.rstrip('/')}/"
        infos = []
        for index, track in sorted(session.tracks.items()):
            track.prepare()
            now = track.rtp_time(time.monotonic_ns())
            infos.append(f"url={base}track{index + 1};seq={track.sequence};rtptime={now}")
        headers = {"Session": session.id, "Range": "npt=now-", "RTP-Info": ",".join(infos)}

        def start() -> None:
            for track in session.tracks.values():
                track.start()

        return Response(200, Headers(headers)), start

    def _pause(self, request: Request) -> Response:
        session = self._session_of(request)
        for track in session.tracks.values():
            track.stop()
        return self._ok(session)

    def _parameter(self, request: Request, camera: SimCamera) -> Response:
        if request.method == "GET_PARAMETER" and not camera.behaviour.get_parameter:
            raise Refused(405, ("Allow", "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"))
        session = self._session_of(request)
        self._alive(request.method.lower())
        return self._ok(session)

    def _ok(self, session: Session) -> Response:
        return Response(200, Headers({"Session": session.id}))

    def _alive(self, by: str) -> None:
        if self.session is not None:
            self.session.keep_alive(by)

    def _session_of(self, request: Request) -> Session:
        named = request.headers.get("Session").partition(";")[0].strip()
        if self.session is None or named != self.session.id:
            raise Refused(454)
        return self.session

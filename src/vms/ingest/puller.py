"""Keeps one stream coming: the undying loop around sources that fail."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from vms.bus import subjects
from vms.bus.port import Bus
from vms.common.clock import Clock
from vms.common.errors import (
    ConfigError,
    SourceAuthError,
    SourceError,
    SourceStalled,
    SourceUnreachable,
)
from vms.common.model.camera import Camera, StreamConfig, StreamState, StreamStatus, Transport
from vms.common.model.media import CodecParameters
from vms.common.retry import Backoff
from vms.common.secret import Secret, redact
from vms.common.wallclock import clock_text
from vms.ingest.address import shown
from vms.ingest.feed import Feed
from vms.ingest.gate import ConnectGate
from vms.ingest.meter import StreamMeter
from vms.ingest.settings import IngestSettings
from vms.ingest.source import Source

log = structlog.get_logger(__name__)

_NS = 1_000_000_000
_HEALTHY = 10.0
"""Seconds of media that make the next failure the first again."""
_QUICKEST_STALL = 2.0
_LOG_AGAIN = 60.0


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """All that decides how one stream is pulled; a puller lives until it changes."""

    camera: str
    stream: str
    url: str
    transport: Transport
    username: str
    password: Secret

    @classmethod
    def of(cls, camera: Camera, stream: StreamConfig) -> StreamPlan:
        return cls(
            camera.id, stream.name, stream.url, stream.transport, camera.username, camera.password
        )


class Refusals:
    """Refused passwords in a row, of all streams that share an account at a camera."""

    def __init__(self) -> None:
        self.count = 0
        self.said = ""


class Puller:
    """One stream. `run` until cancelled; `tick` about twice a second from the outside."""

    def __init__(
        self,
        plan: StreamPlan,
        make_source: Callable[[], Source],
        bus: Bus,
        settings: IngestSettings,
        clock: Clock,
        gate: ConnectGate,
        refusals: Refusals | None = None,
    ) -> None:
        self.plan = plan
        self._refusals = refusals or Refusals()
        self._make_source = make_source
        self._bus = bus
        self._settings = settings
        self._clock = clock
        self._gate = gate
        self._subject = subjects.state(plan.camera, plan.stream)
        self._feed = Feed(plan.camera, plan.stream, bus.publish, clock, settings.jump_seconds)
        self._meter = StreamMeter(plan.camera, plan.stream, self._feed, clock)
        self._backoff = Backoff(settings.backoff_first, settings.backoff_longest)
        self._limit: asyncio.Timeout | None = None
        self._connects = 0
        self._unreachable = False
        self._online_at = 0.0
        self._status = StreamStatus.CONNECTING
        self._reason = ""
        self._fault = ""
        self._since = clock.now_ns()
        self._publish_at = 0.0
        self._log_at = 0.0
        self._logged = ""

    @property
    def status(self) -> StreamStatus:
        return self._status

    # -- the loop ---------------------------------------------------------------------

    async def run(self) -> None:
        """Pull until cancelled; raises nothing else."""
        try:
            while await self._once():
                wait = self._backoff.next()
                if self._refusals.count:
                    wait = max(wait, self._settings.auth_backoff)
                await asyncio.sleep(wait)
            await asyncio.Event().wait()
        finally:
            self._meter.close()

    async def _once(self) -> bool:
        """One connection, from begin to end. False where trying again is no use."""
        self._online_at = 0.0
        unreachable = False
        try:
            await self._connect_and_pull()
            self._fail("the camera ended the stream; connecting again")
        except ConfigError as error:
            return self._hold(str(error))
        except SourceError as error:
            unreachable = isinstance(error, SourceUnreachable)
            self._fail(str(error), error.fault)
        except Exception as error:
            log.exception("pulling failed", camera=self.plan.camera, stream=self.plan.stream)
            self._fail(f"unexpected error ({type(error).__name__}), see the log; connecting again")
        self._unreachable = unreachable
        if self._online_at and asyncio.get_running_loop().time() - self._online_at > _HEALTHY:
            self._backoff.reset()
        return True

    async def _connect_and_pull(self) -> None:
        source: Source | None = None
        try:
            async with self._gate.turn(self._unreachable):
                self._check_refusals()
                if self._connects:
                    self._meter.reconnected()
                self._connects += 1
                source = self._make_source()
                if self._status is not StreamStatus.OFFLINE:
                    self._set(StreamStatus.CONNECTING, "")
                tracks = await self._open(source)
            self._refusals.count = 0
            self._meter.begin(source.stats)
            self._feed.start(tracks)
            self._feed.on_unit = self._came_alive
            self._set(StreamStatus.CONNECTING, "connected; waiting for the first picture")
            await self._run_watched(source)
        finally:
            self._feed.on_unit = None
            self._meter.flush()
            if source is not None:
                await source.close()

    async def _open(self, source: Source) -> Sequence[CodecParameters]:
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                return await source.open()
        except TimeoutError:
            raise SourceUnreachable(
                f"{shown(self.plan.url)} did not answer within "
                f"{self._settings.connect_timeout:g} s; check address, port and network"
            ) from None
        except SourceAuthError as error:
            self._refusals.count += 1
            self._refusals.said = str(error)
            self._check_refusals()
            raise

    def _check_refusals(self) -> None:
        """Raises ConfigError where the account was refused so often that trying on harms."""
        count = self._refusals.count
        if count >= self._settings.auth_attempts:
            raise ConfigError(
                f"{self._refusals.said} (refused {count} times, and not tried again until the "
                f"camera's settings change, lest it lock the account)"
            )

    async def _run_watched(self, source: Source) -> None:
        try:
            async with asyncio.timeout(None) as self._limit:
                await source.run(self._feed)
        except TimeoutError:
            silence = self._feed.silence_ns() / _NS
            raise SourceStalled(self._why_silent(silence)) from None
        finally:
            self._limit = None

    def _why_silent(self, silence: float) -> str:
        address = shown(self.plan.url)
        note = self._meter.stats.note
        if self._online_at:
            return f"{address} sent no picture for {silence:.1f} s; connecting again"
        why = f" ({note})" if note else ""
        hint = "" if self.plan.transport is Transport.TCP else "; try TCP, UDP may be blocked"
        return f"{address} agreed to play and sent no picture in {silence:.0f} s{why}{hint}"

    # -- watching ---------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Notice stalls, bring metrics up to date, publish the state when it is due.

        `now` is the event loop's time in seconds.
        """
        if self._limit is not None:
            self._watch(now)
            self._meter.flush()
        if now >= self._publish_at:
            self._publish(now)

    def _watch(self, now: float) -> None:
        assert self._limit is not None
        silence = self._feed.silence_ns() / _NS
        deadline = self._deadline() if self._online_at else self._settings.first_unit_timeout
        if silence > deadline:
            grace = self._settings.stall_grace if self._online_at else 0.0
            if silence > deadline + grace:
                self._limit.reschedule(now)
            elif self._status is StreamStatus.ONLINE:
                self._meter.stalled()
                self._feed.on_unit = self._came_alive
                self._set(StreamStatus.STALLED, f"no picture for {silence:.1f} s", "camera")
        elif self._status is StreamStatus.ONLINE:
            reason = self._notice()
            if reason != self._reason:
                self._set(StreamStatus.ONLINE, reason)

    def _deadline(self) -> float:
        """Seconds of silence that are a stall, from the stream's own rate."""
        interval = self._feed.interval_ns / _NS
        usual = min(self._settings.stall_timeout, max(_QUICKEST_STALL, 10 * interval))
        return max(usual, 2.5 * interval)

    def _notice(self) -> str:
        """What a person should know of a stream that comes."""
        without = self._feed.without_key_ns() / _NS
        notice = self._settings.key_frame_notice
        if without > notice:
            # In steps that double: each is told and logged, and there are few of them.
            step = notice * 2 ** int(math.log2(without / notice))
            return (
                f"no key frame for more than {step:g} s; it cannot be shown or recorded "
                f"before one comes: set a shorter key frame interval in the camera"
            )
        stats = self._meter.stats
        offset = stats.clock_offset_ns
        return stats.note or ("" if offset is None else clock_text(offset))

    def _came_alive(self) -> None:
        if not self._online_at:
            self._online_at = asyncio.get_running_loop().time()
        self._set(StreamStatus.ONLINE, self._meter.stats.note)

    # -- what others see --------------------------------------------------------------

    def state(self) -> StreamState:
        meter = self._meter
        pulling = self._limit is not None
        return StreamState(
            self.plan.camera,
            self.plan.stream,
            self._status,
            self._since,
            self._reason,
            self._feed.run if pulling else "",
            self._feed.track_infos(meter.frame_rate) if pulling else (),
            meter.bitrate if pulling else 0,
            meter.frame_rate if pulling else 0.0,
            meter.stats.clock_offset_ns if pulling else None,
            meter.stats.packets_lost,
            meter.reconnects,
            self._fault,
        )

    def _hold(self, reason: str) -> bool:
        self._set(StreamStatus.HELD, reason, "settings")
        return False

    def _fail(self, reason: str, fault: str = "camera") -> None:
        self._set(StreamStatus.OFFLINE, reason, fault)

    def _set(self, status: StreamStatus, reason: str, fault: str = "") -> None:
        reason = redact(reason)
        self._fault = fault
        if status is self._status and reason == self._reason and self._publish_at:
            return
        now = asyncio.get_running_loop().time()
        if status is not self._status:
            self._since = self._clock.now_ns()
        self._status, self._reason = status, reason
        self._log(now)
        self._publish(now)

    def _log(self, now: float) -> None:
        """The same trouble again is said once a minute."""
        said = f"{self._status}: {self._reason}"
        if self._status in (StreamStatus.CONNECTING, StreamStatus.ONLINE) and not self._reason:
            level = log.debug if self._status is StreamStatus.CONNECTING else log.info
        elif said == self._logged and now < self._log_at:
            return
        elif self._status is StreamStatus.CONNECTING:
            level = log.debug
        else:
            level = log.warning
            self._logged, self._log_at = said, now + _LOG_AGAIN
        level(
            f"stream {self._status}",
            camera=self.plan.camera,
            stream=self.plan.stream,
            reason=self._reason,
        )

    def _publish(self, now: float) -> None:
        self._publish_at = now + self._settings.state_period
        self._bus.publish(self._subject, self.state())

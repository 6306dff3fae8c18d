"""The connection to NATS servers: made, kept, and checked."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client, Server
from nats.js import JetStreamContext, api

from vms.bus import metrics
from vms.bus.serving import MAX_MESSAGE_BYTES
from vms.common.errors import BusError
from vms.common.retry import Backoff
from vms.common.secret import redact

log = structlog.get_logger(__name__)

STREAM = "VMS_EVENTS"
DURABLE = "durable."
"""Before the subjects of durable messages, so that the stream keeps no others."""

_MAX_AGE_S = 7 * 24 * 3600.0
_STREAM_BYTES = 1024 * 1024 * 1024
_DUPLICATE_WINDOW_S = 120.0
_PENDING_BYTES = 64 * 1024 * 1024
_LOG_EVERY_S = 1.0


class DirectClient(Client):
    """Hands messages of some subscriptions over as they are parsed.

    The client's own way, a queue and a task for each subscription, costs a third of all
    that receiving costs. Where this hook is not called, the subscription's callback is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.direct: dict[int, Callable[[str, bytes], None]] = {}

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        take = self.direct.get(sid)
        if take is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            take(subject.decode(), data)


class NatsLink:
    """A client that connects for ever, and says so when it cannot."""

    def __init__(self) -> None:
        self.client = DirectClient()
        self.last_error = ""
        self.refused = ""
        self._backoff = Backoff(first=0.1, longest=5.0)
        self._closing = False
        self._errors = 0
        self._logged_at = 0.0
        self._slow = metrics.dropped.labels("nats", "slow")
        self.on_connected: Callable[[], None] = lambda: None

    async def connect(self, servers: Sequence[str], timeout: float) -> JetStreamContext:
        """Connect and check the server. Raises BusError, without credentials in it."""
        shown = ", ".join(redact(server) for server in servers)
        try:
            async with asyncio.timeout(timeout):
                await self.client.connect(
                    servers=list(servers),
                    name=f"vms-{socket.gethostname()}-{os.getpid()}",
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnected,
                    reconnected_cb=self._on_reconnected,
                    reconnect_to_server_handler=self._choose,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=1,
                    connect_timeout=5,
                    no_echo=True,
                    pending_size=_PENDING_BYTES,
                    ping_interval=20,
                )
        except (TimeoutError, OSError, nats.errors.Error) as error:
            await self.close()
            why = self.refused or self.last_error or redact(str(error)) or type(error).__name__
            raise BusError(
                f"no NATS server answers at {shown} ({why}): start it, or check the address, "
                "user name and password"
            ) from None
        try:
            return await self._check(shown)
        except BusError:
            await self.close()
            raise

    async def _check(self, shown: str) -> JetStreamContext:
        if self.client.max_payload < MAX_MESSAGE_BYTES:
            raise BusError(
                f"the NATS server at {shown} takes messages of {self.client.max_payload} bytes "
                "at most: set 'max_payload: 10MB' in its configuration"
            )
        stream = self.client.jetstream(timeout=5.0)
        try:
            subjects = await _make_stream(stream)
        except (nats.errors.Error, TimeoutError) as error:
            raise BusError(
                f"the NATS server at {shown} keeps no messages ({redact(str(error))}): "
                "enable JetStream with file storage in its configuration"
            ) from None
        if f"{DURABLE}>" not in subjects:
            raise BusError(
                f"the NATS server at {shown} has a stream {STREAM} that keeps "
                f"{', '.join(subjects) or 'nothing'} instead of '{DURABLE}>': delete or rename it"
            )
        return stream

    async def flush(self, limit: float) -> None:
        """Wait until the server has all that was sent. Raises TimeoutError, nats errors.

        The client's own flush writes its PING past commands that still wait, so an answer
        to it says nothing of them: they must be gone first.
        """
        async with asyncio.timeout(limit):
            while self.client.pending_data_size and self.client.is_connected:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await self.client.flush(max(1, round(limit)))

    async def close(self) -> None:
        self._closing = True
        # In a task of its own: while the client reconnects, its close may end in a
        # cancellation that was not meant for us.
        closing = asyncio.ensure_future(self.client.close())
        await asyncio.wait([closing], timeout=2.0)
        if not closing.done():
            closing.cancel()
        elif not closing.cancelled() and closing.exception() is not None:
            log.debug("nats connection closed badly", error=redact(str(closing.exception())))

    # What the client calls

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            self._slow.inc()
        self._errors += 1
        self.last_error = redact(str(error)) or type(error).__name__
        if isinstance(error, nats.errors.AuthorizationError):
            self.refused = self.last_error
        now = time.monotonic()
        if self._closing or now - self._logged_at < _LOG_EVERY_S:
            return
        log.warning("nats error", error=self.last_error, errors=self._errors)
        self._logged_at = now
        self._errors = 0

    async def _on_disconnected(self) -> None:
        if not self._closing:
            log.warning("nats server went away, connecting again")

    async def _on_reconnected(self) -> None:
        self._backoff.reset()
        metrics.reconnects.labels("nats").inc()
        log.info("nats server reached again")
        if self.client.max_payload < MAX_MESSAGE_BYTES:
            log.error(
                "nats server takes only small messages: set 'max_payload: 10MB' in its "
                "configuration",
                max_payload=self.client.max_payload,
            )
        self.on_connected()

    def _choose(self, servers: list[Server], info: dict[str, Any]) -> tuple[Server | None, float]:
        """The server that failed least, after a growing wait."""
        return min(servers, key=lambda server: server.reconnects), self._backoff.next()


async def _make_stream(context: JetStreamContext) -> list[str]:
    """Make the stream where it is absent; the subjects that it keeps."""
    try:
        info = await context.stream_info(STREAM)
    except nats.js.errors.NotFoundError:
        info = await context.add_stream(
            api.StreamConfig(
                name=STREAM,
                description="Durable messages of the video management system",
                subjects=[f"{DURABLE}>"],
                retention=api.RetentionPolicy.LIMITS,
                discard=api.DiscardPolicy.OLD,
                storage=api.StorageType.FILE,
                max_age=_MAX_AGE_S,
                max_bytes=_STREAM_BYTES,
                duplicate_window=_DUPLICATE_WINDOW_S,
            )
        )
        log.info("nats stream created", stream=STREAM)
    return info.config.subjects or []

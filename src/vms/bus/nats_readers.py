"""Readers over NATS: of subjects, and of durable messages."""

from __future__ import annotations

import asyncio
import hashlib
import re

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.js import JetStreamContext, api

from vms.bus.nats_link import DURABLE, STREAM, DirectClient, NatsLink
from vms.bus.port import Delivery, DurableHandler
from vms.bus.routing import Router
from vms.bus.serving import HANDLER_LIMIT_S, Tasks, handle_durable
from vms.common.errors import BusError, ParseError, VmsError
from vms.common.retry import Backoff
from vms.common.secret import redact
from vms.proto.codec import decode

log = structlog.get_logger(__name__)

PENDING_BYTES = 32 * 1024 * 1024
"""What may wait for this process before it loses messages."""

_FETCH_S = 5.0
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 30.0


class PatternReader:
    """One subscription of this process: all its sinks of one pattern share it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.router = Router()
        self._client: DirectClient | None = None
        self._subscription: NatsSubscription | None = None

    async def start(self, client: DirectClient) -> None:
        self._client = client
        self._subscription = await client.subscribe(
            self.pattern, cb=self._on_message, pending_bytes_limit=PENDING_BYTES
        )
        client.direct[self._subscription._id] = self._take

    async def _on_message(self, message: Msg) -> None:
        self._take(message.subject, message.data)

    def _take(self, subject: str, data: bytes) -> None:
        try:
            self.router.deliver(subject, decode(data))
        except VmsError as error:
            log.error("bus message cannot be read", subject=subject, error=str(error))

    async def stop(self) -> None:
        subscription, self._subscription = self._subscription, None
        await unsubscribe(subscription)
        if subscription is not None and self._client is not None:
            self._client.direct.pop(subscription._id, None)


async def unsubscribe(subscription: NatsSubscription | None) -> None:
    """Unsubscribe; one that ended with its connection is of no interest."""
    if subscription is None:
        return
    try:
        await subscription.unsubscribe()
    except (nats.errors.Error, OSError) as error:
        log.debug("nats subscription ended badly", error=redact(str(error)))


def consumer_name(group: str, pattern: str) -> str:
    """A name that NATS allows, of its own for each group and pattern."""
    digest = hashlib.blake2b(f"{group}\0{pattern}".encode(), digest_size=6).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', group)[:40]}-{digest}"


class DurableReader:
    """One reader of a group: takes one message at a time from its consumer."""

    def __init__(
        self,
        link: NatsLink,
        context: JetStreamContext,
        pattern: str,
        group: str,
        handler: DurableHandler,
    ) -> None:
        self._link = link
        self._context = context
        self._pattern = pattern
        self._group = group
        self._handler = handler
        self._tasks = Tasks()
        self._source: JetStreamContext.PullSubscription | None = None
        self._fetch: asyncio.Future[list[Msg]] | None = None

    async def start(self) -> None:
        """Raises BusError where the consumer cannot be made."""
        try:
            self._source = await self._context.pull_subscribe(
                DURABLE + self._pattern,
                durable=consumer_name(self._group, self._pattern),
                stream=STREAM,
                config=api.ConsumerConfig(
                    ack_policy=api.AckPolicy.EXPLICIT,
                    deliver_policy=api.DeliverPolicy.ALL,
                    ack_wait=HANDLER_LIMIT_S + 5.0,
                    max_deliver=-1,
                    max_ack_pending=1000,
                ),
            )
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise BusError(
                f"durable reader {self._group} of {self._pattern} cannot be made: "
                f"{redact(str(error)) or type(error).__name__}"
            ) from None
        self._tasks.start(self._run(self._source))

    async def _run(self, source: JetStreamContext.PullSubscription) -> None:
        backoff = Backoff(first=0.1, longest=2.0)
        while True:
            try:
                messages = await self._next(source)
            except (TimeoutError, nats.errors.TimeoutError):
                continue
            except (nats.errors.Error, OSError) as error:
                log.warning(
                    "durable reader waits for the nats server",
                    group=self._group,
                    error=redact(str(error)) or type(error).__name__,
                )
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            for message in messages:
                await self._take(message)

    async def _next(self, source: JetStreamContext.PullSubscription) -> list[Msg]:
        fetch = self._fetch = asyncio.ensure_future(source.fetch(1, timeout=_FETCH_S))
        try:
            await asyncio.wait([fetch])
        finally:
            fetch.cancel()
        return [] if fetch.cancelled() else fetch.result()

    def ask_again(self) -> None:
        """The server is another one, or came back: it knows nothing of what was asked."""
        if self._fetch is not None:
            self._fetch.cancel()

    async def _take(self, message: Msg) -> None:
        attempt = message.metadata.num_delivered or 1
        delay = 0.0
        try:
            delivery = Delivery(message.subject.removeprefix(DURABLE), decode(message.data))
            taken = await handle_durable(self._handler, delivery, attempt)
            delay = min(_FIRST_WAIT_S * 2 ** (min(attempt, 16) - 1), _LONGEST_WAIT_S)
        except ParseError as error:
            log.error(
                "durable message cannot be read, left out",
                subject=message.subject,
                error=str(error),
            )
            taken = True
        except asyncio.CancelledError:
            await _settle(message, False, 0.0)
            raise
        await _settle(message, taken, delay)

    async def close(self) -> None:
        await self._tasks.stop()
        source, self._source = self._source, None
        if source is None:
            return
        # Until the server knows, it may give a message to the request that was left; that
        # one comes again only when its time to be acknowledged has run out.
        try:
            await source.unsubscribe()
            await self._link.flush(1.0)
        except (TimeoutError, nats.errors.Error, OSError) as error:
            log.debug("durable reader left badly", error=redact(str(error)))


async def _settle(message: Msg, taken: bool, delay: float) -> None:
    """Acknowledge or give back; where that is lost, the message comes again by itself."""
    try:
        if taken:
            await message.ack()
        else:
            await message.nak(delay=delay or None)
    except (nats.errors.Error, OSError) as error:
        log.debug("durable message not settled", error=redact(str(error)))

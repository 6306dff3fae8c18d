"""What every adapter does alike with commands, durable messages, and sizes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from vms.bus import metrics
from vms.bus.port import Delivery, DurableHandler, Handler
from vms.common.errors import BusError, NoResponder, VmsError
from vms.common.model.media import AccessUnit
from vms.common.model.messages import Command, Message, Reply
from vms.common.secret import redact
from vms.proto.codec import decode

log = structlog.get_logger(__name__)

MAX_UNIT_BYTES = 10_000_000
"""Media of one access unit at most; with its header it stays below MAX_MESSAGE_BYTES."""

MAX_MESSAGE_BYTES = 10 * 1024 * 1024
"""An encoded message at most: what `max_payload: 10MB` means to a NATS server."""

MAX_COMMANDS_AT_ONCE = 64
"""Commands one server works on at the same time; others are told that it is busy."""

HANDLER_LIMIT_S = 30.0
"""A durable handler that takes longer has failed, and gets the message again."""


def is_oversize(message: Message) -> bool:
    return type(message) is AccessUnit and len(message.data) > MAX_UNIT_BYTES


def timed_out(subject: str, timeout: float) -> BusError:
    return BusError(f"no answer on {subject} within {timeout:g} s: whoever serves it is stuck")


def nobody(subject: str) -> NoResponder:
    return NoResponder(f"nobody serves {subject}: is that role running?")


def too_large(subject: str) -> BusError:
    return BusError(f"message for {subject} is larger than the bus carries (10 MB)")


def reply_in(data: bytes, subject: str) -> Reply:
    """The reply that `data` is. Raises ParseError, BusError where it is something else."""
    message = decode(data)
    if not isinstance(message, Reply):
        raise BusError(f"{subject} answered with a {type(message).__name__}, not a reply")
    return message


async def answer(subject: str, handler: Handler, command: Command) -> Reply:
    """The handler's reply; what it raises becomes a reply whose `error` says so."""
    try:
        return await handler(command)
    except VmsError as error:
        return Reply(error=redact(str(error)) or type(error).__name__)
    except Exception as error:
        metrics.handler_failures.labels("command").inc()
        log.exception("bus command failed", subject=subject, kind=command.kind)
        return Reply(error=f"{command.kind} failed ({type(error).__name__}); see the log")


async def handle_durable(handler: DurableHandler, delivery: Delivery, attempt: int) -> bool:
    """Whether `handler` took the delivery; a failure is logged."""
    try:
        async with asyncio.timeout(HANDLER_LIMIT_S):
            await handler(delivery)
    except Exception as error:
        metrics.handler_failures.labels("durable").inc()
        log.error(
            "durable handler failed, the message comes again",
            subject=delivery.subject,
            attempt=attempt,
            error=redact(f"{type(error).__name__}: {error}"),
            exc_info=not isinstance(error, VmsError | TimeoutError),
        )
        return False
    return True


class Tasks:
    """Tasks that live as long as their owner, kept from the garbage collector."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, body: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(body)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("bus task failed", exc_info=task.exception())

    async def stop(self, limit: float = 5.0) -> None:
        """Cancel all and wait for their end, at most `limit` seconds."""
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=limit)


class Server:
    """One handler of commands of this process."""

    def __init__(self, subject: str, handler: Handler, on_close: Callable[[Server], None]) -> None:
        self.subject = subject
        self.tasks = Tasks()
        self._handler = handler
        self._on_close = on_close

    async def answer(self, command: Command) -> Reply:
        """The reply; giving up waiting for it does not stop the handler.

        Raises BusError where the server is closed meanwhile.
        """
        if len(self.tasks) >= MAX_COMMANDS_AT_ONCE:
            return Reply(error=f"{self.subject} is busy with other commands; try again")
        task = self.tasks.start(answer(self.subject, self._handler, command))
        await asyncio.wait([task])
        if task.cancelled():
            raise BusError(f"whoever served {self.subject} stopped before it answered")
        reply = task.result()
        assert isinstance(reply, Reply)
        return reply

    async def close(self) -> None:
        self._on_close(self)
        await self.tasks.stop()


class Servers:
    """The servers of this process; those of one subject take turns."""

    def __init__(self) -> None:
        self._servers: dict[str, list[Server]] = {}
        self._turn = itertools.count()

    def add(self, server: Server) -> None:
        self._servers.setdefault(server.subject, []).append(server)

    def remove(self, server: Server) -> None:
        servers = self._servers.get(server.subject, [])
        if server in servers:
            servers.remove(server)
        if not servers:
            self._servers.pop(server.subject, None)

    def pick(self, subject: str) -> Server | None:
        servers = self._servers.get(subject)
        return servers[next(self._turn) % len(servers)] if servers else None

    def subjects(self) -> list[str]:
        return list(self._servers)

    async def close(self) -> None:
        for servers in list(self._servers.values()):
            for server in list(servers):
                await server.close()

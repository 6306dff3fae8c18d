"""The bus: how services meet. Three adapters (memory, local, nats), one contract suite.

Subjects are words joined by dots. A pattern may hold `*` for one word and end in `>` for
one or more. Everything published is a Message (`vms.common.model.messages`).

`publish` is for media, states and notices: it never waits and never raises for a slow or
absent reader; what a transport could not take is dropped and counted. Readers find losses
by numbers: `Delivery.missed` says how many access units of that track this reader did not
get since the one before.

`publish_durable` is for events: it returns once the message is kept, and each named group
of readers gets it at least once, also when it was down meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from vms.common.model.messages import Command, Message, Reply


class Delivery(NamedTuple):
    """One message as a reader gets it. `missed` counts access units lost just before it."""

    subject: str
    message: Message
    missed: int = 0


Sink = Callable[[Delivery], None]
"""Takes a delivery at once: it must not block nor raise; a queue behind it is its own."""

Handler = Callable[[Command], Awaitable[Reply]]
DurableHandler = Callable[[Delivery], Awaitable[None]]
"""A handler that raises gets the same message again later."""


class Subscription(Protocol):
    """Ends with `close`; after it returns, the sink is not called again."""

    async def close(self) -> None: ...


class Bus(Protocol):
    def publish(self, subject: str, message: Message) -> None: ...

    async def subscribe(self, pattern: str, sink: Sink) -> Subscription: ...

    async def request(self, subject: str, command: Command, timeout: float = 5.0) -> Reply:
        """Ask whoever serves `subject`. Raises NoResponder or BusError (timeout)."""
        ...

    async def serve(self, subject: str, handler: Handler) -> Subscription: ...

    async def publish_durable(self, subject: str, message: Message) -> None: ...

    async def subscribe_durable(
        self, pattern: str, group: str, handler: DurableHandler
    ) -> Subscription: ...

    async def close(self) -> None: ...

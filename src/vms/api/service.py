"""What the API does beside answering: it listens to the bus and keeps house."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from vms.api import by_hand
from vms.api.services import ApiServices
from vms.bus import subjects
from vms.bus.port import Delivery
from vms.common.lifecycle import keep_running, stop_task
from vms.common.model.messages import Command, ConfigChanged, Reply


def ping_subject(node: str) -> str:
    """Where a process of the API answers itself, to see that the bus carries messages."""
    return f"vms.command.api.{node}"


async def run(services: ApiServices) -> None:
    """Until cancelled: follow states and changes, so that routes and sockets know them."""

    def on_config(delivery: Delivery) -> None:
        if isinstance(delivery.message, ConfigChanged) and delivery.message.kind == "user":
            services.auth.access.forget()
        services.board.take_delivery(delivery)

    async def on_ping(command: Command) -> Reply:
        return Reply(dict(command.body))

    async with AsyncExitStack() as stack:
        bus, board = services.bus, services.board
        for subscription in (
            await bus.subscribe(subjects.STATE_ALL, board.take_delivery),
            await bus.subscribe(subjects.CONFIG_ALL, on_config),
            await bus.subscribe(by_hand.ALL, services.by_hand.heard),
            await bus.serve(ping_subject(services.node), on_ping),
        ):
            stack.push_async_callback(subscription.close)
        asking = asyncio.create_task(keep_running("recording watch", services.recording.run))
        stack.push_async_callback(stop_task, asking)
        while True:
            await services.clock.sleep(1.0)
            board.age()
            services.by_hand.tick()

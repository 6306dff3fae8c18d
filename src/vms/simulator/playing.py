"""What `vms simulate` does: cameras from what was asked for, served until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import typer

from vms.common.errors import ConfigError
from vms.common.model.media import Codec
from vms.simulator.camera import SimCamera
from vms.simulator.gallery import VIEWS
from vms.simulator.onvif import OnvifDevices
from vms.simulator.server import Simulator
from vms.simulator.sources import File, Loop, Scene, Source


def sources(
    count: int,
    codec: str,
    size: str,
    fps: float,
    bitrate: int,
    *,
    live: bool,
    files: list[Path],
) -> list[Source]:
    """What each camera shows: files and scenes take turns. Raises ConfigError."""
    if files:
        return [File(files[i % len(files)]) for i in range(count)]
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"size {size!r} must be width x height, as 1280x720")
    kind = Scene if live else Loop
    views = list(VIEWS.values())
    return [
        kind(
            width=int(width),
            height=int(height),
            fps=fps,
            bitrate=bitrate,
            codec=codec_named(codec),
            view=views[i % len(views)].name,
            title=views[i % len(views)].title,
        )
        for i in range(count)
    ]


def codec_named(name: str) -> Codec:
    """Raises ConfigError for a name of none."""
    try:
        return Codec(name.lower())
    except ValueError:
        raise ConfigError(f"unknown codec {name!r}; there are {', '.join(Codec)}") from None


async def serve(simulator: Simulator, *, onvif: bool) -> None:
    """Print the cameras' addresses and serve them until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with simulator:
        if not all(_is_live(camera) for camera in simulator.cameras):
            typer.echo("making ready what the cameras show ...", err=True)
            await simulator.prepare()
        for camera in simulator.cameras:
            for name in camera.streams:
                typer.echo(simulator.url(camera.id, name, credentials=True))
        async with contextlib.AsyncExitStack() as stack:
            if onvif:
                devices = OnvifDevices(simulator, simulator.host, discovery_port=3702)
                await stack.enter_async_context(devices)
                for camera in simulator.cameras:
                    typer.echo(devices.address(camera.id))
            typer.echo(f"{len(simulator.cameras)} cameras; Ctrl-C ends them")
            await stop.wait()


def _is_live(camera: SimCamera) -> bool:
    return all(isinstance(stream.source, Scene) for stream in camera.streams.values())

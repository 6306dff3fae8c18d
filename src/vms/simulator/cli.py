"""`vms simulate`: cameras made of software, for trying the system and for load."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from vms.common.errors import ConfigError
from vms.common.model.media import Codec
from vms.simulator.camera import Behaviour, SimCamera
from vms.simulator.demo import demo_simulator
from vms.simulator.gallery import VIEWS
from vms.simulator.onvif import OnvifDevices
from vms.simulator.server import Simulator
from vms.simulator.sources import File, Loop, Scene, Source

app = typer.Typer(add_completion=False)


@app.command()
def simulate(
    cameras: Annotated[int, typer.Option(help="How many cameras.", min=1, max=1000)] = 4,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="RTSP port; 0 takes a free one.")] = 8554,
    codec: Annotated[str, typer.Option(help="h264 or h265.")] = "h264",
    size: Annotated[str, typer.Option(help="Width x height.")] = "1280x720",
    fps: Annotated[float, typer.Option(help="Pictures a second.")] = 15.0,
    bitrate: Annotated[int, typer.Option(help="Bit/s of each camera.")] = 1_500_000,
    live: Annotated[
        bool, typer.Option(help="Encode as it is sent, or play loops encoded beforehand.")
    ] = True,
    audio: Annotated[str, typer.Option(help="aac, pcmu or pcma; nothing for none.")] = "",
    file: Annotated[
        list[Path] | None, typer.Option(help="Play this file instead; may be repeated.")
    ] = None,
    auth: Annotated[str, typer.Option(help="user:password that clients must give.")] = "",
    udp_ok: Annotated[bool, typer.Option(help="Let clients take media by UDP.")] = True,
    onvif: Annotated[bool, typer.Option(help="Answer ONVIF and WS-Discovery as well.")] = False,
    demo: Annotated[bool, typer.Option(help="The four cameras of `vms run`.")] = False,
) -> None:
    """Be a number of RTSP cameras until Ctrl-C."""
    try:
        if demo:
            simulator = demo_simulator(host, port)
        else:
            simulator = Simulator(host, port)
            shown = _sources(cameras, codec, size, fps, bitrate, live=live, files=file or [])
            user, _, password = auth.partition(":")
            for index, source in enumerate(shown):
                simulator.add_camera(
                    f"cam{index + 1}",
                    source,
                    user,
                    password,
                    audio=_codec(audio) if audio else None,
                    behaviour=Behaviour(udp=udp_ok),
                    offset=(index // len(VIEWS) * 0.618) % 1 / fps,
                )
        uvloop.run(_serve(simulator, onvif=onvif))
    except ConfigError as error:
        typer.echo(f"vms simulate: {error}", err=True)
        raise typer.Exit(2) from error


def _sources(
    count: int,
    codec: str,
    size: str,
    fps: float,
    bitrate: int,
    *,
    live: bool,
    files: list[Path],
) -> list[Source]:
    """What each camera shows: files and scenes take turns."""
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
            codec=_codec(codec),
            view=views[i % len(views)].name,
            title=views[i % len(views)].title,
        )
        for i in range(count)
    ]


def _codec(name: str) -> Codec:
    try:
        return Codec(name.lower())
    except ValueError:
        raise ConfigError(f"unknown codec {name!r}; there are {', '.join(Codec)}") from None


async def _serve(simulator: Simulator, *, onvif: bool) -> None:
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

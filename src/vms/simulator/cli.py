"""`vms simulate`: cameras made of software, for trying the system and for load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vms.common.errors import ConfigError

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
    # Here, so that describing the command does not import codecs and pictures.
    import uvloop

    from vms.simulator.camera import Behaviour
    from vms.simulator.demo import demo_simulator
    from vms.simulator.gallery import VIEWS
    from vms.simulator.playing import codec_named, serve, sources
    from vms.simulator.server import Simulator

    try:
        if demo:
            simulator = demo_simulator(host, port)
        else:
            simulator = Simulator(host, port)
            shown = sources(cameras, codec, size, fps, bitrate, live=live, files=file or [])
            user, _, password = auth.partition(":")
            for index, source in enumerate(shown):
                simulator.add_camera(
                    f"cam{index + 1}",
                    source,
                    user,
                    password,
                    audio=codec_named(audio) if audio else None,
                    behaviour=Behaviour(udp=udp_ok),
                    offset=(index // len(VIEWS) * 0.618) % 1 / fps,
                )
        uvloop.run(serve(simulator, onvif=onvif))
    except ConfigError as error:
        typer.echo(f"vms simulate: {error}", err=True)
        raise typer.Exit(2) from error

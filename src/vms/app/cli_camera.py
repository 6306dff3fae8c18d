"""`vms camera`: cameras, straight in the catalog of this machine.

A running system takes notice within two seconds.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vms.app import cli_camera_set
from vms.app.cli_camera_set import (
    AudioOption,
    HolidayOption,
    PostRollOption,
    PreRollOption,
    SlotOption,
    ZoneOption,
    recorded,
)
from vms.app.cli_common import (
    ConfigOption,
    DataDirOption,
    common_settings,
    console,
    note,
    opened_catalog,
    print_table,
    progress,
    run_async,
)
from vms.common import environment
from vms.common.errors import ConfigError
from vms.common.model.camera import Camera, RecordingMode, StreamConfig, Transport, check_id, slug
from vms.common.secret import Secret, split_credentials

if TYPE_CHECKING:
    from vms.app.settings import Settings
    from vms.ingest.probe import ProbeResult

app = typer.Typer(help="Add, change, list, test, find and remove.", no_args_is_help=True)
app.command("set")(cli_camera_set.change)

_UserOption = Annotated[str, typer.Option("--username", "-u", help="User name at the camera.")]
_PasswordOption = Annotated[
    str | None,
    typer.Option(help="Asked for if there is a user name.", envvar=environment.CAMERA_PASSWORD),
]
_TransportOption = Annotated[Transport, typer.Option(help="How RTP travels.")]


@app.command("list")
def list_cameras(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """List the cameras."""

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            cameras = await catalog.cameras.list()
        rows = [
            (
                camera.id,
                camera.name,
                "yes" if camera.enabled else "no",
                stream.name,
                stream.recording.value,
                stream.url,
            )
            for camera in cameras
            for stream in camera.streams
        ]
        columns = ("id", "name", "enabled", "stream", "recording", "address")
        print_table(columns, rows, "There are no cameras yet: vms camera add NAME ADDRESS")

    run_async(work(common_settings(config, data_dir)))


@app.command()
def add(
    name: str,
    url: Annotated[str, typer.Argument(help="Address of the main stream.")],
    sub: Annotated[str | None, typer.Option(help="Address of the sub stream.")] = None,
    camera_id: Annotated[str | None, typer.Option("--id", help="Made from the name.")] = None,
    username: _UserOption = "",
    password: _PasswordOption = None,
    transport: _TransportOption = Transport.TCP,
    record: Annotated[bool, typer.Option(help="Record the main stream.")] = True,
    recording: Annotated[
        RecordingMode, typer.Option(help="How it is recorded.")
    ] = RecordingMode.CONTINUOUS,
    audio: AudioOption = None,
    pre_roll: PreRollOption = None,
    post_roll: PostRollOption = None,
    slot: SlotOption = None,
    zone: ZoneOption = None,
    holiday: HolidayOption = None,
    events: Annotated[
        str, typer.Option("--onvif", help="Where its own events are read: host or host:port.")
    ] = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Add a camera."""
    from vms.ingest.address import parse_address
    from vms.ingest.onvif_soap import DeviceAddress

    settings = common_settings(config, data_dir)
    if events:
        DeviceAddress.parse(events)
    for given in filter(None, (url, sub)):
        parse_address(given, settings.ingest)
    address, user, secret = _credentials(url, username, password)
    main = StreamConfig("main", address, transport)
    mode = recording if record else RecordingMode.OFF
    streams = [recorded(main, mode, audio, pre_roll, post_roll, slot, zone, holiday)]
    if sub:
        streams.append(StreamConfig("sub", split_credentials(sub)[0], transport))
    camera = Camera(
        check_id(camera_id or slug(name)), name, tuple(streams), user, secret, onvif=events
    )

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            await catalog.cameras.add(camera)
            modes = {one.name: one.recording.value for one in streams}
            await note(catalog, "camera.added", camera.id, name=name, recording=modes)
            console.print(f"added {camera.id}; try it with: vms camera test {camera.id}")

    run_async(work(settings))


@app.command()
def test(
    camera: Annotated[str, typer.Argument(help="The id of a camera, or an address.")],
    username: _UserOption = "",
    password: _PasswordOption = None,
    transport: _TransportOption = Transport.TCP,
    snapshot: Annotated[Path | None, typer.Option(help="Write a picture (JPEG) there.")] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Connect, and say what comes: codec, size, rate."""
    from vms.ingest.probe import probe

    async def stored(settings: Settings) -> list[tuple[StreamConfig, str, Secret]]:
        async with opened_catalog(settings) as catalog:
            found = await catalog.cameras.get(camera)
        return [(stream, found.username, found.password) for stream in found.streams]

    async def work(settings: Settings) -> None:
        targets = await stored(settings) if "://" not in camera else given
        for stream, user, secret in targets:
            with progress(f"connecting to {stream.url}"):
                result = await probe(stream.url, user, secret, stream.transport, settings.ingest)
            _print_probe(stream, result)
            if snapshot and result.snapshot_jpeg:
                await asyncio.to_thread(snapshot.write_bytes, result.snapshot_jpeg)
                console.print(f"picture written to {snapshot}")

    given: list[tuple[StreamConfig, str, Secret]] = []
    if "://" in camera:
        address, user, secret = _credentials(camera, username, password)
        given = [(StreamConfig("main", address, transport), user, secret)]
    run_async(work(common_settings(config, data_dir)))


@app.command()
def discover(
    seconds: Annotated[float, typer.Option(help="How long to listen.", min=0.5, max=30)] = 4.0,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Find ONVIF cameras on the network."""
    from vms.ingest.discovery import discover as find_devices

    async def work(settings: Settings) -> None:
        with progress(f"looking for cameras for {seconds:g} s"):
            devices = await find_devices(seconds, settings.ingest)
        rows = [(device.address, device.name, device.hardware) for device in devices]
        nothing = "No camera answered. Are they on this network, with ONVIF switched on?"
        print_table(("address", "name", "hardware"), rows, nothing)

    run_async(work(common_settings(config, data_dir)))


@app.command()
def onvif(
    address: Annotated[str, typer.Argument(help="As `discover` gives it, or a host.")],
    username: _UserOption = "",
    password: _PasswordOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Ask an ONVIF camera what it is, and for the addresses of its streams and pictures."""
    from vms.ingest.onvif_device import read_device

    async def work(settings: Settings) -> None:
        with progress(f"asking {address}"):
            found = await read_device(address, username, secret, settings.ingest)
        console.print(
            f"{found['manufacturer']} {found['model']}, firmware {found['firmware']}, "
            f"serial {found['serial']}"
        )
        rows = [
            (
                profile["name"],
                f"{profile['codec']} {profile['width']}x{profile['height']}",
                profile["stream_uri"],
                profile["snapshot_uri"] or "-",
            )
            for profile in found["profiles"]
        ]
        print_table(("profile", "video", "stream", "picture"), rows, "It has no video profile.")

    secret = Secret(password or "")
    if username and password is None:
        secret = Secret(typer.prompt("Password", hide_input=True))
    run_async(work(common_settings(config, data_dir)))


@app.command()
def enable(camera_id: str, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Connect to the camera again."""
    _switch(camera_id, True, config, data_dir)


@app.command()
def disable(camera_id: str, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Keep the camera, but do not connect to it."""
    _switch(camera_id, False, config, data_dir)


@app.command()
def remove(
    camera_id: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Remove a camera. Its recordings stay."""
    if not yes:
        typer.confirm(f"Remove camera {camera_id}?", abort=True)

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            await catalog.cameras.remove(camera_id)
            await note(catalog, "camera.removed", camera_id)
        console.print(f"removed {camera_id}; its recordings stay")

    run_async(work(common_settings(config, data_dir)))


def _switch(camera_id: str, on: bool, config: Path | None, data_dir: Path | None) -> None:
    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            camera = await catalog.cameras.get(camera_id)
            await catalog.cameras.update(replace(camera, enabled=on))
            await note(catalog, "camera.changed", camera_id, enabled=on)
        console.print(f"{camera_id} is {'enabled' if on else 'disabled'}")

    run_async(work(common_settings(config, data_dir)))


def _credentials(url: str, username: str, password: str | None) -> tuple[str, str, Secret]:
    try:
        address, in_url, secret = split_credentials(url)
    except ValueError:
        address, in_url, secret = "", "", Secret("")
    if "://" not in address:
        raise ConfigError(f"{url!r} is no address; it should look like rtsp://10.0.0.5:554/stream1")
    user = username or in_url
    if password is not None:
        secret = Secret(password)
    elif user and not secret:
        secret = Secret(typer.prompt("Password", hide_input=True))
    return address, user, secret


def _print_probe(stream: StreamConfig, result: ProbeResult) -> None:
    for track in result.tracks:
        size = f" {track.width}x{track.height}" if track.width else ""
        rate = f" at {track.frame_rate:g} pictures/s" if track.frame_rate else ""
        console.print(f"{stream.name}: {track.codec}{size}{rate}", highlight=False)
    if result.note:
        console.print(f"{stream.name}: {result.note}", highlight=False)
    if result.tls_fingerprint:
        certificate = f"certificate (SHA-256) {result.tls_fingerprint}"
        console.print(f"{stream.name}: {certificate}", highlight=False, soft_wrap=True)

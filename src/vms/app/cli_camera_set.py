"""`vms camera set`: how a camera is recorded, and what of its picture is masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vms.app.cli_common import (
    ConfigOption,
    DataDirOption,
    common_settings,
    console,
    note,
    opened_catalog,
    run_async,
)
from vms.common.errors import ConfigError
from vms.common.model.camera import Camera, RecordingMode, StreamConfig

if TYPE_CHECKING:
    from vms.app.settings import Settings

RecordingOption = Annotated[
    RecordingMode | None, typer.Option(help="How the stream is recorded.", show_default=False)
]
AudioOption = Annotated[
    bool | None,
    typer.Option("--audio/--no-audio", help="Record its sound, too.", show_default=False),
]
PreRollOption = Annotated[
    float | None, typer.Option(help="Seconds kept before an event.", show_default=False)
]
PostRollOption = Annotated[
    float | None, typer.Option(help="Seconds kept after an event.", show_default=False)
]
SlotOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A part of the calendar: 'mon-fri 08:00-18:00 event'. Repeatable.", show_default=False
    ),
]
ZoneOption = Annotated[
    str | None,
    typer.Option(help="The calendar's time zone: Europe/Lisbon.", show_default=False),
]
HolidayOption = Annotated[
    list[str] | None,
    typer.Option(help="2026-12-25: a day that the slots of 'holiday' hold for. Repeatable."),
]


def change(
    camera_id: str,
    stream: Annotated[str, typer.Option(help="Which of its streams.")] = "main",
    name: Annotated[str | None, typer.Option(help="A new name.", show_default=False)] = None,
    recording: RecordingOption = None,
    audio: AudioOption = None,
    pre_roll: PreRollOption = None,
    post_roll: PostRollOption = None,
    slot: SlotOption = None,
    zone: ZoneOption = None,
    holiday: HolidayOption = None,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            help="What nobody is to see: 'Window: 0.1,0.2 0.3,0.2 0.3,0.4', parts of the "
            "picture's width and height. Repeatable; those that were there go.",
            show_default=False,
        ),
    ] = None,
    no_masks: Annotated[bool, typer.Option("--no-masks", help="Remove all masks.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Change how a camera is recorded, its name, or its masks. What is not given stays."""
    from vms.app.schedule_text import parse_mask

    def made(old: StreamConfig) -> StreamConfig:
        return recorded(old, recording, audio, pre_roll, post_roll, slot, zone, holiday)

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            camera = await catalog.cameras.get(camera_id)
            changed = _with_stream(camera, stream, made)
            if name is not None:
                changed = replace(changed, name=name)
            if mask or no_masks:
                changed = replace(changed, masks=tuple(parse_mask(text) for text in mask or ()))
            await catalog.cameras.update(changed)
            modes = {one.name: one.recording.value for one in changed.streams}
            masks = len(changed.masks)
            await note(catalog, "camera.changed", camera_id, recording=modes, masks=masks)
        console.print(f"changed {camera_id}")

    run_async(work(common_settings(config, data_dir)))


def recorded(
    stream: StreamConfig,
    recording: RecordingMode | None,
    audio: bool | None,
    pre_roll: float | None,
    post_roll: float | None,
    slots: Sequence[str] | None,
    zone: str | None,
    holidays: Sequence[str] | None,
) -> StreamConfig:
    """The stream with what is given. Raises ConfigError, InvalidValue."""
    from vms.app.schedule_text import parse_schedule, slot_texts

    given: dict[str, Any] = {
        "recording": recording, "audio": audio, "pre_roll_s": pre_roll, "post_roll_s": post_roll,
    }  # fmt: skip
    changed = replace(stream, **{key: value for key, value in given.items() if value is not None})
    if slots or zone or holidays:
        old = stream.schedule
        wanted = slots or (slot_texts(old) if old else ())
        chosen = zone or (old.zone if old else "")
        if not chosen:
            raise ConfigError("a calendar needs its time zone: --zone Europe/Lisbon")
        days = holidays or (old.holidays if old else ())
        changed = replace(changed, schedule=parse_schedule(wanted, chosen, days))
    if changed.recording is RecordingMode.SCHEDULE and changed.schedule is None:
        raise ConfigError("recording by a calendar needs one: --slot 'mon-fri 08:00-18:00 event'")
    return changed


def _with_stream(camera: Camera, name: str, made: Callable[[StreamConfig], StreamConfig]) -> Camera:
    if name not in {stream.name for stream in camera.streams}:
        names = ", ".join(stream.name for stream in camera.streams)
        raise ConfigError(f"camera {camera.id} has no stream {name!r}; it has {names}")
    streams = tuple(made(one) if one.name == name else one for one in camera.streams)
    return replace(camera, streams=streams)

"""`vms storage`: the archive on disk, checked and put right, also while the system runs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from vms.app.cli_common import (
    ConfigOption,
    DataDirOption,
    common_settings,
    console,
    errors,
    opened_catalog,
    print_table,
    run_async,
)
from vms.common.errors import ConfigError

if TYPE_CHECKING:
    from vms.app.settings import Settings
    from vms.catalog.port import Catalog
    from vms.common.model.segment import SegmentRow
    from vms.storage.rebuild import Report
    from vms.storage.verify import Verdict
    from vms.storage.volumes import Volumes

app = typer.Typer(help="Look at recordings on disk, check and recover them.", no_args_is_help=True)

_SAID_EVERY_S = 2.0
_MS = 1_000_000
Figures = TypeVar("Figures")


@app.command()
def status(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Show the volumes, what each stream has on them, and how long it is promised to stay."""
    from vms.app.storage_status import look

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            found = await look(_volumes(settings), catalog, settings.storage)
        print_table(
            ("volume", "path", "tier", "state", "recordings", "free", "size", "stays free"),
            [
                (v["name"], v["path"], v["tier"], v["problem"] or v["state"],
                 *(_bytes(v[key]) for key in ("used", "free", "total", "floor")))
                for v in found["volumes"]
            ],
            "There is no volume.",
        )  # fmt: skip
        print_table(
            ("camera", "stream", "size", "a day", "oldest", "newest", "promised", "foreseen"),
            [
                (camera["camera"], stream["stream"], _bytes(stream["bytes"]),
                 _bytes(stream["bytes_per_day"]), _when(stream["oldest"] * _MS),
                 _when(stream["newest"] * _MS), _days(camera["promised_days"]),
                 _days(camera["forecast_days"]))
                for camera in found["cameras"]
                for stream in camera["streams"]
            ],
            "Nothing is recorded yet.",
        )  # fmt: skip
        for camera in found["cameras"]:
            if camera["warning"]:
                console.print(f"{camera['camera']}: {camera['warning']}", highlight=False)

    run_async(work(common_settings(config, data_dir)))


@app.command()
def restamp(
    camera: Annotated[str, typer.Option(help="The camera's id.")],
    start: Annotated[str, typer.Option(help="Recordings that begin then or later, as stamped.")],
    end: Annotated[str, typer.Option(help="And before then. As 2026-11-24T10:00:00Z.")],
    shift: Annotated[float, typer.Option(help="Seconds to add to all times; may be less than 0.")],
    stream: Annotated[str | None, typer.Option(help="This stream only.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be moved.")
    ] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Move recordings in time that a wrong clock stamped, with their events and gaps.

    Refused, ahead of any change, where they would come to lie over others, or are held.
    """
    from vms.app.storage_restamp import Wanted, moment_ns, restamp_span

    wanted = Wanted(
        camera,
        stream,
        moment_ns(start, "--start"),
        moment_ns(end, "--end"),
        round(shift * 1_000_000_000),
    )

    async def work(settings: Settings) -> None:
        volumes = _volumes(settings)
        async with opened_catalog(settings) as catalog:
            done = await restamp_span(volumes, catalog, wanted, dry_run)
        for row in done.rows:
            console.print(
                f"{row.path}: {_when(row.start_ns)} to {_when(row.end_ns)}", highlight=False
            )
        would = "would be " if dry_run else ""
        console.print(
            f"{len(done.rows)} recordings, {done.events} events and {done.gaps} gaps "
            f"{would}moved by {shift:g} s",
            highlight=False,
        )
        if done.growing:
            console.print(
                f"{done.growing} left where they are: they are still being written", highlight=False
            )

    run_async(work(common_settings(config, data_dir)))


@app.command()
def rebuild(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove rows whose file is gone for good.")
    ] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Bring all recordings on the volumes back into the catalog, from the files alone."""
    from vms.storage.rebuild import Rebuild

    async def work(settings: Settings) -> Report:
        volumes = _volumes(settings)
        async with opened_catalog(settings) as catalog:

            def say(report: Report) -> str:
                return f"{report.files} files, {report.added} rows added"

            tell = _progress(say)
            job = Rebuild(catalog.segments, dry_run=dry_run, prune=prune, tell=tell)
            return await job.run(list(volumes))

    began = time.monotonic()
    report = run_async(work(common_settings(config, data_dir)))
    _print_rebuild(report, time.monotonic() - began, dry_run)
    if report.refusals:
        raise typer.Exit(1)


@app.command()
def verify(
    sample: Annotated[int, typer.Option(help="So many recordings, by chance.", min=1)] = 100,
    whole: Annotated[bool, typer.Option("--all", help="All recordings.")] = False,
    camera: Annotated[str | None, typer.Option(help="Of this camera only.")] = None,
    since: Annotated[str | None, typer.Option(help="Begun on this day or later.")] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Read recordings and hold them against their hashes; status 1 where one was changed."""
    from vms.storage.verify import verify_all

    since_ns = _day_ns(since)

    async def work(settings: Settings) -> Verdict:
        volumes = _volumes(settings)
        async with opened_catalog(settings) as catalog:
            rows = await _chosen(catalog, camera, since_ns, None if whole else sample)

        def say(verdict: Verdict) -> str:
            return f"{verdict.files} of {len(rows)} files, {verdict.faulty} with faults"

        return await verify_all(volumes, rows, _progress(say))

    began = time.monotonic()
    verdict = run_async(work(common_settings(config, data_dir)))
    for fault in verdict.faults:
        span = f"{_when(fault.start_ns)} to {_when(fault.end_ns)}"
        console.print(f"FAULT  {fault.volume}: {fault.path}  {span}: {fault.what}", highlight=False)
    for path, why in verdict.unread:
        console.print(f"UNREAD {path}: {why}", highlight=False)
    rate = verdict.size / max(time.monotonic() - began, 1e-9)
    console.print(
        f"{verdict.files} recordings, {_bytes(verdict.size)} at {_bytes(int(rate))}/s: "
        f"{verdict.faulty} with faults, {verdict.failures} could not be read, "
        f"{verdict.unhashed} without hashes",
        highlight=False,
    )
    if not verdict.good:
        raise typer.Exit(1)


def _volumes(settings: Settings) -> Volumes:
    from vms.storage.volumes import Volumes

    return Volumes.of_settings(settings.storage, settings.storage_root)


async def _chosen(
    catalog: Catalog, camera: str | None, since_ns: int, sample: int | None
) -> list[SegmentRow]:
    """Closed rows, by camera and start; `sample` of them by chance, None: all."""
    names = {one.camera for one in await catalog.segments.usage()}
    if camera is not None and camera not in names:
        raise ConfigError(f"nothing is recorded of camera {camera[:80]!r}")
    found: list[SegmentRow] = []
    seen = 0
    for name in sorted(names if camera is None else {camera}):
        for row in await catalog.segments.spans(name, None, since_ns, 1 << 62):
            if not row.closed or row.start_ns < since_ns:
                continue
            seen += 1
            if sample is None or len(found) < sample:
                found.append(row)
            elif (place := random.randrange(seen)) < sample:
                found[place] = row
    return sorted(found, key=lambda row: (row.camera, row.start_ns))


def _progress(say: Callable[[Figures], str]) -> Callable[[Figures], None]:
    """Says how far it is, now and then, to whoever waits."""
    last = time.monotonic()

    def tell(figures: Figures) -> None:
        nonlocal last
        if time.monotonic() - last >= _SAID_EVERY_S:
            last = time.monotonic()
            errors.print(f"{say(figures)} ...", highlight=False)

    return tell


def _print_rebuild(report: Report, took: float, dry_run: bool) -> None:
    for path, why in report.refused:
        console.print(f"LEFT   {path}: {why}", highlight=False)
    for path in report.missing:
        console.print(f"GONE   {path}: in the catalog, but not on the disk", highlight=False)
    would = "would be " if dry_run else ""
    parts = [
        f"{report.files} files, {report.known} known already",
        f"{report.added} {would}added, {report.mended} {would}mended",
        f"{report.busy} being written, {report.empty} without a picture removed",
        f"{report.refusals} left alone",
        f"{report.misses} rows without file, {report.removed} removed",
    ]
    console.print("; ".join(parts), highlight=False)
    speed = f"{took:.1f} s, {report.files / max(took, 1e-9):.0f} files/s"
    if report.size:
        speed += f", {took / report.size * 1e12:.0f} s/TB of what was added"
    console.print(speed, highlight=False)


def _day_ns(text: str | None) -> int:
    if text is None:
        return 0
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--since {text[:40]!r} is no date; write it as 2026-11-24") from None
    if day.tzinfo is None:
        day = day.replace(tzinfo=UTC)
    return max(0, int(day.timestamp()) * 1_000_000_000)


def _days(days: float | None) -> str:
    return "-" if days is None else f"{days:.1f} days"


def _when(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _bytes(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} TB"

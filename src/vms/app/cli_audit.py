"""`vms audit`: who did what, straight from the catalog of this machine."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from vms.app.cli_common import (
    ConfigOption,
    DataDirOption,
    common_settings,
    console,
    opened_catalog,
    print_table,
    progress,
    run_async,
)

if TYPE_CHECKING:
    from vms.app.settings import Settings
    from vms.common.model.evidence import AuditEntry

app = typer.Typer(help="Read the audit trail, and check that it is whole.", no_args_is_help=True)


@app.command("list")
def list_entries(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    camera: Annotated[str | None, typer.Option(help="Of this camera.", show_default=False)] = None,
    user: Annotated[
        str | None, typer.Option(help="Of this user: name or id.", show_default=False)
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="hold finds hold.added, too.", show_default=False)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One entry a line, whole, as JSON.")
    ] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """List who did what, the newest first."""

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            found = await catalog.audit.list(None, limit, camera, user, action)
        if as_json:
            for entry in found:
                whole = entry.fields() | {"previous": entry.previous, "digest": entry.digest}
                typer.echo(json.dumps(whole, ensure_ascii=False))
            return
        columns = ("number", "when (UTC)", "who", "from", "what", "camera", "span (UTC)", "more")
        print_table(columns, [_row(entry) for entry in found], "There is nothing of that.")

    run_async(work(common_settings(config, data_dir)))


@app.command()
def check(
    head: Annotated[
        str, typer.Option(help="A head noted earlier, which must still be there.")
    ] = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Go through the whole trail; status 1 where an entry was changed or is missing.

    It prints the head. Note it elsewhere: with it a later check finds out whether the newest
    entries were cut off.
    """
    from vms.auth.audit_check import check_trail

    async def work(settings: Settings) -> bool:
        async with opened_catalog(settings) as catalog:
            with progress("checking the audit trail"):
                found = await check_trail(catalog.audit, head)
        if found.ok:
            console.print(f"{found.entries} entries, all as they were written", highlight=False)
        else:
            console.print(
                f"entry {found.broken_at} was changed, or is missing; "
                "those before it are as they were written",
                highlight=False,
            )
        console.print(f"head {found.head or 'none'}", highlight=False, soft_wrap=True)
        return found.ok

    if not run_async(work(common_settings(config, data_dir))):
        raise typer.Exit(1)


def _row(entry: AuditEntry) -> tuple[str, ...]:
    span = " to ".join(_when(t) for t in (entry.start_ns, entry.end_ns) if t is not None)
    more = json.dumps(dict(entry.detail), ensure_ascii=False)[1:-1]
    return (
        str(entry.seq), _when(entry.at_ns), entry.user_name, entry.address, entry.action,
        entry.camera, span, more,
    )  # fmt: skip


def _when(t_ns: int) -> str:
    try:
        return f"{datetime.fromtimestamp(t_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return str(t_ns)

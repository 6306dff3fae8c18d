"""What the sub commands share: options, the catalog, progress, answers as tables."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from vms.app.settings import Settings
    from vms.catalog.port import Catalog

Result = TypeVar("Result")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings file (TOML).", show_default=False)
]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Where the system keeps its files.")
]

_PIPE_COLUMNS = 1000
"""What is read by a program is not broken into lines."""


def _console(stream: TextIO | None, stderr: bool) -> Console:
    """`stream` is None where the program was started without it."""
    on_terminal = stream is not None and stream.isatty()
    return Console(stderr=stderr, width=None if on_terminal else _PIPE_COLUMNS)


console = _console(sys.stdout, stderr=False)
errors = _console(sys.stderr, stderr=True)


def common_settings(config: Path | None, data_dir: Path | None, **flags: Any) -> Settings:
    from vms.app.settings import read_settings

    return read_settings(config, {"data_dir": data_dir, **flags})


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@asynccontextmanager
async def opened_catalog(settings: Settings) -> AsyncIterator[Catalog]:
    from vms.app.data_dir import make_data_dir
    from vms.catalog.open import open_catalog

    make_data_dir(settings.data_dir)
    catalog = await open_catalog(settings.catalog_url, settings.data_dir)
    try:
        yield catalog
    finally:
        await catalog.close()


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Show that something goes on, where a person looks; one plain line elsewhere."""
    if not errors.is_terminal:
        errors.print(f"{text} ...", highlight=False)
        yield
        return
    with errors.status(f"{text} ..."):
        yield


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    if not rows:
        console.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


async def note(catalog: Catalog, action: str, camera: str = "", **detail: Any) -> None:
    """Write into the audit trail what was done here. Raises CatalogError."""
    import getpass

    from vms.auth.audit import AuditTrail, Named
    from vms.common.clock import SystemClock

    try:
        person = getpass.getuser()
    except (OSError, KeyError):
        person = "unknown"
    trail = AuditTrail(catalog.audit, SystemClock())
    await trail.note_now(Named(f"command line: {person}"), "", action, camera, **detail)

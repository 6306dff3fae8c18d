"""The command `vms`: a table of sub commands, and errors turned into one clear line.

Modules of sub commands import at their top only what describing them takes; what they work
with is imported as they run. So `vms --help` and `vms version` answer at once.
"""

from __future__ import annotations

import os
import sys

import typer

from vms.app import cli_audit, cli_camera, cli_storage, cli_user, cli_verify
from vms.app.cli_run import doctor, run, settings
from vms.common.errors import VmsError
from vms.common.secret import redact
from vms.simulator.cli import simulate

app = typer.Typer(
    name="vms",
    help="Video management system: record, watch live, find again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.add_typer(cli_camera.app, name="camera")
app.add_typer(cli_user.app, name="user")
app.add_typer(cli_storage.app, name="storage")
app.add_typer(cli_audit.app, name="audit")
app.command()(cli_verify.verify)
app.add_typer(cli_verify.app, name="evidence")
app.command()(doctor)
app.command()(settings)
app.command()(simulate)


@app.command("version")
def show_version() -> None:
    """Print the version."""
    from importlib.metadata import version

    typer.echo(version("vms"))


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Errors of the project end with status 1 and one line, never a trace."""
    _hold_standard_streams()
    try:
        app(args=arguments)
    except VmsError as error:
        from vms.telemetry import logs

        logs.drain()
        typer.echo(f"vms: {redact(str(error))}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _hold_standard_streams() -> None:
    """Open those that were closed: a socket that got the number of one would be taken for it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


def run_ingest() -> None:
    main(["run", "ingest", *sys.argv[1:]])


def run_storage() -> None:
    main(["run", "storage", *sys.argv[1:]])


def run_stream() -> None:
    main(["run", "stream", *sys.argv[1:]])


def run_api() -> None:
    main(["run", "api", *sys.argv[1:]])

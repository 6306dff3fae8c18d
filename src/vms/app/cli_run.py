"""`vms run`, `vms doctor` and `vms settings`."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from vms.app.cli_common import ConfigOption, DataDirOption, common_settings, console, run_async
from vms.app.limits import ended_in_time, raise_file_limit
from vms.app.role_names import ROLE_NAMES

_ROLE_HELP = f"Roles of this process ({', '.join(ROLE_NAMES)}); none: all of them."


def run(
    roles: Annotated[list[str] | None, typer.Argument(help=_ROLE_HELP, show_default=False)] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the web client and the API.")] = None,
    bus: Annotated[
        str | None, typer.Option(help="memory://, unix:///path or nats://host:port.")
    ] = None,
    demo: Annotated[
        bool | None, typer.Option(help="Simulated cameras where none was ever configured.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run the system: all roles in this process, or those named."""
    # Nothing made while it starts is garbage: looking for some takes a tenth of the time until
    # it records. `NodeRunner` switches it on again.
    gc.disable()
    from vms.app.node import NodeRunner
    from vms.app.roles import build_services, check_roles
    from vms.telemetry import logs

    settings = common_settings(
        config,
        data_dir,
        **{
            "http.host": host,
            "http.port": port,
            "bus.url": bus,
            "demo.enabled": demo,
            "log.level": log_level,
        },
    )
    chosen = check_roles(roles or ROLE_NAMES, settings)
    logs.configure(settings.log.level, json=settings.log.json_lines)
    raise_file_limit()
    run_async(ended_in_time(NodeRunner(settings, chosen).run(build_services)))


def doctor(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Check ports, disk, codecs and cameras, and say what to do about what is wrong."""
    from vms.app.doctor import examine
    from vms.telemetry import logs

    settings = common_settings(config, data_dir)
    logs.configure("error", json=False)
    failed = run_async(examine(settings))
    raise typer.Exit(1 if failed else 0)


def settings(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Show every setting with its value; secrets are not shown."""
    tree = common_settings(config, data_dir)
    console.print_json(tree.model_dump_json())

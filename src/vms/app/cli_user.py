"""`vms user`: accounts, straight in the catalog of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vms.app.cli_common import (
    ConfigOption,
    DataDirOption,
    common_settings,
    console,
    note,
    opened_catalog,
    print_table,
    run_async,
)
from vms.catalog.port import Role
from vms.common import environment
from vms.common.secret import Secret

if TYPE_CHECKING:
    from vms.app.settings import Settings

app = typer.Typer(help="Add, list and remove users.", no_args_is_help=True)

_PasswordOption = Annotated[
    str,
    typer.Option(
        prompt=True, confirmation_prompt=True, hide_input=True, envvar=environment.NEW_PASSWORD
    ),
]


@app.command("list")
def list_users(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """List the users."""

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            rows = []
            for user in await catalog.users.list():
                cameras = sorted(await catalog.grants.of(user.id))
                seen = "*" if user.role is Role.ADMINISTRATOR else ", ".join(cameras) or "-"
                rows.append((user.name, user.role.value, "yes" if user.enabled else "no", seen))
        print_table(("name", "role", "enabled", "cameras"), rows, "There are no users yet.")

    run_async(work(common_settings(config, data_dir)))


@app.command()
def add(
    name: str,
    password: _PasswordOption,
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.VIEWER,
    camera: Annotated[
        list[str] | None, typer.Option(help="A camera the user may see; '*' for all. Repeatable.")
    ] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Add a user."""
    from vms.auth import users

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            user = await users.create_user(catalog, name, Secret(password), role, camera or ())
            granted = sorted(camera or ())
            await note(catalog, "user.added", user=name, role=role.value, cameras=granted)
            console.print(f"added {user.name} ({user.role.value})")

    run_async(work(common_settings(config, data_dir)))


@app.command("password")
def set_password(
    name: str,
    password: _PasswordOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Set a user's password; all of the user's sessions end."""
    from vms.auth import users

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            user = await catalog.users.by_name(name)
            await users.set_password(catalog, user.id, Secret(password))
            await note(catalog, "user.changed", user=user.name, changed={"new_password": True})
            console.print(f"password of {user.name} set; its sessions are ended")

    run_async(work(common_settings(config, data_dir)))


@app.command()
def remove(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Remove a user."""
    from vms.auth import users

    if not yes:
        typer.confirm(f"Remove user {name}?", abort=True)

    async def work(settings: Settings) -> None:
        async with opened_catalog(settings) as catalog:
            user = await catalog.users.by_name(name)
            await users.remove_user(catalog, user.id)
            await note(catalog, "user.removed", user=user.name)
            console.print(f"removed {user.name}")

    run_async(work(common_settings(config, data_dir)))

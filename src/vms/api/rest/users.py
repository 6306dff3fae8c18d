"""Users and the cameras granted to them, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from vms.api.models_people import GrantsModel, NewUser, UserChange, UserModel
from vms.api.problems import CREATED, documented, refuse_nulls
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.auth import users
from vms.auth.http import peer_address, require
from vms.auth.policy import Permission, Principal
from vms.bus import subjects
from vms.catalog.port import User
from vms.common.errors import VmsError
from vms.common.model.messages import ConfigChanged
from vms.common.secret import Secret

Manager = Annotated[Principal, require(Permission.MANAGE_USERS)]
UserId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, tags=["users"])
    catalog, passwords = services.catalog, services.auth.passwords

    async def shown(user: User) -> UserModel:
        return UserModel.of(user, await catalog.grants.of(user.id))

    def tell(user_id: str) -> None:
        services.auth.access.forget()
        services.bus.publish(subjects.config("user", user_id), ConfigChanged("user", user_id))

    def note(request: Request, who: Principal, action: str, user: str, **detail: Any) -> None:
        services.auth.audit.note(who, peer_address(request), action, user=user, **detail)

    @routes.get("/users")
    async def list_users(who: Manager) -> list[UserModel]:
        return [await shown(user) for user in await catalog.users.list()]

    @routes.post(
        "/users",
        status_code=201,
        responses=CREATED | documented(404, 409),
    )
    async def add_user(
        body: NewUser, who: Manager, request: Request, response: Response
    ) -> UserModel:
        """Add a user. Without grants it sees no camera, unless it is an administrator."""
        user = await users.create_user(
            catalog, body.username, Secret(body.password), body.role, body.cameras, passwords
        )
        tell(user.id)
        granted = sorted(body.cameras)
        note(request, who, "user.added", user.name, role=user.role.value, cameras=granted)
        response.headers["Location"] = f"{PREFIX}/users/{user.id}"
        return await shown(user)

    @routes.get("/users/{user_id}", responses=documented(404))
    async def get_user(user_id: UserId, who: Manager) -> UserModel:
        return await shown(await catalog.users.get(user_id))

    @routes.patch("/users/{user_id}", responses=documented(404, 409))
    async def change_user(
        user_id: UserId, change: UserChange, who: Manager, request: Request
    ) -> UserModel:
        """Change what is given. There must always be an administrator who can sign in."""
        refuse_nulls(change)
        user = await _changed(services, user_id, change)
        tell(user_id)
        told = change.model_dump(mode="json", exclude_unset=True, exclude={"password"})
        if change.password is not None:
            told["new_password"] = True
        note(request, who, "user.changed", user.name, changed=told)
        return await shown(user)

    @routes.delete("/users/{user_id}", status_code=204, responses=documented(404, 409))
    async def remove_user(user_id: UserId, who: Manager, request: Request) -> None:
        """Remove a user; its sessions, sockets and streams end within a second."""
        name = (await catalog.users.get(user_id)).name
        await users.remove_user(catalog, user_id)
        tell(user_id)
        note(request, who, "user.removed", name)

    @routes.put("/users/{user_id}/grants", responses=documented(404))
    async def set_grants(
        user_id: UserId, body: GrantsModel, who: Manager, request: Request
    ) -> UserModel:
        """Replace the cameras that the user may see."""
        await catalog.grants.replace(user_id, body.cameras)
        tell(user_id)
        user = await catalog.users.get(user_id)
        note(request, who, "user.changed", user.name, changed={"cameras": sorted(body.cameras)})
        return await shown(user)

    @routes.delete("/users/{user_id}/sessions", status_code=204, responses=documented(404))
    async def end_sessions(user_id: UserId, who: Manager, request: Request) -> None:
        """Sign the user out everywhere."""
        user = await catalog.users.get(user_id)
        await services.auth.signin.end_sessions_of(user_id)
        tell(user_id)
        note(request, who, "user.signed-out", user.name)

    return routes


async def _changed(services: ApiServices, user_id: str, change: UserChange) -> User:
    catalog, passwords = services.catalog, services.auth.passwords
    if change.password is not None:
        passwords.check_strength(Secret(change.password), change.username or "")
    before = await catalog.grants.of(user_id)
    if change.cameras is not None:
        await catalog.grants.replace(user_id, change.cameras)
    try:
        user = await users.change_user(
            catalog, user_id, change.username, change.role, change.enabled
        )
    except VmsError:
        if change.cameras is not None:
            await catalog.grants.replace(user_id, before)
        raise
    if change.password is not None:
        await users.set_password(catalog, user_id, Secret(change.password), None, passwords)
    return user

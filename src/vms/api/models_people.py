"""What the REST interface says and takes of people. Passwords go in and never come out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from vms.api.models import Taken
from vms.api.text import Identifier, Line, Name, Password
from vms.catalog.port import ALL_CAMERAS, Role, User


class UserModel(BaseModel):
    """A user. `cameras` are the ids granted, or '*'; administrators see all without."""

    id: str
    username: str
    role: Role
    enabled: bool
    cameras: list[str]

    @classmethod
    def of(cls, user: User, cameras: frozenset[str]) -> UserModel:
        return cls(
            id=user.id,
            username=user.name,
            role=user.role,
            enabled=user.enabled,
            cameras=sorted(cameras),
        )


Grants = Annotated[list[Identifier | Literal["*"]], Field(max_length=10_000)]


class NewUser(Taken):
    username: Name
    password: Password
    role: Role = Role.VIEWER
    cameras: Grants = Field(default=[])


class UserChange(Taken):
    """Only what is given changes. A new password ends all sessions of the user."""

    username: Name | None = None
    password: Password | None = None
    role: Role | None = None
    enabled: bool | None = None
    cameras: Grants | None = None


class GrantsModel(Taken):
    cameras: Grants = Field(description=f"Ids of cameras, or {ALL_CAMERAS!r} for all.")


class Login(Taken):
    username: Line
    password: Password


class PasswordChange(Taken):
    current_password: Password
    new_password: Password


class SignedIn(BaseModel):
    """The access token for the header `Authorization: Bearer`; `expires_in` is in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int
    user: UserModel

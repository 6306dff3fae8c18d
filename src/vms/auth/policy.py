"""Who may do what to which camera: the one place that decides. What is not allowed here,
by role and by grant, is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vms.catalog.port import ALL_CAMERAS, Role
from vms.common.errors import NotAuthorized


class Permission(StrEnum):
    """What can be done. The first six are asked for one camera, the others for the whole."""

    VIEW_LIVE = "view_live"
    VIEW_PLAYBACK = "view_playback"
    EXPORT = "export"
    HOLD = "hold"
    TRIGGER = "trigger"
    UNMASK = "unmask"
    MANAGE_CAMERAS = "manage_cameras"
    MANAGE_USERS = "manage_users"
    VIEW_SYSTEM = "view_system"
    MANAGE_STORAGE = "manage_storage"
    VIEW_AUDIT = "view_audit"


_OF_A_CAMERA = frozenset(
    {
        Permission.VIEW_LIVE,
        Permission.VIEW_PLAYBACK,
        Permission.EXPORT,
        Permission.HOLD,
        Permission.TRIGGER,
        Permission.UNMASK,
    }
)

_OF_ROLE = {
    Role.ADMINISTRATOR: frozenset(Permission),
    Role.OPERATOR: _OF_A_CAMERA - {Permission.UNMASK} | {Permission.VIEW_SYSTEM},
    Role.VIEWER: frozenset({Permission.VIEW_LIVE, Permission.VIEW_PLAYBACK}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `cameras` are the user's grants: ids, or '*' for all.

    `session_id` names the sign-in, `token_id` the access token (its `jti`), which ends at
    `expires_ns` (UTC nanoseconds).
    """

    user_id: str
    name: str
    role: Role
    cameras: frozenset[str] = frozenset()
    session_id: str = ""
    token_id: str = ""
    expires_ns: int = 0


class Policy:
    """Default-deny: a role gives permissions, a grant gives cameras; both are needed.

    Administrators need no grants. A permission of a camera asked without one (None) is
    refused to everybody who does not have it for all cameras.
    """

    def allows(
        self, principal: Principal, permission: Permission, camera_id: str | None = None
    ) -> bool:
        if permission not in _OF_ROLE.get(principal.role, frozenset()):
            return False
        if principal.role is Role.ADMINISTRATOR or permission not in _OF_A_CAMERA:
            return True
        return ALL_CAMERAS in principal.cameras or (
            camera_id is not None and camera_id != ALL_CAMERAS and camera_id in principal.cameras
        )

    def has(self, principal: Principal, permission: Permission) -> bool:
        """Whether the role gives `permission` at all, for whatever cameras."""
        return permission in _OF_ROLE.get(principal.role, frozenset())

    def require(
        self, principal: Principal, permission: Permission, camera_id: str | None = None
    ) -> None:
        """Raises NotAuthorized, with a sentence that says what is missing."""
        if self.allows(principal, permission, camera_id):
            return
        where = f" for camera {camera_id!r}" if camera_id is not None else ""
        raise NotAuthorized(
            f"{principal.name} ({principal.role.value}) may not {_words(permission)}{where}; "
            "an administrator can change roles and grants"
        )

    def sees_camera(self, principal: Principal, camera_id: str) -> bool:
        """Whether the camera may be shown in lists to this principal."""
        return any(self.allows(principal, p, camera_id) for p in _OF_A_CAMERA)


_SAID = {
    Permission.HOLD: "lock or bookmark footage",
    Permission.TRIGGER: "start events",
    Permission.UNMASK: "see behind privacy masks",
}


def _words(permission: Permission) -> str:
    return _SAID.get(permission, permission.value.replace("_", " "))

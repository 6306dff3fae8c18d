from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.auth.policy import Permission, Policy, Principal
from vms.catalog.port import Role
from vms.common.errors import NotAuthorized

OF_AN_OPERATOR = {
    Permission.VIEW_LIVE,
    Permission.VIEW_PLAYBACK,
    Permission.EXPORT,
    Permission.HOLD,
    Permission.TRIGGER,
}
OF_A_CAMERA = OF_AN_OPERATOR | {Permission.UNMASK}
HELD = {
    Role.ADMINISTRATOR: set(Permission),
    Role.OPERATOR: OF_AN_OPERATOR | {Permission.VIEW_SYSTEM},
    Role.VIEWER: {Permission.VIEW_LIVE, Permission.VIEW_PLAYBACK},
}


def _who(role: Role, *cameras: str) -> Principal:
    return Principal("u", "anna", role, frozenset(cameras))


@pytest.mark.parametrize(("role", "permission"), list(itertools.product(Role, Permission)), ids=str)
def test_role_and_grant_are_both_needed(role: Role, permission: Permission) -> None:
    allows = Policy().allows
    held = permission in HELD[role]
    whole = role is Role.ADMINISTRATOR or permission not in OF_A_CAMERA
    assert allows(_who(role, "front"), permission, "front") == held
    assert allows(_who(role, "*"), permission, "front") == held
    assert allows(_who(role, "front"), permission, "back") == (held and whole)
    assert allows(_who(role), permission, "front") == (held and whole)
    assert allows(_who(role, "front"), permission, None) == (held and whole)
    assert allows(_who(role, "*"), permission, None) == held


@given(st.text(max_size=12), st.sampled_from(sorted(OF_AN_OPERATOR)))
def test_a_grant_is_for_the_very_camera_it_names(camera_id: str, permission: Permission) -> None:
    allowed = Policy().allows(_who(Role.OPERATOR, "front", "yard-2"), permission, camera_id)
    assert allowed == (camera_id in ("front", "yard-2"))


def test_a_star_in_a_request_is_no_camera() -> None:
    assert not Policy().allows(_who(Role.VIEWER, "front"), Permission.VIEW_LIVE, "*")


def test_what_is_refused_says_what_is_missing_and_who_can_help() -> None:
    policy, who = Policy(), _who(Role.VIEWER, "front")
    policy.require(who, Permission.VIEW_LIVE, "front")
    with pytest.raises(NotAuthorized, match=r"anna .viewer. may not export for camera 'front'"):
        policy.require(who, Permission.EXPORT, "front")
    assert policy.sees_camera(who, "front")
    assert not policy.sees_camera(who, "back")

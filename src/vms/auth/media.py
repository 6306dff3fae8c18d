"""Media tokens: for players, which fetch what an address names and cannot send headers.

One is good for one camera, a span of its footage, and an hour at most. It says who asked for
it and gives no more than that session has at the moment of use: whether the session stands
and the permission is held is asked anew each time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import jwt

from vms.auth.policy import Principal
from vms.auth.tokens import ISSUER
from vms.catalog.port import Role
from vms.common.clock import Clock
from vms.common.errors import NotAuthenticated
from vms.common.secret import Secret

AUDIENCE = "vms-media"
MAX_SECONDS = 3600
_ALGORITHM = "HS256"
_REQUIRED = ["iss", "aud", "sub", "sid", "cam", "from", "to", "exp"]
_MAX_TOKEN = 2048
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class MediaClaims:
    """What a checked media token says; the span in epoch milliseconds."""

    user_id: str
    session_id: str
    camera: str
    start_ms: int
    end_ms: int

    def holder(self) -> Principal:
        """Somebody without any grant: `Access.renewed` says who that is now."""
        return Principal(self.user_id, "", Role.VIEWER, session_id=self.session_id)


class MediaTokens:
    """Issues and checks media tokens."""

    def __init__(self, key: Secret, clock: Clock) -> None:
        """`key` is that of access tokens; theirs and these are signed with different ones."""
        self._key = hashlib.sha256(b"media\0" + key.reveal().encode()).hexdigest()
        self._clock = clock

    def issue(
        self, who: Principal, camera: str, start_ms: int, end_ms: int, seconds: int = MAX_SECONDS
    ) -> tuple[str, int]:
        """(the token, when it ends in epoch milliseconds)."""
        ends = self._clock.now_ns() // _SECOND + min(seconds, MAX_SECONDS)
        claims = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": who.user_id, "sid": who.session_id,
            "cam": camera, "from": start_ms, "to": end_ms, "exp": ends,
        }  # fmt: skip
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM), ends * 1000

    def check(self, token: str, camera: str) -> MediaClaims:
        """Raises NotAuthenticated: not ours, changed, too old, or for another camera."""
        refused = NotAuthenticated("the media token is not valid here; ask for another")
        if len(token) > _MAX_TOKEN:
            raise refused
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # Times are judged below, by the injected clock.
                options={"require": _REQUIRED, "verify_exp": False},
            )
        except (jwt.InvalidTokenError, ValueError):
            raise refused from None
        if claims["cam"] != camera:
            raise refused
        now = self._clock.now_ns() // _SECOND
        if not isinstance(claims["exp"], int) or now >= claims["exp"]:
            raise NotAuthenticated("the media token has expired; ask for another")
        return MediaClaims(
            str(claims["sub"]), str(claims["sid"]), camera, int(claims["from"]), int(claims["to"])
        )

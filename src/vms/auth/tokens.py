"""Access tokens: short JWTs (RFC 7519, RFC 8725), signed with HS256 and nothing else."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

import jwt

from vms.catalog.port import SettingRepository
from vms.common.clock import Clock
from vms.common.errors import NotAuthenticated
from vms.common.secret import Secret

ISSUER = "vms"
AUDIENCE = "vms-api"
_ALGORITHM = "HS256"
_REQUIRED = ["iss", "aud", "sub", "sid", "jti", "iat", "exp"]
_MAX_TOKEN = 4096
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Claims:
    """What a checked token says. `expires_ns` is UTC in nanoseconds."""

    user_id: str
    session_id: str
    token_id: str
    expires_ns: int


class AccessTokens:
    """Issues and checks access tokens. `lifetime` is in seconds."""

    def __init__(self, key: Secret, clock: Clock, lifetime: int) -> None:
        self._key = key.reveal()
        self._kid = hashlib.sha256(self._key.encode()).hexdigest()[:8]
        self._clock = clock
        self.lifetime = lifetime

    def issue(self, user_id: str, session_id: str) -> str:
        now = self._clock.now_ns() // _SECOND
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "sid": session_id,
            "jti": secrets.token_urlsafe(12),
            "iat": now,
            "exp": now + self.lifetime,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": self._kid})

    def check(self, token: str) -> Claims:
        """Raises NotAuthenticated: not ours, changed, for somebody else, or too old."""
        if len(token) > _MAX_TOKEN:
            raise NotAuthenticated("the access token is too long to be one; sign in again")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # Times are judged below, by the injected clock.
                options={
                    "require": _REQUIRED,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise NotAuthenticated("the access token is not valid; sign in again") from error
        issued, expires = claims["iat"], claims["exp"]
        names = (claims["sub"], claims["sid"], claims["jti"])
        if not (type(issued) is int and type(expires) is int) or not all(
            isinstance(name, str) for name in names
        ):
            raise NotAuthenticated("the access token is not valid; sign in again")
        now = self._clock.now_ns() // _SECOND
        if now >= expires:
            raise NotAuthenticated("the access token has expired; refresh it or sign in again")
        if issued > now + 60 or expires - issued > self.lifetime:
            raise NotAuthenticated("the access token is not valid; sign in again")
        return Claims(names[0], names[1], names[2], expires * _SECOND)


async def signing_key(settings: SettingRepository) -> Secret:
    """The key of this installation: made once, kept in the catalog, shared by all nodes."""
    return await settings.put_new("auth.signing_key", Secret(secrets.token_urlsafe(48)))

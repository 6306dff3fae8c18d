"""Signing in, staying signed in, and signing out.

A sign-in opens a session: a family of refresh tokens of which each is used once and gives
the next (RFC 9700, 4.14.2). A token that comes a second time was copied: the session ends.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace

import structlog

from vms.auth.access import Access
from vms.auth.audit import AuditTrail, Named
from vms.auth.passwords import Passwords
from vms.auth.settings import AuthSettings
from vms.auth.throttle import Throttle
from vms.auth.tokens import AccessTokens
from vms.catalog.port import Catalog, RefreshToken, Session, User
from vms.common.clock import Clock
from vms.common.errors import NotAuthenticated, NotFound
from vms.common.secret import Secret

log = structlog.get_logger(__name__)

_SECOND = 1_000_000_000
_GRACE_NS = 10 * _SECOND
"""Two tabs of one browser may send the same token at once; that is no theft."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What a sign-in or refresh gives. Times are in seconds.

    `refresh_token` is None where another tab has the new one already.
    """

    user: User
    access_token: str
    expires_in: int
    refresh_token: Secret | None
    refresh_expires_in: int


class SignIn:
    def __init__(
        self,
        catalog: Catalog,
        tokens: AccessTokens,
        access: Access,
        passwords: Passwords,
        throttle: Throttle,
        clock: Clock,
        settings: AuthSettings,
        audit: AuditTrail,
    ) -> None:
        self._catalog = catalog
        self._tokens = tokens
        self._access = access
        self._passwords = passwords
        self._throttle = throttle
        self._clock = clock
        self._audit = audit
        self._refresh_ns = int(settings.refresh_hours * 3600) * _SECOND
        self._session_ns = int(settings.session_days * 86400) * _SECOND

    async def login(self, name: str, password: Secret, address: str, agent: str = "") -> Issued:
        """Raises NotAuthenticated (wrong name or password: the same), Throttled, Busy."""
        user = await self.check_password(name, password, address)
        now = self._clock.now_ns()
        session = Session(
            id=secrets.token_urlsafe(18),
            user_id=user.id,
            created_ns=now,
            expires_ns=now + self._session_ns,
            address=address[:64],
            agent=agent[:200],
        )
        secret, token = self._refresh_token(session, now)
        await self._catalog.sessions.open(session, token)
        await self._catalog.sessions.prune(now - self._session_ns)
        log.info("signed in", user=user.name, address=address)
        self._audit.note(Named(user.name, user.id), address, "sign-in", agent=session.agent)
        return self._issued(user, session, secret, token, now)

    async def check_password(self, name: str, password: Secret, address: str) -> User:
        """The enabled user of that name and password. Raises as `login`."""
        self._throttle.begin(name, address)
        try:
            user = await self._catalog.users.by_name(name)
        except NotFound:
            user = None
        right = await self._passwords.verify(user.password_hash if user else None, password)
        if user is None or not right or not user.enabled:
            log.warning("sign-in refused", user=name[:80], address=address)
            self._audit.note(Named(name, user.id if user else ""), address, "sign-in-refused")
            raise NotAuthenticated("wrong user name or password")
        self._throttle.succeeded(name, address)
        if self._passwords.outdated(user.password_hash):
            user = replace(user, password_hash=await self._passwords.hash(password))
            await self._catalog.users.update(user)
        return user

    async def refresh(self, refresh_token: Secret) -> Issued:
        """Raises NotAuthenticated; a token that was used before ends its whole session."""
        now = self._clock.now_ns()
        old, session, user = await self._known(refresh_token, now)
        secret, successor = self._refresh_token(session, now)
        if await self._catalog.sessions.rotate(old.digest, now, successor):
            return self._issued(user, session, secret, successor, now)
        used = (await self._catalog.sessions.token(old.digest)).used_ns or 0
        if now - used <= _GRACE_NS:
            return self._issued(user, session, None, old, now)
        await self._catalog.sessions.revoke(session.id, now)
        self._access.forget()
        log.warning("refresh token used twice, session ended", user=user.name, session=session.id)
        self._audit.note(
            Named(user.name, user.id), session.address, "session-ended", reason="token used twice"
        )
        raise NotAuthenticated("this session was ended for safety; sign in again")

    async def logout(self, refresh_token: Secret) -> None:
        """End the session of this token; unknown tokens are passed over."""
        try:
            token = await self._catalog.sessions.token(digest_of(refresh_token))
        except NotFound:
            return
        await self.end_session(token.session_id)

    async def end_session(self, session_id: str) -> None:
        await self._catalog.sessions.revoke(session_id, self._clock.now_ns())
        self._access.forget()

    async def end_sessions_of(self, user_id: str, keep: str | None = None) -> None:
        """End all sessions of a user but `keep`: the password or the user changed."""
        await self._catalog.sessions.revoke_of(user_id, self._clock.now_ns(), keep)
        self._access.forget()

    async def _known(self, refresh_token: Secret, now: int) -> tuple[RefreshToken, Session, User]:
        try:
            token = await self._catalog.sessions.token(digest_of(refresh_token))
            session = await self._catalog.sessions.get(token.session_id)
            user = await self._catalog.users.get(session.user_id)
        except NotFound as error:
            raise NotAuthenticated("this session does not exist; sign in again") from error
        if session.revoked_ns is not None or not user.enabled:
            raise NotAuthenticated("this session was ended; sign in again")
        if min(session.expires_ns, token.expires_ns) <= now:
            raise NotAuthenticated("this session is too old; sign in again")
        return token, session, user

    def _refresh_token(self, session: Session, now: int) -> tuple[Secret, RefreshToken]:
        secret = Secret(secrets.token_urlsafe(32))
        expires = min(now + self._refresh_ns, session.expires_ns)
        return secret, RefreshToken(digest_of(secret), session.id, now, expires)

    def _issued(
        self, user: User, session: Session, secret: Secret | None, token: RefreshToken, now: int
    ) -> Issued:
        return Issued(
            user=user,
            access_token=self._tokens.issue(user.id, session.id),
            expires_in=self._tokens.lifetime,
            refresh_token=secret,
            refresh_expires_in=max(0, (token.expires_ns - now) // _SECOND),
        )


def digest_of(token: Secret) -> str:
    """Refresh tokens are random, so that a plain SHA-256 keeps them."""
    return hashlib.sha256(token.reveal().encode()).hexdigest()

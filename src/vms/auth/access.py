"""From a token to the one who asks, and how long that stays true.

A signature alone is not enough: the session may have been revoked and the user changed.
Both are read from the catalog and kept for a second, so that a revocation reaches every
route, socket and stream of every process within that second.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from vms.auth.policy import Permission, Policy, Principal
from vms.auth.tokens import AccessTokens
from vms.catalog.port import Catalog
from vms.common.clock import Clock
from vms.common.errors import CatalogError, NotAuthenticated, NotFound

_FRESH_NS = 1_000_000_000
_KEPT = 4096


class Access:
    """Principals by token. `policy` decides what they may do."""

    def __init__(
        self, catalog: Catalog, tokens: AccessTokens, policy: Policy, clock: Clock
    ) -> None:
        self._catalog = catalog
        self._tokens = tokens
        self._clock = clock
        self._known: OrderedDict[str, tuple[int, Principal]] = OrderedDict()
        self.policy = policy

    async def principal(self, token: str) -> Principal:
        """Raises NotAuthenticated where the token, its session or its user is not good."""
        claims = self._tokens.check(token)
        found = await self._of_session(claims.session_id)
        if found.user_id != claims.user_id:
            raise NotAuthenticated("the access token is not valid; sign in again")
        return replace(found, token_id=claims.token_id, expires_ns=claims.expires_ns)

    async def renewed(self, principal: Principal) -> Principal:
        """The same, with the role and grants of now. Raises NotAuthenticated, CatalogError."""
        found = await self._of_session(principal.session_id)
        return replace(found, token_id=principal.token_id, expires_ns=principal.expires_ns)

    async def until_revoked(
        self,
        principal: Principal,
        permission: Permission | None = None,
        camera_id: str | None = None,
    ) -> str:
        """Return, with the reason, once the session ends or no longer has the permission.

        For sockets and media sessions, which outlive an access token: run beside them and
        close them when it returns. A catalog that does not answer for 30 s counts as an end.
        """
        failing_since: int | None = None
        while True:
            await self._clock.sleep(1.0)
            try:
                now = await self._of_session(principal.session_id)
                failing_since = None
            except NotAuthenticated as error:
                return str(error)
            except CatalogError:
                moment = self._clock.monotonic_ns()
                failing_since = failing_since or moment
                if moment - failing_since > 30 * _FRESH_NS:
                    return "the catalog does not answer, so the session cannot be checked"
                continue
            if permission and not self.policy.allows(now, permission, camera_id):
                return "the permission was withdrawn"

    def forget(self) -> None:
        """Read everything anew: users, grants or sessions changed."""
        self._known.clear()

    async def _of_session(self, session_id: str) -> Principal:
        moment = self._clock.monotonic_ns()
        kept = self._known.get(session_id)
        if kept is not None and moment - kept[0] < _FRESH_NS:
            return kept[1]
        found = await self._read(session_id)
        self._known[session_id] = (moment, found)
        self._known.move_to_end(session_id)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    async def _read(self, session_id: str) -> Principal:
        try:
            session = await self._catalog.sessions.get(session_id)
            user = await self._catalog.users.get(session.user_id)
        except NotFound as error:
            self._known.pop(session_id, None)
            raise NotAuthenticated("this session does not exist; sign in again") from error
        if session.revoked_ns is not None or not user.enabled:
            self._known.pop(session_id, None)
            raise NotAuthenticated("this session was ended; sign in again")
        if session.expires_ns <= self._clock.now_ns():
            self._known.pop(session_id, None)
            raise NotAuthenticated("this session is too old; sign in again")
        grants = await self._catalog.grants.of(user.id)
        return Principal(user.id, user.name, user.role, grants, session.id)

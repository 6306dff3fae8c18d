"""From a token to the one who asks, and how long that stays true.

A signature alone is not enough: the session may have been revoked and the user changed.
Both are read from the catalog and kept for a second, so that a revocation reaches every
route, socket and stream of every process within about that second. Sockets and streams
are checked together: a thousand viewers cost one reading a second, not a thousand.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from vms.auth.policy import Permission, Policy, Principal
from vms.auth.tokens import AccessTokens
from vms.catalog.port import Catalog, Standing
from vms.common.clock import Clock
from vms.common.errors import CatalogError, NotAuthenticated

_FRESH_NS = 1_000_000_000
_PATIENCE_NS = 30 * _FRESH_NS
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
        self._watched: Counter[str] = Counter()
        self._reading = asyncio.Lock()
        self._forgotten = 0
        self.policy = policy

    async def principal(self, token: str) -> Principal:
        """Raises NotAuthenticated where the token, its session or its user is not good."""
        claims = self._tokens.check(token)
        identity = claims.session_id
        found = self._fresh(identity) or (await self._read({identity}))[identity]
        if isinstance(found, NotAuthenticated):
            raise found
        if found.user_id != claims.user_id:
            raise NotAuthenticated("the access token is not valid; sign in again")
        return replace(found, token_id=claims.token_id, expires_ns=claims.expires_ns)

    @contextmanager
    def watching(self, principal: Principal) -> Iterator[None]:
        """While in it, `renewed` of this principal is read together with all others."""
        self._watched[principal.session_id] += 1
        try:
            yield
        finally:
            self._watched[principal.session_id] -= 1
            if self._watched[principal.session_id] <= 0:
                del self._watched[principal.session_id]

    async def renewed(self, principal: Principal) -> Principal:
        """The same, with the role and grants of now. Raises NotAuthenticated, CatalogError."""
        identity = principal.session_id
        found = self._fresh(identity) or await self._read_with_all(identity)
        if isinstance(found, NotAuthenticated):
            raise found
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
        with self.watching(principal):
            while True:
                await self._clock.sleep(1.0)
                try:
                    now = await self.renewed(principal)
                    failing_since = None
                except NotAuthenticated as error:
                    return str(error)
                except CatalogError:
                    moment = self._clock.monotonic_ns()
                    failing_since = failing_since or moment
                    if moment - failing_since > _PATIENCE_NS:
                        return "the catalog does not answer, so the session cannot be checked"
                    continue
                if permission and not self.policy.allows(now, permission, camera_id):
                    return "the permission was withdrawn"

    def forget(self) -> None:
        """Read everything anew: users, grants or sessions changed."""
        self._forgotten += 1
        self._known.clear()

    def _fresh(self, session_id: str) -> Principal | None:
        kept = self._known.get(session_id)
        if kept is None or self._clock.monotonic_ns() - kept[0] >= _FRESH_NS:
            return None
        return kept[1]

    async def _read_with_all(self, session_id: str) -> Principal | NotAuthenticated:
        async with self._reading:
            if (found := self._fresh(session_id)) is not None:
                return found
            stale = {one for one in self._watched if self._fresh(one) is None}
            return (await self._read(stale | {session_id}))[session_id]

    async def _read(self, session_ids: set[str]) -> dict[str, Principal | NotAuthenticated]:
        moment, forgotten = self._clock.monotonic_ns(), self._forgotten
        standing = await self._catalog.sessions.standing(session_ids)
        found = {one: self._judge(standing.get(one)) for one in session_ids}
        for identity, verdict in found.items():
            self._known.pop(identity, None)
            # What was read before a change was told must not be kept after it.
            if isinstance(verdict, Principal) and forgotten == self._forgotten:
                self._known[identity] = (moment, verdict)
        while len(self._known) > max(_KEPT, len(self._watched)):
            self._known.popitem(last=False)
        return found

    def _judge(self, standing: Standing | None) -> Principal | NotAuthenticated:
        if standing is None:
            return NotAuthenticated("this session does not exist; sign in again")
        session, user = standing.session, standing.user
        if session.revoked_ns is not None or not user.enabled:
            return NotAuthenticated("this session was ended; sign in again")
        if session.expires_ns <= self._clock.now_ns():
            return NotAuthenticated("this session is too old; sign in again")
        return Principal(user.id, user.name, user.role, standing.cameras, session.id)

"""What auth is made of, for those who compose it."""

from __future__ import annotations

from dataclasses import dataclass

from vms.auth.access import Access
from vms.auth.audit import AuditTrail
from vms.auth.media import MediaTokens
from vms.auth.passwords import Passwords
from vms.auth.policy import Policy
from vms.auth.settings import AuthSettings
from vms.auth.signin import SignIn
from vms.auth.throttle import Throttle
from vms.auth.tokens import AccessTokens, signing_key
from vms.catalog.port import Catalog
from vms.common.clock import Clock


@dataclass(frozen=True, slots=True)
class AuthServices:
    """Placed by the app as `app.state.vms`, where the dependencies of `auth.http` read it."""

    catalog: Catalog
    policy: Policy
    access: Access
    signin: SignIn
    passwords: Passwords
    settings: AuthSettings
    media: MediaTokens
    audit: AuditTrail
    """Its `run` must run for entries to be written."""


async def open_auth(
    catalog: Catalog, clock: Clock, settings: AuthSettings | None = None
) -> AuthServices:
    """Read (or, the first time, make) the signing key and put the parts together."""
    chosen = settings or AuthSettings()
    policy = Policy()
    key = await signing_key(catalog.settings)
    tokens = AccessTokens(key, clock, chosen.access_seconds)
    access = Access(catalog, tokens, policy, clock)
    passwords = Passwords(chosen)
    audit = AuditTrail(catalog.audit, clock)
    throttle = Throttle(chosen, clock)
    signin = SignIn(catalog, tokens, access, passwords, throttle, clock, chosen, audit)
    media = MediaTokens(key, clock)
    return AuthServices(catalog, policy, access, signin, passwords, chosen, media, audit)

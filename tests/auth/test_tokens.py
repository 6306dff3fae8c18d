from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.api_server import ShiftedClock

from vms.auth.tokens import AUDIENCE, ISSUER, AccessTokens
from vms.common.errors import NotAuthenticated
from vms.common.secret import Secret

KEY = "k" * 48


def _tokens(clock: ShiftedClock | None = None, key: str = KEY) -> AccessTokens:
    return AccessTokens(Secret(key), clock or ShiftedClock(), 600)


def _claims(**changes: Any) -> dict[str, Any]:
    now = ShiftedClock().now_ns() // 10**9
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "u", "sid": "s", "jti": "j",
        "iat": now, "exp": now + 600,
    }  # fmt: skip
    return {key: value for key, value in (claims | changes).items() if value is not None}


def _signed(claims: dict[str, Any], key: str = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


def test_a_token_says_whose_it_is_and_no_two_are_alike() -> None:
    tokens = _tokens()
    one, two = (tokens.check(tokens.issue("u", "s")) for _ in range(2))
    assert (one.user_id, one.session_id) == ("u", "s")
    assert one.token_id != two.token_id


def test_a_well_made_token_passes() -> None:
    assert _tokens().check(_signed(_claims())).user_id == "u"


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "another"},
        {"iss": "another"},
        *({name: None} for name in ("iss", "aud", "sub", "sid", "jti", "iat", "exp")),
        {"sub": 5},
        {"sid": ["s"]},
        {"exp": 10**12},
        {"iat": 10**12, "exp": 10**12 + 1},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1.5},
        {"exp": -1},
    ],
)
def test_claims_that_are_wrong_or_missing_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        _tokens().check(_signed(_claims(**change)))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
def test_the_algorithm_is_pinned(algorithm: str) -> None:
    key = "" if algorithm == "none" else "k" * 64
    with pytest.raises(NotAuthenticated):
        _tokens(key="k" * 64).check(_signed(_claims(), key, algorithm))


def test_an_unsigned_token_is_refused_however_it_is_spelled() -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    for name in ("none", "None", "NONE", ""):
        with pytest.raises(NotAuthenticated):
            _tokens().check(f"{part({'alg': name, 'typ': 'JWT'})}.{part(_claims())}.")


def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        _tokens().check(_tokens(key="x" * 48).issue("u", "s"))


def test_a_token_ends_at_its_second() -> None:
    clock = ShiftedClock()
    tokens = _tokens(clock)
    token = tokens.issue("u", "s")
    clock.ahead = 598
    assert tokens.check(token).user_id == "u"
    clock.ahead = 601
    with pytest.raises(NotAuthenticated, match="expired"):
        tokens.check(token)


@given(st.one_of(st.text(max_size=200), st.integers(0, 400)))
def test_nothing_else_passes_and_nothing_else_is_raised(noise: str | int) -> None:
    tokens = _tokens()
    token = tokens.issue("u", "s")
    if isinstance(noise, int):
        place = noise % len(token)
        swapped = "A" if token[place] != "A" else "E"
        noise = token[:place] + swapped + token[place + 1 :]
        # The last characters of base64 hold spare bits, which decoders pass over.
        if place == len(token) - 1:
            return
    with pytest.raises(NotAuthenticated):
        tokens.check(noise)


def test_an_endless_token_is_not_even_parsed() -> None:
    with pytest.raises(NotAuthenticated, match="too long"):
        _tokens().check("a." * 1_000_000)

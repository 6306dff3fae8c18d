"""HTTP authentication as RTSP uses it: Basic (RFC 7617) and Digest (RFC 7616, RFC 2617).

Both sides: the client answers challenges, the server makes them and checks the answers.
Nothing here keeps or prints a password.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from vms.common.errors import ParseError

MD5 = "MD5"
MD5_SESS = "MD5-sess"
SHA256 = "SHA-256"
SHA256_SESS = "SHA-256-sess"
_STRENGTH = {SHA256_SESS.lower(): 4, SHA256.lower(): 3, MD5_SESS.lower(): 2, MD5.lower(): 1}
_CANONICAL = {name.lower(): name for name in (MD5, MD5_SESS, SHA256, SHA256_SESS)}

_MAX_HEADER = 8192
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?:[\s,]+|$)")
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*\s*(?:,|$)")
_PARAMETER = re.compile(
    rf"\s*({_TOKEN})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]*))\s*(?:,|$)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server asks for; `scheme` is `basic` or `digest`.

    `algorithm` is spelt as in RFC 7616; one not known here stays as it was sent.
    """

    scheme: str
    realm: str
    nonce: str = ""
    algorithm: str = MD5
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    @property
    def strength(self) -> int:
        """Greater is safer; 0 cannot be answered."""
        if self.scheme == "basic":
            return 1
        known = _STRENGTH.get(self.algorithm.lower(), 0)
        return 1 + known if known and (not self.qop or "auth" in self.qop) else 0

    def header(self) -> str:
        """The value of WWW-Authenticate."""
        if self.scheme == "basic":
            return f"Basic realm={_quote(self.realm)}"
        parts = [f"realm={_quote(self.realm)}", f"nonce={_quote(self.nonce)}"]
        if self.algorithm != MD5:
            parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f"qop={_quote(','.join(self.qop))}")
        if self.opaque is not None:
            parts.append(f"opaque={_quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        return "Digest " + ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client sent; `password` only for Basic, the rest only for Digest."""

    scheme: str
    username: str
    realm: str = ""
    nonce: str = ""
    uri: str = ""
    response: str = field(default="", repr=False)
    algorithm: str = MD5
    qop: str = ""
    nonce_count: str = ""
    client_nonce: str = ""
    opaque: str | None = None
    password: str = field(default="", repr=False)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _parameters(text: str, at: int) -> tuple[dict[str, str], int]:
    """Parameters from `at` on, names in lower case, and where the next scheme begins."""
    found: dict[str, str] = {}
    while match := _PARAMETER.match(text, at):
        name, quoted, plain = match.groups()
        value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        found[name.lower()] = value
        at = match.end()
    return found, at


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """The challenges in WWW-Authenticate headers, one or many in each; others are left out.

    Raises ParseError where a header cannot be read or is longer than 8 KiB.
    """
    found: list[Challenge] = []
    for text in values:
        if len(text) > _MAX_HEADER:
            raise ParseError(f"WWW-Authenticate of {len(text)} characters")
        at = 0
        while at < len(text.rstrip(" \t,")):
            match = _SCHEME.match(text, at)
            if match is None:
                raise ParseError(f"WWW-Authenticate is not a challenge at character {at}")
            fields, at = _parameters(text, match.end())
            scheme = match.group(1).lower()
            if scheme in ("basic", "digest"):
                found.append(_challenge(scheme, fields))
            elif not fields and (blob := _TOKEN68.match(text, at)):
                at = blob.end()
    return found


def _challenge(scheme: str, fields: dict[str, str]) -> Challenge:
    if scheme == "digest" and "nonce" not in fields:
        raise ParseError("Digest challenge without nonce")
    algorithm = fields.get("algorithm") or MD5
    return Challenge(
        scheme,
        fields.get("realm", ""),
        fields.get("nonce", ""),
        _CANONICAL.get(algorithm.lower(), algorithm),
        tuple(part for part in re.split(r"[\s,]+", fields.get("qop", "").lower()) if part),
        fields.get("opaque"),
        fields.get("stale", "").lower() == "true",
    )


def strongest(challenges: Iterable[Challenge]) -> Challenge | None:
    """The safest challenge that can be answered, or None."""
    best = max(challenges, key=lambda challenge: challenge.strength, default=None)
    return best if best is not None and best.strength else None


def new_challenge(
    realm: str, algorithm: str = MD5, qop: tuple[str, ...] = ("auth",), stale: bool = False
) -> Challenge:
    """A Digest challenge with a fresh nonce."""
    return Challenge("digest", realm, secrets.token_hex(16), algorithm, qop, stale=stale)


def authorization(
    challenge: Challenge,
    username: str,
    password: str,
    method: str,
    uri: str,
    nonce_count: int = 1,
    client_nonce: str | None = None,
) -> str:
    """The value of Authorization that answers a challenge.

    `nonce_count` counts the requests made with this nonce, from 1. Raises ParseError where
    the challenge asks for an algorithm or protection that is not known.
    """
    if not challenge.strength:
        raise ParseError(f"Digest algorithm {challenge.algorithm[:40]!r} is not supported")
    if challenge.scheme == "basic":
        return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    needs_client_nonce = challenge.qop or challenge.algorithm.lower().endswith("-sess")
    answer = Credentials(
        "digest",
        username,
        challenge.realm,
        challenge.nonce,
        uri,
        algorithm=challenge.algorithm,
        qop="auth" if challenge.qop else "",
        nonce_count=f"{nonce_count:08x}",
        client_nonce=(client_nonce or secrets.token_hex(8)) if needs_client_nonce else "",
    )
    parts = [
        f"username={_quote(username)}",
        f"realm={_quote(challenge.realm)}",
        f"nonce={_quote(challenge.nonce)}",
        f"uri={_quote(uri)}",
        f'response="{_response(answer, password, method)}"',
    ]
    if challenge.algorithm != MD5:
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.qop:
        parts += ["qop=auth", f"nc={answer.nonce_count}"]
    if needs_client_nonce:
        parts.append(f"cnonce={_quote(answer.client_nonce)}")
    if challenge.opaque is not None:
        parts.append(f"opaque={_quote(challenge.opaque)}")
    return "Digest " + ", ".join(parts)


def _response(answer: Credentials, password: str, method: str) -> str:
    algorithm = answer.algorithm.lower()

    def digest(text: str) -> str:
        if algorithm.startswith("md5"):
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        return hashlib.sha256(text.encode()).hexdigest()

    secret = digest(f"{answer.username}:{answer.realm}:{password}")
    if algorithm.endswith("-sess"):
        secret = digest(f"{secret}:{answer.nonce}:{answer.client_nonce}")
    request = digest(f"{method}:{answer.uri}")
    if not answer.qop:
        return digest(f"{secret}:{answer.nonce}:{request}")
    count, nonce = answer.nonce_count, answer.client_nonce
    return digest(f"{secret}:{answer.nonce}:{count}:{nonce}:{answer.qop}:{request}")


def parse_authorization(value: str) -> Credentials:
    """Reads the Authorization header of a request; ParseError where it cannot be one."""
    if len(value) > _MAX_HEADER:
        raise ParseError(f"Authorization of {len(value)} characters")
    match = _SCHEME.match(value)
    scheme = match.group(1).lower() if match else ""
    if match is None or scheme not in ("basic", "digest"):
        raise ParseError("Authorization is neither Basic nor Digest")
    if scheme == "basic":
        return _basic(value[match.end() :].strip())
    fields, at = _parameters(value, match.end())
    if at < len(value.rstrip()) or "username" not in fields or "response" not in fields:
        raise ParseError("Digest authorization is malformed")
    algorithm = fields.get("algorithm") or MD5
    return Credentials(
        "digest",
        fields["username"],
        fields.get("realm", ""),
        fields.get("nonce", ""),
        fields.get("uri", ""),
        fields["response"],
        _CANONICAL.get(algorithm.lower(), algorithm),
        fields.get("qop", ""),
        fields.get("nc", ""),
        fields.get("cnonce", ""),
        fields.get("opaque"),
    )


def _basic(token: str) -> Credentials:
    try:
        text = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ParseError("Basic authorization is not base64 of UTF-8") from error
    username, colon, password = text.partition(":")
    if not colon:
        raise ParseError("Basic authorization without colon")
    return Credentials("basic", username, password=password)


def verify(
    credentials: Credentials, challenge: Challenge, username: str, password: str, method: str
) -> bool:
    """True where the credentials answer the challenge; compares in constant time.

    For Digest the uri is the one the client signed: compare it with the request's first.
    """
    same_user = hmac.compare_digest(credentials.username.encode(), username.encode())
    if credentials.scheme == "basic":
        same = hmac.compare_digest(credentials.password.encode(), password.encode())
        return same_user and same and challenge.scheme == "basic"
    if (
        credentials.scheme != challenge.scheme
        or credentials.realm != challenge.realm
        or credentials.nonce != challenge.nonce
        or credentials.algorithm != challenge.algorithm
        or credentials.qop not in (challenge.qop or ("",))
        or not challenge.strength
    ):
        return False
    wanted = _response(credentials, password, method)
    given = credentials.response.lower().encode()
    return hmac.compare_digest(wanted.encode(), given) and same_user

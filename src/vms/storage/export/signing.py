"""The key that cases are signed with: Ed25519 (RFC 8032), made once for an installation.

`manifest.sig` is a JSON object of one form only, so that each of its bytes counts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vms.common.errors import CatalogError, ParseError
from vms.common.secret import Secret

SETTING = "evidence.signing_key"
ALGORITHM = "ed25519"
MAX_SIGNATURE_FILE = 1024


class KeptKeys(Protocol):
    """What is needed of the catalog's sealed settings."""

    async def put_new(self, key: str, value: Secret) -> Secret: ...


class SignatureFile(NamedTuple):
    """`key` is the public key (32 bytes), `signature` has 64."""

    key: bytes
    signature: bytes


class SigningKey:
    """Signs, and names itself by its public key."""

    def __init__(self, seed: bytes) -> None:
        """`seed` has 32 bytes, and is the whole secret."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.fingerprint = fingerprint(self.public)

    def sign(self, manifest: bytes) -> bytes:
        """What goes into `manifest.sig`."""
        return encode(SignatureFile(self.public, self._key.sign(manifest)))


async def signing_key(settings: KeptKeys) -> SigningKey:
    """The key of this installation. Raises CatalogError."""
    made = base64.b64encode(secrets.token_bytes(32)).decode()
    kept = await settings.put_new(SETTING, Secret(made))
    try:
        return SigningKey(base64.b64decode(kept.reveal(), validate=True))
    except ValueError:
        raise CatalogError("the key that signs evidence cannot be read; restore a backup") from None


def fingerprint(public: bytes) -> str:
    """SHA-256 of the public key, in hex: what people compare."""
    return hashlib.sha256(public).hexdigest()


def encode(found: SignatureFile) -> bytes:
    fields = {
        "algorithm": ALGORITHM,
        "fingerprint": fingerprint(found.key),
        "key": base64.b64encode(found.key).decode(),
        "signature": base64.b64encode(found.signature).decode(),
    }
    return json.dumps(fields, indent=1).encode() + b"\n"


def parse(data: bytes) -> SignatureFile:
    """Raises ParseError for all that `encode` would not give."""
    try:
        fields = json.loads(data[:MAX_SIGNATURE_FILE])
        found = SignatureFile(
            base64.b64decode(fields["key"], validate=True),
            base64.b64decode(fields["signature"], validate=True),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ParseError("manifest.sig cannot be read") from None
    if encode(found) != data:
        raise ParseError("manifest.sig was changed")
    return found


def verify(found: SignatureFile, manifest: bytes) -> bool:
    """Whether the key's owner signed these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(found.key).verify(found.signature, manifest)
    except (InvalidSignature, ValueError):
        return False
    return True


def parse_fingerprint(text: str) -> str:
    """A fingerprint as people write it, with spaces or colons. Raises ParseError."""
    plain = "".join(text.split()).replace(":", "").lower()
    if len(plain) != 64 or plain.strip("0123456789abcdef"):
        raise ParseError(f"{text[:80]!r} is no fingerprint: 64 hexadecimal digits are needed")
    return plain

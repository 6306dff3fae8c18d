"""Secrets at rest: AES-256-GCM under a key that lives beside the database, not in it."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vms.common.errors import CatalogError, ConfigError
from vms.common.secret import Secret

_PREFIX = "1:"
_NONCE = 12


class Seal:
    """Seals and opens text. The text is bound to its place: moved elsewhere it won't open."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: Secret, place: str) -> str:
        """Text for a column; the empty secret stays empty."""
        if not secret:
            return ""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, secret.reveal().encode(), place.encode())
        return _PREFIX + base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, text: str, place: str) -> Secret:
        """Raises CatalogError where it was sealed under another key or for another place."""
        if not text:
            return Secret("")
        try:
            if not text.startswith(_PREFIX):
                raise ValueError("unknown form")
            data = base64.b64decode(text[len(_PREFIX) :], validate=True)
            opened = self._cipher.decrypt(data[:_NONCE], data[_NONCE:], place.encode())
            return Secret(opened.decode())
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise CatalogError(
                f"the secret of {place} cannot be opened with this key file; "
                "restore the right key file, or set the secret again"
            ) from error


def load_key(path: Path) -> bytes:
    """The key in `path`; made on first use, readable by its owner only (0600).

    Safe where several processes start at once. Raises ConfigError.
    """
    try:
        if not path.exists():
            _make(path)
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise ConfigError(
                f"key file {path} may be read by others (mode {mode:04o}); run: chmod 600 {path}"
            )
        key = base64.b64decode(path.read_text("ascii").strip(), validate=True)
    except OSError as error:
        raise ConfigError(f"key file {path} cannot be used: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"key file {path} does not hold a key; restore it") from error
    if len(key) != 32:
        raise ConfigError(f"key file {path} does not hold a key of 32 bytes; restore it")
    return key


def forget_key(path: Path) -> None:
    """Remove a key that sealed nothing yet."""
    path.unlink(missing_ok=True)


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(os.urandom(32)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link, unlike a rename, leaves the key of a process that was faster.
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

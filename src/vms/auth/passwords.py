"""Passwords, hashed with argon2id (RFC 9106) in threads, a few at a time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import Type

from vms.auth.settings import AuthSettings
from vms.common.errors import AuthError
from vms.common.secret import Secret

T = TypeVar("T")

_LONGEST = 256
_QUEUE = 64
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class WeakPassword(AuthError):
    """A password that may not be set; the message says what it must be."""


class Busy(AuthError):
    """Too many sign-ins at once; try again in a second."""


class Passwords:
    """Hashing and checking. Each call holds one of `hash_workers` threads for some 0.1 s."""

    def __init__(self, settings: AuthSettings) -> None:
        self._minimum = settings.minimum_password
        self._hasher = PasswordHasher(
            time_cost=settings.hash_passes,
            memory_cost=settings.hash_memory_kib,
            parallelism=1,
            type=Type.ID,
        )
        self._threads = ThreadPoolExecutor(settings.hash_workers, "vms-password")
        self._slots = asyncio.Semaphore(settings.hash_workers)
        self._waiting = 0
        self._decoy: str | None = None

    def check_strength(self, password: Secret, user_name: str = "") -> None:
        """Raises WeakPassword."""
        text = password.reveal()
        if len(text) < self._minimum:
            raise WeakPassword(f"a password must have at least {self._minimum} characters")
        if len(text) > _LONGEST:
            raise WeakPassword(f"a password must have at most {_LONGEST} characters")
        if user_name and text.casefold() == user_name.casefold():
            raise WeakPassword("a password must not be the user's name")
        if len(set(text)) < 4:
            raise WeakPassword("a password must have at least four different characters")

    async def hash(self, password: Secret) -> str:
        return await self._run(lambda: self._hasher.hash(password.reveal()))

    async def verify(self, password_hash: str | None, password: Secret) -> bool:
        """Whether they fit. Without a hash (no such user) it takes as long, and is false."""
        if len(password.reveal()) > _LONGEST:
            return False
        if self._decoy is None:
            self._decoy = await self.hash(Secret(secrets.token_hex(16)))
        matched = await self._run(lambda: self._matches(password_hash or self._decoy, password))
        return matched and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other costs than are set now."""
        try:
            return self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            return False

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password_hash: str | None, password: Secret) -> bool:
        try:
            return self._hasher.verify(password_hash or "", password.reveal())
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _QUEUE:
            raise Busy("too many people sign in at this moment; try again in a few seconds")
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def generate_password(length: int = 16) -> Secret:
    """Random, of characters that are not mistaken for one another (5.8 bits each)."""
    return Secret("".join(secrets.choice(_ALPHABET) for _ in range(length)))

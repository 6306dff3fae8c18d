"""Settings of signing in."""

from __future__ import annotations

from pydantic import Field

from vms.common.config import Section


class AuthSettings(Section):
    """Lifetimes, the cost of a password hash, and how hard guessing is made."""

    access_seconds: int = Field(600, ge=10, le=600)
    """How long an access token is good for."""
    refresh_hours: float = Field(168.0, gt=0)
    """How long a browser may stay away before it must sign in again."""
    session_days: float = Field(30.0, gt=0)
    """After this a sign-in ends, used or not."""
    hash_memory_kib: int = Field(65536, ge=64)
    hash_passes: int = Field(3, ge=1)
    hash_workers: int = Field(2, ge=1, le=16)
    """How many passwords are hashed at once; each takes `hash_memory_kib` and one thread."""
    minimum_password: int = Field(10, ge=8, le=64)
    free_attempts: int = Field(5, ge=1)
    """Wrong passwords of one user from one address before a wait begins."""
    longest_wait: float = Field(300.0, gt=0)
    """Seconds; the wait doubles with each wrong password up to this."""
    socket_seconds: float = Field(5.0, gt=0)
    """How long a socket may take to send its token."""
    allowed_origins: tuple[str, ...] = ()
    """Other origins (scheme://host:port) whose pages may open sockets and use the cookie."""

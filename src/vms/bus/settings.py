"""Which bus to use."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vms.common.secret import Secret, split_credentials

SCHEMES = ("memory", "unix", "nats", "tls")


class BusSettings(BaseModel):
    """Credentials in `url` are moved to `username` and `password`, so that it may be shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = "memory://"
    """`memory://` (one process), `unix:///path/to/bus.sock` (one machine), or
    `nats://host:port`, several joined by commas (many machines)."""
    username: str = ""
    """For NATS. A user name without a password is a token."""
    password: Secret = Field(default_factory=lambda: Secret(""))
    broker: Literal["auto", "external"] = "auto"
    """For `unix:`: `auto` lets the first process be the broker, and another take over."""
    connect_timeout_s: float = Field(default=10.0, gt=0, le=600)

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("url"), str):
            return values
        servers = []
        found: dict[str, Any] = {}
        for server in values["url"].split(","):
            clean, username, password = split_credentials(server.strip())
            if username:
                found = {"username": username, "password": password}
            servers.append(clean)
        return {**values, **found, "url": ",".join(servers)}

    @model_validator(mode="after")
    def _check(self) -> BusSettings:
        for server in self.servers:
            parts = urlsplit(server)
            if parts.scheme not in SCHEMES:
                raise ValueError(
                    f"bus address {server!r} must start with one of "
                    + ", ".join(f"{scheme}://" for scheme in SCHEMES)
                )
            if parts.scheme == "unix" and (parts.netloc or not parts.path):
                raise ValueError(
                    f"bus address {server!r} must be unix:// and an absolute path: "
                    "unix:///run/vms/bus.sock"
                )
            if parts.scheme in ("nats", "tls") and not parts.hostname:
                raise ValueError(f"bus address {server!r} names no host: nats://host:4222")
        return self

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses, without credentials."""
        return tuple(self.url.split(","))

    @property
    def scheme(self) -> str:
        return urlsplit(self.servers[0]).scheme

"""Settings of the API."""

from __future__ import annotations

from pydantic import Field

from vms.common.config import Section

PREFIX = "/api/v1"
"""Before the path of every route but /metrics and the web client."""


class ApiSettings(Section):
    """What is accepted, how much of it, and how long it may take."""

    camera_schemes: tuple[str, ...] = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps")
    """Schemes of camera addresses that may be set over the API."""
    loopback_http: bool = False
    """Whether a camera address may be http(s) on this machine itself."""
    max_body_bytes: int = Field(default=1 << 20, ge=1 << 10)
    body_seconds: float = Field(default=30.0, gt=0)
    """How long a request may take to send its body."""
    probe_seconds: float = Field(default=30.0, gt=0)
    probes_at_once: int = Field(default=4, ge=1)
    sockets: int = Field(default=1000, ge=1)
    """Event sockets of one process."""
    sockets_per_user: int = Field(default=40, ge=1)
    metrics_on_loopback: bool = True
    """Whether programs on this machine read /metrics without a token."""

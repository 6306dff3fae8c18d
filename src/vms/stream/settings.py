"""Settings of live streaming: what hubs keep, how WebRTC is reached, how many may watch."""

from __future__ import annotations

import ipaddress

from pydantic import Field, field_validator

from vms.common.config import Section


class WebRtcSettings(Section):
    """Times are in seconds."""

    host: str = ""
    """The IPv4 address to send media from; empty: every address of this machine."""
    port: int = Field(default=0, ge=0, le=65535)
    """The one UDP port of all viewers; 0: 8189 where that is free, else any."""
    announce: tuple[str, ...] = ()
    """Addresses that viewers are told instead of our own, where a router or a container
    forwards the port under the same number."""
    max_viewers: int = Field(default=1000, ge=0)
    max_unconnected_per_user: int = Field(default=64, ge=1)
    """Viewers of one user that asked and are not connected yet."""
    connect_timeout: float = Field(default=15.0, gt=0)
    """From the answer until the viewer's connection is up."""
    consent_timeout: float = Field(default=30.0, gt=0)
    """A viewer that does not ask for consent for so long is gone (RFC 7675)."""
    playout_delay_ms: tuple[int, int] | None = None
    """The least and most delay that a viewer is asked to keep; (0, 0) shows every picture
    at once, without protection from jitter. None: the viewer decides."""
    send_buffer_bytes: int = Field(default=4 << 20, ge=1 << 16)
    receive_buffer_bytes: int = Field(default=1 << 20, ge=1 << 16)

    @field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if host:
            ipaddress.IPv4Address(host)
        return host

    @field_validator("announce")
    @classmethod
    def _check_announced(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            ipaddress.ip_address(address)
        return addresses

    @field_validator("playout_delay_ms")
    @classmethod
    def _check_delay(cls, delay: tuple[int, int] | None) -> tuple[int, int] | None:
        if delay is not None and not 0 <= delay[0] <= delay[1] <= 40_950:
            raise ValueError("must be two numbers of 0 to 40950, the least delay first")
        return delay


class StreamSettings(Section):
    gop_max_bytes: int = Field(default=16 << 20, ge=1 << 16)
    """Most bytes of one group of pictures kept for new viewers, for each stream."""
    silence_seconds: float = Field(default=60.0, gt=0)
    """A stream that sends nothing for so long ends, and its viewers with it."""
    fresh_seconds: float = Field(default=10.0, gt=0)
    """A kept group of pictures older than this is not shown as live."""
    mse_max_viewers: int = Field(default=500, ge=0)
    mse_queue_bytes: int = Field(default=8 << 20, ge=1 << 16)
    mse_queue_units: int = Field(default=150, ge=8)
    """Most fragments that wait for one viewer beyond its first group of pictures."""
    webrtc: WebRtcSettings = WebRtcSettings()

"""Settings of ingest: time limits, how the network is treated, what may be read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator

from vms.common.config import Section

_FINGERPRINT_DIGITS = 64


class TlsVerify(StrEnum):
    """How the certificate of an `rtsps` or `https` camera is judged.

    NONE: encrypted, but anybody may answer; what cameras ship with, since nearly all
    certificates of cameras are signed by themselves. FULL: signed by a known authority
    (`tls_ca_file` or the system's) and for that host name. A fingerprint in `tls_pins`
    is checked whatever stands here.
    """

    NONE = "none"
    FULL = "full"


class IngestSettings(Section):
    """Times are in seconds."""

    connect_timeout: float = Field(default=10.0, gt=0, le=120)
    """From the first byte to the camera until it agreed to play."""
    first_unit_timeout: float = Field(default=10.0, gt=0, le=120)
    """From then until the first whole picture."""
    stall_timeout: float = Field(default=4.0, ge=0.5, le=60)
    """The longest silence of a stream that is not called a stall. The stream's own rate
    makes it shorter, or longer where pictures are further apart than this."""
    stall_grace: float = Field(default=3.0, ge=0, le=60)
    """How long a stalled connection may recover before it is dropped."""
    key_frame_notice: float = Field(default=15.0, gt=0)
    """After so long without a key picture the state's reason says so."""
    backoff_first: float = Field(default=0.5, gt=0)
    backoff_longest: float = Field(default=30.0, gt=0)
    auth_backoff: float = Field(default=5.0, ge=0)
    """The shortest wait after a refused password: cameras lock accounts."""
    auth_attempts: int = Field(default=3, ge=1)
    """Refused passwords in a row after which a stream is held until its settings change."""
    connects_at_once: int = Field(default=16, ge=1)
    connects_per_second: float = Field(default=40.0, gt=0)
    state_period: float = Field(default=2.0, gt=0)

    jump_seconds: float = Field(default=5.0, gt=0)
    """Media time that runs so far from our clock between two units begins a new Run."""
    udp_reorder_ms: int = Field(default=150, ge=0, le=200)
    """The longest a UDP packet waits for one that is missing before it."""
    udp_buffer_bytes: int = Field(default=1 << 20, ge=1 << 16)
    audio: bool = True
    user_agent: str = Field(default="vms", pattern=r"^[\x21-\x7e ]{1,64}$")

    tls_verify: TlsVerify = TlsVerify.NONE
    tls_ca_file: Path | None = None
    tls_pins: dict[str, str] = Field(default_factory=dict)
    """Host name to the SHA-256 of its certificate (DER), 64 hex digits, colons allowed."""

    file_roots: tuple[Path, ...] = ()
    """Directories whose files may play a camera (`file:///...`). None by default."""
    video_devices: bool = False
    """Whether cameras of this machine (`v4l2:///dev/video0`) may be opened."""

    probe_timeout: float = Field(default=12.0, gt=0, le=60)
    onvif_timeout: float = Field(default=10.0, gt=0, le=60)
    discovery_interfaces: tuple[str, ...] = ()
    """Names of the network interfaces on which to look for cameras; empty: all."""

    @field_validator("tls_pins")
    @classmethod
    def _check_pins(cls, pins: dict[str, str]) -> dict[str, str]:
        clean = {host.lower(): pin.replace(":", "").lower() for host, pin in pins.items()}
        for host, pin in clean.items():
            if len(pin) != _FINGERPRINT_DIGITS or set(pin) - set("0123456789abcdef"):
                raise ValueError(f"the pin of {host} must be 64 hex digits (SHA-256)")
        return clean

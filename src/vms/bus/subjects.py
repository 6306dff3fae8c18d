"""The subjects of the bus, in one place."""

from __future__ import annotations

MEDIA_ALL = "vms.media.>"
STATE_ALL = "vms.state.>"
CONFIG_ALL = "vms.config.>"
SEGMENTS_ALL = "vms.segments.>"
EVENTS_ALL = "vms.events.>"
ALARMS_ALL = "vms.alarms.>"
INGEST_COMMANDS = "vms.command.ingest"
STORAGE_COMMANDS = "vms.command.storage"


def media(camera: str, stream: str) -> str:
    """Access units of one stream."""
    return f"vms.media.{camera}.{stream}"


def state(camera: str, stream: str) -> str:
    """The StreamState of one stream."""
    return f"vms.state.{camera}.{stream}"


def config(kind: str, identity: str) -> str:
    """A ConfigChanged notice."""
    return f"vms.config.{kind}.{identity}"


def segments(camera: str) -> str:
    """SegmentClosed, durable."""
    return f"vms.segments.{camera}"


def events(source: str, camera: str) -> str:
    """Triggers of one source at one camera."""
    return f"vms.events.{source}.{camera}"


def alarms(kind: str) -> str:
    """Alarms of one kind."""
    return f"vms.alarms.{kind}"

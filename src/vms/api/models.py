"""What the REST interface says and takes, as JSON. Passwords go in and never come out."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vms.api.forms import MaskModel, Masks, ScheduleModel
from vms.api.text import Identifier, Line, Name, Password, Url, rfc3339
from vms.common.model.camera import (
    MAX_POST_ROLL_S,
    MAX_PRE_ROLL_S,
    Camera,
    RecordingMode,
    StreamConfig,
    StreamState,
    StreamStatus,
    Transport,
)

_MAX_STREAMS = 8


class Taken(BaseModel):
    """Base of what clients send: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class TrackModel(BaseModel):
    """One medium of a stream. Sizes are in pixels, rates a second, 0 where unknown."""

    codec: str
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    clock_rate: int = 0
    channels: int = 0


class StateModel(BaseModel):
    """Where a stream stands. `reason` is a sentence for people, empty when all is well."""

    camera: str
    stream: str
    status: StreamStatus
    since: str = Field(description="RFC 3339, UTC", json_schema_extra={"format": "date-time"})
    reason: str
    tracks: list[TrackModel]
    bitrate: int = Field(description="bit/s over the last two seconds")
    frame_rate: float = Field(description="pictures a second over the last two seconds")
    clock_offset_ms: float | None = Field(description="the camera's clock minus ours")
    packets_lost: int
    reconnects: int
    not_recorded: str = Field(
        description="Why the stream is not recorded though it should be; else empty."
    )

    @classmethod
    def of(cls, state: StreamState, not_recorded: str) -> StateModel:
        offset = state.clock_offset_ns
        return cls(
            camera=state.camera,
            stream=state.stream,
            status=state.status,
            since=rfc3339(state.since_ns),
            reason=state.reason,
            tracks=[
                TrackModel(
                    codec=track.codec,
                    width=track.width,
                    height=track.height,
                    frame_rate=track.frame_rate,
                    clock_rate=track.clock_rate,
                    channels=track.channels,
                )
                for track in state.tracks
            ],
            bitrate=state.bitrate,
            frame_rate=state.frame_rate,
            clock_offset_ms=None if offset is None else round(offset / 1e6, 3),
            packets_lost=state.packets_lost,
            reconnects=state.reconnects,
            not_recorded=not_recorded,
        )


class StreamModel(BaseModel):
    """One encoding of a camera."""

    name: str
    url: str = Field(description="Without credentials; empty for those who may not manage it.")
    transport: Transport
    recording: RecordingMode
    audio: bool = Field(description="Whether it is recorded with the pictures.")
    pre_roll_s: float = Field(description="Seconds kept before an event, in mode 'event'.")
    post_roll_s: float = Field(description="Seconds kept after an event, in mode 'event'.")
    schedule: ScheduleModel | None = Field(description="What is recorded in mode 'schedule'.")

    @classmethod
    def of(cls, stream: StreamConfig, manages: bool) -> StreamModel:
        return cls(
            name=stream.name,
            url=stream.url if manages else "",
            transport=stream.transport,
            recording=stream.recording,
            audio=stream.audio,
            pre_roll_s=stream.pre_roll_s,
            post_roll_s=stream.post_roll_s,
            schedule=ScheduleModel.of(stream.schedule) if stream.schedule else None,
        )


class CameraModel(BaseModel):
    """A camera. `streams` are in order of size, `state` has one entry for each of them."""

    id: str
    name: str
    enabled: bool
    username: str
    has_password: bool
    streams: list[StreamModel]
    masks: list[MaskModel] = Field(description="What nobody sees without a special right.")
    onvif: str = Field(
        description="Where its own events are read; empty for those who may not manage it."
    )
    state: dict[str, StateModel]

    @classmethod
    def of(cls, camera: Camera, state: dict[str, StateModel], manages: bool) -> CameraModel:
        """Addresses and user names are for those who manage cameras."""
        return cls(
            id=camera.id,
            name=camera.name,
            enabled=camera.enabled,
            username=camera.username if manages else "",
            has_password=bool(camera.password),
            streams=[StreamModel.of(stream, manages) for stream in camera.streams],
            masks=[MaskModel.of(mask) for mask in camera.masks],
            onvif=camera.onvif if manages else "",
            state=state,
        )


class StreamInput(Taken):
    """One encoding of a camera. Credentials in the address move to the camera's own fields."""

    name: Identifier = "main"
    url: Url
    transport: Transport = Transport.TCP
    recording: RecordingMode = RecordingMode.OFF
    audio: bool = True
    pre_roll_s: float = Field(default=5.0, ge=0, le=MAX_PRE_ROLL_S)
    post_roll_s: float = Field(default=10.0, ge=0, le=MAX_POST_ROLL_S)
    schedule: ScheduleModel | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.recording is RecordingMode.SCHEDULE and self.schedule is None:
            raise ValueError("recording is 'schedule', and there is no schedule")
        return self

    def config(self, url: str) -> StreamConfig:
        return StreamConfig(
            self.name,
            url,
            self.transport,
            self.recording,
            self.audio,
            self.pre_roll_s,
            self.post_roll_s,
            self.schedule.schedule() if self.schedule else None,
        )


Streams = Annotated[list[StreamInput], Field(min_length=1, max_length=_MAX_STREAMS)]


OnvifAddress = Annotated[
    str,
    Field(
        max_length=300,
        description="Host, host:port or address of the camera's ONVIF device service, whose "
        "events (motion, lines, inputs) are then read; empty: none are.",
    ),
]


class NewCamera(Taken):
    """An empty `id` is made from the name."""

    id: Identifier | Literal[""] = ""
    name: Name
    enabled: bool = True
    username: Line = ""
    password: Password = ""
    streams: Streams
    masks: Masks = []
    onvif: OnvifAddress = ""


class CameraChange(Taken):
    """Only what is given changes. `streams` and `masks` replace all of them."""

    name: Name | None = None
    enabled: bool | None = None
    username: Line | None = None
    password: Password | None = None
    streams: Streams | None = None
    masks: Masks | None = None
    onvif: OnvifAddress | None = None


class ProbeRequest(Taken):
    """A camera to connect to once."""

    url: Url
    username: Line = ""
    password: Password = ""
    transport: Transport = Transport.TCP


class ProbeAnswer(BaseModel):
    """What the camera gave."""

    ok: bool = True
    tracks: list[TrackModel] = []
    server: str = ""
    tls_fingerprint: str = Field(
        default="", description="SHA-256 of its certificate, for the setting ingest.tls_pins."
    )
    note: str = Field(default="", description="What is not as it should be, a sentence for people.")
    snapshot_jpeg_base64: str | None = None
    elapsed_ms: float = 0.0


class DiscoverRequest(Taken):
    timeout_s: float = Field(default=3.0, ge=0.5, le=15.0)


class Device(BaseModel):
    """A device that answered in the local network."""

    address: str
    name: str = ""
    hardware: str = ""
    xaddrs: list[str] = []


class Devices(BaseModel):
    devices: list[Device]


class OnvifRequest(Taken):
    """`address` is a host, host:port, or the http address of the device service."""

    address: Annotated[str, Field(min_length=1, max_length=300)]
    username: Line = ""
    password: Password = ""


class OnvifProfile(BaseModel):
    """One media profile of a device."""

    token: str
    name: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    stream_uri: str = ""
    snapshot_uri: str | None = None


class OnvifAnswer(BaseModel):
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    profiles: list[OnvifProfile] = []


class SpanModel(BaseModel):
    """An unbroken stretch of footage; times are epoch milliseconds."""

    start: int
    end: int
    stream: str
    codec: str


class Spans(BaseModel):
    spans: list[SpanModel]


class Days(BaseModel):
    """Calendar days that hold footage, in order."""

    tz: str
    days: list[str] = Field(json_schema_extra={"items": {"type": "string", "format": "date"}})


class Health(BaseModel):
    status: Literal["ok", "failing"]


class CheckModel(BaseModel):
    """One part that must work. `detail` says what is wrong, empty when it does."""

    name: str
    ok: bool
    detail: str
    elapsed_ms: float


class VolumeModel(BaseModel):
    """Where recordings lie; sizes in bytes."""

    path: str
    ok: bool
    detail: str
    total: int
    free: int


class CameraCounts(BaseModel):
    total: int
    enabled: int
    online: int = Field(description="Cameras of which a stream is online.")


class RecordingTotals(BaseModel):
    """Times are epoch milliseconds, None where nothing is recorded."""

    segments: int
    bytes: int
    oldest: int | None
    newest: int | None


class SystemModel(BaseModel):
    """This process and what it works with."""

    version: str
    node: str
    roles: list[str]
    started: str = Field(json_schema_extra={"format": "date-time"})
    uptime_s: float
    checks: list[CheckModel]
    volumes: list[VolumeModel]
    cameras: CameraCounts
    recordings: RecordingTotals

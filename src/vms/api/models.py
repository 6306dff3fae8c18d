"""What the REST interface says and takes, as JSON. Passwords go in and never come out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vms.api.text import Identifier, Line, Name, Password, Url, rfc3339
from vms.catalog.port import ALL_CAMERAS, Role, User
from vms.common.model.camera import (
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


class CameraModel(BaseModel):
    """A camera. `streams` are in order of size, `state` has one entry for each of them."""

    id: str
    name: str
    enabled: bool
    username: str
    has_password: bool
    streams: list[StreamModel]
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
            streams=[
                StreamModel(
                    name=stream.name,
                    url=stream.url if manages else "",
                    transport=stream.transport,
                    recording=stream.recording,
                )
                for stream in camera.streams
            ],
            state=state,
        )


class StreamInput(Taken):
    """One encoding of a camera. Credentials in the address move to the camera's own fields."""

    name: Identifier = "main"
    url: Url
    transport: Transport = Transport.TCP
    recording: RecordingMode = RecordingMode.OFF

    def config(self, url: str) -> StreamConfig:
        return StreamConfig(self.name, url, self.transport, self.recording)


Streams = Annotated[list[StreamInput], Field(min_length=1, max_length=_MAX_STREAMS)]


class NewCamera(Taken):
    """An empty `id` is made from the name."""

    id: Identifier | Literal[""] = ""
    name: Name
    enabled: bool = True
    username: Line = ""
    password: Password = ""
    streams: Streams


class CameraChange(Taken):
    """Only what is given changes. `streams` replaces all of them."""

    name: Name | None = None
    enabled: bool | None = None
    username: Line | None = None
    password: Password | None = None
    streams: Streams | None = None


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


class UserModel(BaseModel):
    """A user. `cameras` are the ids granted, or '*'; administrators see all without."""

    id: str
    username: str
    role: Role
    enabled: bool
    cameras: list[str]

    @classmethod
    def of(cls, user: User, cameras: frozenset[str]) -> UserModel:
        return cls(
            id=user.id,
            username=user.name,
            role=user.role,
            enabled=user.enabled,
            cameras=sorted(cameras),
        )


Grants = Annotated[list[Identifier | Literal["*"]], Field(max_length=10_000)]


class NewUser(Taken):
    username: Name
    password: Password
    role: Role = Role.VIEWER
    cameras: Grants = []


class UserChange(Taken):
    """Only what is given changes. A new password ends all sessions of the user."""

    username: Name | None = None
    password: Password | None = None
    role: Role | None = None
    enabled: bool | None = None
    cameras: Grants | None = None


class GrantsModel(Taken):
    cameras: Grants = Field(description=f"Ids of cameras, or {ALL_CAMERAS!r} for all.")


class Login(Taken):
    username: Line
    password: Password


class PasswordChange(Taken):
    current_password: Password
    new_password: Password


class SignedIn(BaseModel):
    """The access token for the header `Authorization: Bearer`; `expires_in` is in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int
    user: UserModel


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

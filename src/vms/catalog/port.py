"""The catalog: rows about cameras, recordings and people, on SQLite or PostgreSQL.

All methods raise CatalogError where the database cannot be used, NotFound where the row
named is not there, and Conflict where one of that id (or name, or path) already is.
Every write is one transaction: it is on disk, whole, when the method returns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, tzinfo
from enum import StrEnum
from typing import Protocol

from vms.catalog.port_evidence import (
    AuditRepository,
    CameraUsage,
    EventRepository,
    ExportRepository,
    GapRepository,
    HoldRepository,
    RetentionRepository,
)
from vms.common.model.camera import Camera, Mask
from vms.common.model.segment import SegmentRow
from vms.common.secret import Secret

ALL_CAMERAS = "*"


class Role(StrEnum):
    """What a user may do at all; grants say to which cameras (see `vms.auth.policy`)."""

    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class User:
    """A person or program that signs in. `password_hash` is argon2id in PHC form."""

    id: str
    name: str
    role: Role
    password_hash: str
    enabled: bool = True
    created_ns: int = 0

    def __repr__(self) -> str:
        return f"User(id={self.id!r}, name={self.name!r}, role={self.role.value!r})"


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in: the family of refresh tokens that follow one another.

    Times are UTC nanoseconds; `revoked_ns` is None while the session may be used.
    """

    id: str
    user_id: str
    created_ns: int
    expires_ns: int
    address: str = ""
    agent: str = ""
    revoked_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A session with its user and the cameras granted to it."""

    session: Session
    user: User
    cameras: frozenset[str]


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One refresh token, known by its SHA-256 only. `used_ns` is set when it was changed."""

    digest: str
    session_id: str
    issued_ns: int
    expires_ns: int
    used_ns: int | None = None


@dataclass(frozen=True, slots=True)
class SegmentTotals:
    """How much is recorded: files, bytes, and the span in UTC nanoseconds."""

    segments: int
    size: int
    oldest_ns: int | None
    newest_ns: int | None


class CameraRepository(Protocol):
    async def list(self) -> tuple[Camera, ...]:
        """All cameras in order of id, passwords opened."""
        ...

    async def get(self, camera_id: str) -> Camera: ...

    async def exists(self, camera_id: str) -> bool: ...

    async def masks(self, camera_id: str) -> tuple[Mask, ...]:
        """Of the camera, alone. Raises NotFound."""
        ...

    async def add(self, camera: Camera) -> None: ...

    async def update(self, camera: Camera) -> None: ...

    async def remove(self, camera_id: str) -> None:
        """Also removes the grants that name it. Its recordings stay in the catalog."""
        ...


class SegmentRepository(Protocol):
    async def add(self, segment: SegmentRow) -> None: ...

    async def add_many(self, segments: Iterable[SegmentRow]) -> None: ...

    async def update(self, segment: SegmentRow) -> None:
        """Replace all columns of the row with that id."""
        ...

    async def extend_many(self, segments: Iterable[SegmentRow]) -> None:
        """Write end_ns, size, frames, key_frames, closed, digest and both clock fields of
        each, in one transaction.

        Rows that are not there (removed meanwhile) are passed over.
        """
        ...

    async def close(self, segment: SegmentRow) -> None:
        """`extend_many` of one row, with `closed` set."""
        ...

    async def get(self, segment_id: str) -> SegmentRow: ...

    async def spans(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int
    ) -> list[SegmentRow]:
        """Segments that overlap [start_ns, end_ns), by start. `stream` None: of all streams."""
        ...

    async def stretches(
        self, camera: str, stream: str, start_ns: int, end_ns: int
    ) -> list[tuple[int, int, str]]:
        """(start, end, mode) of what `spans` gives of a stream, and no more of each."""
        ...

    async def at(self, camera: str, stream: str, t_ns: int) -> SegmentRow | None:
        """The segment that holds `t_ns`: start_ns <= t_ns < end_ns; the later one of two."""
        ...

    async def after(self, camera: str, stream: str, t_ns: int) -> SegmentRow | None:
        """The first segment that starts at or after `t_ns`."""
        ...

    async def open_segments(self) -> list[SegmentRow]:
        """Segments not closed: being written now, or left by a process that died."""
        ...

    async def oldest(self, limit: int, camera: str | None = None) -> list[SegmentRow]:
        """The closed segments that started first, at most `limit`."""
        ...

    async def of_volume(
        self, volume: str, limit: int, before_ns: int | None = None
    ) -> list[SegmentRow]:
        """The closed segments of a volume that started first, before `before_ns` if given."""
        ...

    async def page(
        self,
        limit: int,
        after: tuple[int, str] = (-1, ""),
        camera: str | None = None,
        volume: str | None = None,
    ) -> list[SegmentRow]:
        """Closed segments by (start_ns, id), those behind `after`; at most `limit`."""
        ...

    async def usage(self, since_ns: int | None = None) -> list[CameraUsage]:
        """What each stream has on each volume, of what began at or after `since_ns`; walks
        all those rows."""
        ...

    async def move(self, segment_id: str, volume: str, path: str) -> None:
        """The file lies on another volume now. Raises Conflict where one is there already."""
        ...

    async def known_paths(self, volume: str, prefix: str = "") -> set[str]:
        """The paths of the volume that begin with `prefix`."""
        ...

    async def days(
        self, camera: str, stream: str | None, start_ns: int, end_ns: int, zone: tzinfo
    ) -> list[date]:
        """The calendar days of `zone` within [start_ns, end_ns) that hold footage."""
        ...

    async def totals(self, camera: str | None = None) -> SegmentTotals: ...

    async def remove(self, segment_id: str) -> None: ...

    async def remove_many(self, segment_ids: Iterable[str]) -> None:
        """In one transaction; ids that are not there are passed over."""
        ...

    async def remove_unheld(self, segment_ids: Iterable[str], now_ns: int) -> set[str]:
        """Remove those that are closed and that no hold in force at `now_ns` overlaps; their ids.

        A hold that is there when this begins is heeded: both are one transaction each.
        """
        ...


class UserRepository(Protocol):
    async def list(self) -> tuple[User, ...]: ...

    async def get(self, user_id: str) -> User: ...

    async def by_name(self, name: str) -> User:
        """Names are compared without regard to case."""
        ...

    async def add(self, user: User) -> None: ...

    async def update(self, user: User) -> None: ...

    async def remove(self, user_id: str) -> None:
        """Also removes the user's grants, sessions and tokens."""
        ...


class GrantRepository(Protocol):
    """Which cameras a user may see: ids, or ALL_CAMERAS."""

    async def of(self, user_id: str) -> frozenset[str]: ...

    async def replace(self, user_id: str, cameras: Iterable[str]) -> None:
        """Raises NotFound where the user or one of the cameras is not there."""
        ...


class SessionRepository(Protocol):
    """Sign-ins and their refresh tokens."""

    async def open(self, session: Session, token: RefreshToken) -> None: ...

    async def get(self, session_id: str) -> Session: ...

    async def of(self, user_id: str) -> tuple[Session, ...]: ...

    async def standing(self, session_ids: Iterable[str]) -> dict[str, Standing]:
        """Those of the sessions that are there, by id, all read at one moment."""
        ...

    async def token(self, digest: str) -> RefreshToken: ...

    async def rotate(self, digest: str, now_ns: int, successor: RefreshToken) -> bool:
        """Mark the token used and add its successor; false where it was used before."""
        ...

    async def revoke(self, session_id: str, now_ns: int) -> None: ...

    async def revoke_of(self, user_id: str, now_ns: int, keep: str | None = None) -> None:
        """Revoke all sessions of the user but `keep`."""
        ...

    async def prune(self, before_ns: int) -> int:
        """Remove sessions that ended (expired or revoked) before then; how many."""
        ...


class SettingRepository(Protocol):
    """Values under keys, kept encrypted."""

    async def get(self, key: str) -> Secret | None: ...

    async def put(self, key: str, value: Secret) -> None: ...

    async def put_new(self, key: str, value: Secret) -> Secret:
        """Keep `value` unless there is one; return what is kept. Safe between processes."""
        ...


class Catalog(Protocol):
    @property
    def cameras(self) -> CameraRepository: ...

    @property
    def segments(self) -> SegmentRepository: ...

    @property
    def users(self) -> UserRepository: ...

    @property
    def grants(self) -> GrantRepository: ...

    @property
    def sessions(self) -> SessionRepository: ...

    @property
    def settings(self) -> SettingRepository: ...

    @property
    def events(self) -> EventRepository: ...

    @property
    def holds(self) -> HoldRepository: ...

    @property
    def gaps(self) -> GapRepository: ...

    @property
    def retention(self) -> RetentionRepository: ...

    @property
    def exports(self) -> ExportRepository: ...

    @property
    def audit(self) -> AuditRepository: ...

    async def check(self) -> None:
        """Read one row; raises CatalogError where the database does not answer."""
        ...

    async def close(self) -> None: ...

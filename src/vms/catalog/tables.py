"""The tables. A change here comes with a migration in `migrations/versions`.

Times are UTC nanoseconds in 64-bit integers: no zone to lose, and exact on both databases.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

cameras = Table(
    "cameras",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("username", Text, nullable=False),
    Column("password", Text, nullable=False, comment="sealed"),
)

streams = Table(
    "streams",
    metadata,
    Column("camera_id", String(40), ForeignKey("cameras.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("url", Text, nullable=False),
    Column("transport", String(16), nullable=False),
    Column("recording", String(16), nullable=False),
)

# No foreign key to cameras: what was recorded outlives the camera's row.
segments = Table(
    "segments",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("camera", String(40), nullable=False),
    Column("stream", String(40), nullable=False),
    Column("run", String(80), nullable=False),
    Column("path", Text, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("key_frames", BigInteger, nullable=False),
    Column("codec", String(16), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("closed", Boolean, nullable=False),
    UniqueConstraint("path"),
)

# None of them holds a column that grows with an open segment, so that extending one
# touches no index.
Index(None, segments.c.camera, segments.c.stream, segments.c.start_ns)
Index(None, segments.c.camera, segments.c.start_ns)
Index(None, segments.c.start_ns)
Index(
    "ix_segments_open",
    segments.c.id,
    sqlite_where=segments.c.closed.is_(false()),
    postgresql_where=segments.c.closed.is_(false()),
)

users = Table(
    "users",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True, comment="name, case folded"),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
)

grants = Table(
    "grants",
    metadata,
    Column("user_id", String(40), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("camera", String(40), primary_key=True, comment="id, or * for all"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column(
        "user_id",
        String(40),
        ForeignKey("users.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("revoked_ns", BigInteger, nullable=True),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column(
        "session_id",
        String(40),
        ForeignKey("sessions.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("issued_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("used_ns", BigInteger, nullable=True),
)

settings = Table(
    "settings",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("value", Text, nullable=False, comment="sealed"),
)

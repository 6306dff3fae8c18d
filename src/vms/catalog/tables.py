"""The tables. A change here comes with a migration in `migrations/versions`.

Times are UTC nanoseconds in 64-bit integers: no zone to lose, and exact on both databases.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
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
    Column("masks", Text, nullable=False, server_default="", comment="JSON"),
    Column("onvif", Text, nullable=False, server_default=""),
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
    Column("audio", Boolean, nullable=False, server_default=true()),
    Column("pre_roll_s", Double, nullable=False, server_default="5"),
    Column("post_roll_s", Double, nullable=False, server_default="10"),
    Column("schedule", Text, nullable=False, server_default="", comment="JSON"),
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
    Column("volume", String(40), nullable=False, server_default="main"),
    Column("digest", String(64), nullable=False, server_default=""),
    Column("clock_offset_ns", BigInteger, nullable=True),
    Column("clock_drift_ppb", BigInteger, nullable=True),
    Column("mode", String(16), nullable=False, server_default="continuous"),
    UniqueConstraint("volume", "path"),
)

# None of them holds a column that grows with an open segment, so that extending one
# touches no index.
Index(None, segments.c.camera, segments.c.stream, segments.c.start_ns)
Index(None, segments.c.camera, segments.c.start_ns)
Index(None, segments.c.start_ns)
Index(None, segments.c.volume, segments.c.start_ns)
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

LONG_NS = 3600 * 1_000_000_000
"""Spans that last longer are in an index of their own, so that a search for what reaches into
a span need look no further back than this in the other one."""

# No foreign keys to cameras here either: what happened outlives the camera's row.
events = Table(
    "events",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("camera", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=True),
    Column("source", String(40), nullable=False),
    Column("label", Text, nullable=False),
    Column("score", Double, nullable=True),
)

gaps = Table(
    "gaps",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("camera", String(40), nullable=False),
    Column("stream", String(40), nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=True),
    Column("cause", String(16), nullable=False),
    Column("detail", Text, nullable=False),
)

for _spans in (events, gaps):
    _long = text(f"end_ns IS NULL OR end_ns - start_ns > {LONG_NS}")
    _open = _spans.c.end_ns.is_(None)
    Index(None, _spans.c.camera, _spans.c.start_ns)
    Index(
        f"ix_{_spans.name}_long",
        _spans.c.camera,
        _spans.c.start_ns,
        sqlite_where=_long,
        postgresql_where=_long,
    )
    Index(f"ix_{_spans.name}_open", _spans.c.camera, sqlite_where=_open, postgresql_where=_open)

# One column for each cause, so that increments of several processes add up in one statement.
ledger = Table(
    "ledger",
    metadata,
    Column("camera", String(40), primary_key=True),
    Column("stream", String(40), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("expected_ns", BigInteger, nullable=False),
    Column("missed_ns", BigInteger, nullable=False),
    Column("by_camera_ns", BigInteger, nullable=False),
    Column("by_network_ns", BigInteger, nullable=False),
    Column("by_disk_ns", BigInteger, nullable=False),
    Column("by_process_ns", BigInteger, nullable=False),
    Column("by_settings_ns", BigInteger, nullable=False),
)
Index(None, ledger.c.day)

holds = Table(
    "holds",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("camera", String(40), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner_id", String(40), nullable=False),
    Column("owner_name", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=True),
    Column("released_ns", BigInteger, nullable=True),
    Column("released_by", Text, nullable=False),
)
Index(None, holds.c.camera, holds.c.start_ns)

retention_rules = Table(
    "retention_rules",
    metadata,
    Column("camera", String(40), primary_key=True, comment="id, or * for the default"),
    Column("days", Double, nullable=True),
    Column("max_bytes", BigInteger, nullable=True),
    Column("share", Double, nullable=True),
    Column("event_days", Text, nullable=False, comment="JSON"),
)

exports = Table(
    "exports",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner_id", String(40), nullable=False),
    Column("owner_name", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("spec", Text, nullable=False, comment="JSON"),
    Column("progress", Double, nullable=False),
    Column("result", Text, nullable=False, comment="JSON"),
    Column("error", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=True),
)

# Triggers of the migration refuse every UPDATE and DELETE.
audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("user_id", String(40), nullable=False),
    Column("user_name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("camera", String(40), nullable=False),
    Column("start_ns", BigInteger, nullable=True),
    Column("end_ns", BigInteger, nullable=True),
    Column("detail", Text, nullable=False, comment="JSON"),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)
Index("ix_audit_camera_seq", audit.c.camera, audit.c.seq)
Index("ix_audit_user_id_seq", audit.c.user_id, audit.c.seq)
Index("ix_audit_action_seq", audit.c.action, audit.c.seq)

"""Volumes, modes and clocks of recordings; events, gaps, holds, rules, exports, audit.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LONG = sa.text("end_ns IS NULL OR end_ns - start_ns > 3600000000000")
_OPEN = sa.text("end_ns IS NULL")
_SAID = "the audit trail is only added to"

# REPLACE would take a row away without a word to the trigger of DELETE: hence the third.
_REFUSE = f"BEGIN SELECT RAISE(ABORT, '{_SAID}'); END"
_IS_THERE = "WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)"
_SQLITE = (
    f"CREATE TRIGGER audit_update BEFORE UPDATE ON audit {_REFUSE}",
    f"CREATE TRIGGER audit_delete BEFORE DELETE ON audit {_REFUSE}",
    f"CREATE TRIGGER audit_insert BEFORE INSERT ON audit {_IS_THERE} {_REFUSE}",
)
_POSTGRESQL = (
    "CREATE FUNCTION vms_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_SAID}'; END $$",
    "CREATE TRIGGER audit_change BEFORE UPDATE OR DELETE ON audit "
    "FOR EACH ROW EXECUTE FUNCTION vms_audit_refuse()",
    "CREATE TRIGGER audit_truncate BEFORE TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION vms_audit_refuse()",
)


def upgrade() -> None:
    _cameras()
    _segments()
    _spans()
    _holds_and_rules()
    _audit()


def _cameras() -> None:
    op.add_column(
        "cameras",
        sa.Column("masks", sa.Text(), nullable=False, server_default="", comment="JSON"),
    )
    for column in (
        sa.Column("audio", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("pre_roll_s", sa.Double(), nullable=False, server_default="5"),
        sa.Column("post_roll_s", sa.Double(), nullable=False, server_default="10"),
        sa.Column("schedule", sa.Text(), nullable=False, server_default="", comment="JSON"),
    ):
        op.add_column("streams", column)


def _segments() -> None:
    # Made anew on SQLite, which does not reflect the condition of a partial index.
    op.drop_index("ix_segments_open", "segments")
    with op.batch_alter_table("segments") as batch:
        batch.add_column(sa.Column("volume", sa.String(40), nullable=False, server_default="main"))
        batch.add_column(sa.Column("digest", sa.String(64), nullable=False, server_default=""))
        batch.add_column(sa.Column("clock_offset_ns", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("clock_drift_ppb", sa.BigInteger(), nullable=True))
        batch.add_column(
            sa.Column("mode", sa.String(16), nullable=False, server_default="continuous")
        )
        batch.drop_constraint("uq_segments_path", type_="unique")
        batch.create_unique_constraint("uq_segments_volume_path", ["volume", "path"])
    _open_index()
    op.create_index("ix_segments_volume_start_ns", "segments", ["volume", "start_ns"])


def _open_index() -> None:
    op.create_index(
        "ix_segments_open",
        "segments",
        ["id"],
        sqlite_where=sa.text("closed IS 0"),
        postgresql_where=sa.text("closed IS false"),
    )


def _spans() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("camera", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_table(
        "gaps",
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("camera", sa.String(40), nullable=False),
        sa.Column("stream", sa.String(40), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gaps"),
    )
    for name in ("events", "gaps"):
        op.create_index(f"ix_{name}_camera_start_ns", name, ["camera", "start_ns"])
        op.create_index(
            f"ix_{name}_long",
            name,
            ["camera", "start_ns"],
            sqlite_where=_LONG,
            postgresql_where=_LONG,
        )
        op.create_index(
            f"ix_{name}_open", name, ["camera"], sqlite_where=_OPEN, postgresql_where=_OPEN
        )
    causes = ("camera", "network", "disk", "process", "settings")
    op.create_table(
        "ledger",
        sa.Column("camera", sa.String(40), nullable=False),
        sa.Column("stream", sa.String(40), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("expected_ns", sa.BigInteger(), nullable=False),
        sa.Column("missed_ns", sa.BigInteger(), nullable=False),
        *(sa.Column(f"by_{cause}_ns", sa.BigInteger(), nullable=False) for cause in causes),
        sa.PrimaryKeyConstraint("camera", "stream", "day", name="pk_ledger"),
    )
    op.create_index("ix_ledger_day", "ledger", ["day"])


def _holds_and_rules() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("camera", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.String(40), nullable=False),
        sa.Column("owner_name", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("until_ns", sa.BigInteger(), nullable=True),
        sa.Column("released_ns", sa.BigInteger(), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
    )
    op.create_index("ix_holds_camera_start_ns", "holds", ["camera", "start_ns"])
    op.create_table(
        "retention_rules",
        sa.Column("camera", sa.String(40), nullable=False, comment="id, or * for the default"),
        sa.Column("days", sa.Double(), nullable=True),
        sa.Column("max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("share", sa.Double(), nullable=True),
        sa.Column("event_days", sa.Text(), nullable=False, comment="JSON"),
        sa.PrimaryKeyConstraint("camera", name="pk_retention_rules"),
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner_id", sa.String(40), nullable=False),
        sa.Column("owner_name", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("expires_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
    )
    op.create_index("ix_exports_created_ns", "exports", ["created_ns"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.String(40), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("camera", sa.String(40), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=True),
        sa.Column("end_ns", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    for column in ("camera", "user_id", "action"):
        op.create_index(f"ix_audit_{column}_seq", "audit", [column, "seq"])
    for statement in _SQLITE if _is_sqlite() else _POSTGRESQL:
        op.execute(statement)


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def downgrade() -> None:
    for table in ("audit", "exports", "retention_rules", "holds", "ledger", "gaps", "events"):
        op.drop_table(table)
    if not _is_sqlite():
        op.execute("DROP FUNCTION vms_audit_refuse()")
    op.drop_index("ix_segments_volume_start_ns", "segments")
    op.drop_index("ix_segments_open", "segments")
    with op.batch_alter_table("segments") as batch:
        batch.drop_constraint("uq_segments_volume_path", type_="unique")
        batch.create_unique_constraint("uq_segments_path", ["path"])
        for column in ("mode", "clock_drift_ppb", "clock_offset_ns", "digest", "volume"):
            batch.drop_column(column)
    _open_index()
    # Not in batches: SQLite would drop the cameras' old table, and their streams with it.
    for column in ("schedule", "post_roll_s", "pre_roll_s", "audio"):
        op.drop_column("streams", column)
    op.drop_column("cameras", "masks")

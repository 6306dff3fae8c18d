"""Where a camera's ONVIF device answers, so that its events can be read.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cameras", sa.Column("onvif", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    # Not in a batch: SQLite would drop the cameras' old table, and their streams with it.
    op.drop_column("cameras", "onvif")

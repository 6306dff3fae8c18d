"""Run by Alembic, on the connection that `vms.catalog.migrate` hands over."""

from __future__ import annotations

from alembic import context

from vms.catalog.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    # Ours is already open, on both databases; SQLite's DDL is part of it.
    transactional_ddl=True,
)
context.run_migrations()

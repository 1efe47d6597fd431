"""What Alembic runs around a migration. The connection and its transaction come from `app.spaces.schema`."""

from __future__ import annotations

from alembic import context

from app.hashee.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=SCHEMA.table
)
with context.begin_transaction():
    context.run_migrations()

"""What Alembic runs around a migration. The connection and its transaction come from `app.spaces.schema`."""

from __future__ import annotations

from alembic import context

from app.spaces.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()

"""An artifact knows how long it lives: one that would end later than that from now is due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "h0006"
down_revision: str | None = "h0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hashee_artifacts", sa.Column("life", sa.Double()))
    op.execute(
        "UPDATE hashee_artifacts SET life = expires_at - coalesce("
        "(SELECT created_at FROM hashee_messages WHERE hashee_messages.id = hashee_artifacts.message_id), 0)"
        " WHERE expires_at IS NOT NULL"
    )

"""Cursors of long polls survive resets and restores; all processes know which socket of an agent is the newest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "h0004"
down_revision: str | None = "h0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hashee_cursors",
        sa.Column("agent_id", sa.Text(), primary_key=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO hashee_cursors (agent_id, last) SELECT id, last_cursor FROM hashee_agents")
    op.drop_column("hashee_agents", "last_cursor")
    op.create_table(
        "hashee_presence",
        sa.Column("agent_id", sa.Text(), primary_key=True),
        sa.Column("connection", sa.Text(), nullable=False),
    )

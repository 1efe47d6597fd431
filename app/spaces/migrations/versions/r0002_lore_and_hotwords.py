"""What spaces say and know, and which memories the turns of a room have detected."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("spaces", sa.Column("lore", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "lore",
        sa.Column("space_uid", sa.Text(), sa.ForeignKey("spaces.uid", name="fk_lore_space_uid"), primary_key=True),
        sa.Column("content", sa.Text(), nullable=False),
    )
    op.create_table(
        "memories",
        sa.Column("uid", sa.Text(), primary_key=True),
        sa.Column("space_uid", sa.Text(), sa.ForeignKey("spaces.uid", name="fk_memories_space_uid"), primary_key=True),
    )
    op.create_index("ix_memories_space_uid", "memories", ["space_uid"])
    op.add_column("turns", sa.Column("hotwords", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "fired",
        sa.Column("space_uid", sa.Text(), primary_key=True),
        sa.Column("room_uid", sa.Text(), primary_key=True),
        sa.Column("memory_uid", sa.Text(), primary_key=True),
    )

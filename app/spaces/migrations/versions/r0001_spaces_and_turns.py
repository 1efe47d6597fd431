"""Spaces, their keys, rooms and turns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spaces",
        sa.Column("uid", sa.Text(), primary_key=True),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("credit_per_turn", sa.BigInteger(), nullable=False),
        sa.Column("return_voice", sa.BigInteger(), nullable=False),
        sa.Column("sentence_mode", sa.Boolean(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("graph", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_spaces_org_id", "spaces", ["org_id"])
    op.create_index(
        "ix_spaces_one_default",
        "spaces",
        ["is_default"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )
    op.create_table(
        "api_keys",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("space_uid", sa.Text(), sa.ForeignKey("spaces.uid", name="fk_api_keys_space_uid"), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_api_keys_space_uid", "api_keys", ["space_uid"])
    op.create_table(
        "rooms",
        sa.Column("space_uid", sa.Text(), primary_key=True),
        sa.Column("room_uid", sa.Text(), primary_key=True),
        sa.Column("saved", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "turns",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("space_uid", sa.Text(), nullable=False),
        sa.Column("room_uid", sa.Text(), nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("msg", sa.Text()),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("visitor_name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text()),
        sa.Column("scene_number", sa.BigInteger()),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_turns_room", "turns", ["space_uid", "room_uid", "began", "id"])

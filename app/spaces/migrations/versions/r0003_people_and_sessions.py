"""People who log in, scenarios, and sessions with their messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("login_id", sa.Text(), nullable=False, unique=True),
        sa.Column("nickname", sa.Text(), nullable=False, unique=True),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "scenarios",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("uid", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.BigInteger(), sa.ForeignKey("users.id", name="fk_sessions_user_id")),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=False),
        sa.Column("total_seconds", sa.Float(), nullable=False),
        sa.Column("speech_seconds", sa.Float(), nullable=False),
        sa.Column("summary", sa.Text()),
        sa.Column("scenario_id", sa.Text()),
        sa.Column("place", sa.Text()),
        sa.Column("partner", sa.Text()),
        sa.Column("goal", sa.Text()),
        sa.Column("state", sa.Text()),
        sa.Column("completed_at", sa.Float()),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("voice", sa.Text()),
        sa.Column("show_text", sa.Boolean()),
        sa.Column("analytics", sa.Text()),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "messages",
        sa.Column("id", _ID, primary_key=True),
        sa.Column(
            "session_uid", sa.Text(), sa.ForeignKey("sessions.uid", name="fk_messages_session_uid"), nullable=False
        ),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("feedback", sa.Text()),
        sa.Column("reason", sa.Text()),
    )
    op.create_index("ix_messages_session_uid", "messages", ["session_uid"])

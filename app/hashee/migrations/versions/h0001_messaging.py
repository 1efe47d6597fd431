"""The tables of the wire."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "h0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hashee_secrets",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )
    op.create_table(
        "hashee_users",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("email", sa.Text(), nullable=False, unique=True),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("protection", sa.Text(), nullable=False, server_default=""),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("avatar_url", sa.Text(), nullable=False, server_default=""),
        sa.Column("language", sa.Text(), nullable=False, server_default="en"),
        sa.Column("public_key", sa.Text(), nullable=False, server_default=""),
        sa.Column("signing_key", sa.Text(), nullable=False, server_default=""),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double()),
    )
    op.create_table(
        "hashee_sessions",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False, server_default=""),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("lapsed_at", sa.Double(), nullable=False, server_default="0"),
        sa.Column("ended_at", sa.Double()),
        sa.Column("end_reason", sa.Text()),
    )
    op.create_index("ix_hashee_sessions_user_id", "hashee_sessions", ["user_id"])
    op.create_table(
        "hashee_refreshes",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double()),
    )
    op.create_index("ix_hashee_refreshes_expires_at", "hashee_refreshes", ["expires_at"])
    op.create_index("ix_hashee_refreshes_session_id", "hashee_refreshes", ["session_id"])
    op.create_table(
        "hashee_logins",
        sa.Column("email", sa.Text(), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.Double(), nullable=False),
        sa.Column("locked_until", sa.Double(), nullable=False),
    )
    op.create_table(
        "hashee_codes",
        sa.Column("email", sa.Text(), primary_key=True),
        sa.Column("scene", sa.Text(), primary_key=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
    )
    op.create_table(
        "hashee_contacts",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("contact_id", sa.Text(), primary_key=True),
        sa.Column("alias", sa.Text(), nullable=False, server_default=""),
        sa.Column("blocked", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "hashee_agents",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("avatar_url", sa.Text(), nullable=False, server_default=""),
        sa.Column("description", sa.Text(), nullable=False, server_default=""),
        sa.Column("connection_mode", sa.Text(), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=False, server_default=""),
        sa.Column("webhook_secret", sa.Text(), nullable=False, server_default=""),
        sa.Column("webhook_state", sa.Text(), nullable=False, server_default="ok"),
        sa.Column("health_check_url", sa.Text(), nullable=False, server_default=""),
        sa.Column("manifest", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("manifest_version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("manifest_hash", sa.Text(), nullable=False, server_default=""),
        sa.Column("governance", sa.Text(), nullable=False, server_default="active"),
        sa.Column("governance_reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("public_key", sa.Text(), nullable=False, server_default=""),
        sa.Column("signing_key", sa.Text(), nullable=False, server_default=""),
        sa.Column("last_cursor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_hashee_agents_owner_id", "hashee_agents", ["owner_id"])
    op.create_table(
        "hashee_tokens",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double()),
    )
    op.create_index("ix_hashee_tokens_agent_id", "hashee_tokens", ["agent_id"])
    op.create_table(
        "hashee_relations",
        sa.Column("agent_id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("referral_source", sa.Text(), nullable=False, server_default=""),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_hashee_relations_conversation_id", "hashee_relations", ["conversation_id"])
    op.create_index("ix_hashee_relations_user_id", "hashee_relations", ["user_id"])
    op.create_table(
        "hashee_conversations",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("pair", sa.Text(), unique=True),
        sa.Column("name", sa.Text(), nullable=False, server_default=""),
        sa.Column("avatar_url", sa.Text(), nullable=False, server_default=""),
        sa.Column("settings", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "hashee_members",
        sa.Column("conversation_id", sa.Text(), primary_key=True),
        sa.Column("principal", sa.Text(), primary_key=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("joined_seq", sa.BigInteger(), nullable=False),
        sa.Column("read_seq", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("delivered_seq", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("muted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("hidden", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("left_at", sa.Double()),
    )
    op.create_index("ix_hashee_members_principal", "hashee_members", ["principal"])
    op.create_table(
        "hashee_messages",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("quote_id", sa.Text()),
        sa.Column("client_id", sa.Text()),
        sa.Column("extra", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("recalled_by", sa.Text()),
        sa.Column("recalled_at", sa.Double()),
        sa.Column("pinned_by", sa.Text()),
    )
    op.create_index("ix_hashee_messages_client", "hashee_messages", ["sender", "client_id"], unique=True)
    op.create_index("ix_hashee_messages_seq", "hashee_messages", ["conversation_id", "seq"], unique=True)
    op.create_table(
        "hashee_reactions",
        sa.Column("message_id", sa.Text(), primary_key=True),
        sa.Column("emoji", sa.Text(), primary_key=True),
        sa.Column("principal", sa.Text(), primary_key=True),
        sa.Column("at", sa.Double(), nullable=False),
    )
    op.create_table(
        "hashee_artifacts",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("subtype", sa.Text(), nullable=False, server_default=""),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updates", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("expires_at", sa.Double()),
        sa.Column("expired", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_hashee_artifacts_expires_at", "hashee_artifacts", ["expires_at"])
    op.create_index("ix_hashee_artifacts_message_id", "hashee_artifacts", ["message_id"])
    op.create_table(
        "hashee_files",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_hashee_files_created_at", "hashee_files", ["created_at"])
    op.create_index("ix_hashee_files_owner", "hashee_files", ["owner"])
    op.create_table(
        "hashee_backups",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "hashee_devices",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("device_id", sa.Text(), primary_key=True),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("signing_key", sa.Text(), nullable=False, server_default=""),
        sa.Column("updated_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "hashee_rotations",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("signing_key", sa.Text(), nullable=False, server_default=""),
        sa.Column("requested_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "hashee_group_keys",
        sa.Column("conversation_id", sa.Text(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("principal", sa.Text(), primary_key=True),
        sa.Column("wrapped", sa.Text(), nullable=False),
    )
    op.create_table(
        "hashee_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_index("ix_hashee_events_at", "hashee_events", ["at"])
    op.create_table(
        "hashee_deliveries",
        sa.Column("agent_id", sa.Text(), primary_key=True),
        sa.Column("cursor", sa.BigInteger(), primary_key=True),
        sa.Column("delivery_id", sa.Text(), nullable=False, unique=True),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("claimed_until", sa.Double(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text(), nullable=False, server_default=""),
        sa.Column("finished_at", sa.Double()),
    )
    op.create_index("ix_hashee_deliveries_due", "hashee_deliveries", ["state", "due_at"])
    op.create_index("ix_hashee_deliveries_lane", "hashee_deliveries", ["agent_id", "lane", "state", "cursor"])

"""The tables of the wire. Imports SQLAlchemy: loaded after the port is open.

A change here needs a revision in migrations/versions and a new `HEAD`; a test compares the two. Moments are epoch
seconds; a principal is `u:` and a user's id or `a:` and an agent's. Secrets are kept as digests only.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, Double, Index, Integer, MetaData, Table, Text, false
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from app.spaces.schema import Schema
from app.spaces.tables import JSON_TEXT

SCHEMA = Schema("app.hashee:migrations", head="h0006", table="hashee_version")

metadata = MetaData()

secrets = Table(
    "hashee_secrets", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False)
)

users = Table(
    "hashee_users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("protection", Text, nullable=False, server_default=""),
    Column("display_name", Text, nullable=False),
    Column("name_folded", Text, nullable=False, server_default=""),  # as it is searched: see folding.py
    Column("avatar_url", Text, nullable=False, server_default=""),
    Column("language", Text, nullable=False, server_default="en"),
    Column("public_key", Text, nullable=False, server_default=""),
    Column("signing_key", Text, nullable=False, server_default=""),
    Column("created_at", Double, nullable=False),
    Column("deleted_at", Double),
)

sessions = Table(
    "hashee_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False, index=True),
    Column("device", Text, nullable=False, server_default=""),
    Column("created_at", Double, nullable=False),
    Column("lapsed_at", Double, nullable=False, server_default="0"),  # access tokens made before are over
    Column("ended_at", Double),
    Column("end_reason", Text),
)

refreshes = Table(
    "hashee_refreshes",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("session_id", Text, nullable=False, index=True),
    Column("expires_at", Double, nullable=False, index=True),
    Column("used_at", Double),
)

logins = Table(
    "hashee_logins",
    metadata,
    Column("email", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", Double, nullable=False),
    Column("locked_until", Double, nullable=False),
)

codes = Table(
    "hashee_codes",
    metadata,
    Column("email", Text, primary_key=True),
    Column("scene", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("tries", Integer, nullable=False),
)

contacts = Table(
    "hashee_contacts",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("contact_id", Text, primary_key=True),
    Column("alias", Text, nullable=False, server_default=""),
    Column("blocked", Boolean, nullable=False),
)

agents = Table(
    "hashee_agents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False, index=True),
    Column("display_name", Text, nullable=False),
    Column("avatar_url", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("connection_mode", Text, nullable=False),
    Column("webhook_url", Text, nullable=False, server_default=""),
    Column("webhook_secret", Text, nullable=False, server_default=""),
    Column("webhook_state", Text, nullable=False, server_default="ok"),
    Column("health_check_url", Text, nullable=False, server_default=""),
    Column("manifest", Text, nullable=False, server_default="{}", info=JSON_TEXT),
    Column("manifest_version", Integer, nullable=False, server_default="0"),
    Column("manifest_hash", Text, nullable=False, server_default=""),
    Column("governance", Text, nullable=False, server_default="active"),
    Column("governance_reason", Text, nullable=False, server_default=""),
    Column("public_key", Text, nullable=False, server_default=""),
    Column("signing_key", Text, nullable=False, server_default=""),
    Column("created_at", Double, nullable=False),
)

tokens = Table(
    "hashee_tokens",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("agent_id", Text, nullable=False, index=True),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)

relations = Table(
    "hashee_relations",
    metadata,
    Column("agent_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True, index=True),
    Column("status", Text, nullable=False),  # active, suspended, terminated
    Column("conversation_id", Text, nullable=False, index=True),
    Column("referral_source", Text, nullable=False, server_default=""),
    Column("created_at", Double, nullable=False),
)

conversations = Table(
    "hashee_conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # h2h, h2a, group
    Column("pair", Text, unique=True),  # the two of an h2h or h2a, so that there is one only
    Column("name", Text, nullable=False, server_default=""),
    Column("avatar_url", Text, nullable=False, server_default=""),
    Column("settings", Text, nullable=False, server_default="{}", info=JSON_TEXT),
    Column("last_seq", BigInteger, nullable=False),
    Column("key_version", Integer, nullable=False, server_default="0"),
    Column("created_at", Double, nullable=False),
)

members = Table(
    "hashee_members",
    metadata,
    Column("conversation_id", Text, primary_key=True),
    Column("principal", Text, primary_key=True, index=True),
    Column("role", Text, nullable=False),  # owner, member
    Column("joined_seq", BigInteger, nullable=False),  # later messages only are theirs to see
    Column("read_seq", BigInteger, nullable=False, server_default="0"),
    Column("delivered_seq", BigInteger, nullable=False, server_default="0"),
    Column("muted", Boolean, nullable=False, server_default=false()),
    Column("hidden", Boolean, nullable=False, server_default=false()),
    Column("left_at", Double),
)

messages = Table(
    "hashee_messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("sender", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("quote_id", Text),
    Column("client_id", Text),
    Column("extra", Text, nullable=False, server_default="{}", info=JSON_TEXT),
    Column("created_at", Double, nullable=False),
    Column("recalled_by", Text),
    Column("recalled_at", Double),
    Column("pinned_by", Text),
)
Index("ix_hashee_messages_seq", messages.c.conversation_id, messages.c.seq, unique=True)
Index("ix_hashee_messages_client", messages.c.sender, messages.c.client_id, unique=True)

reactions = Table(
    "hashee_reactions",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("emoji", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("at", Double, nullable=False),
)

artifacts = Table(
    "hashee_artifacts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("message_id", Text, nullable=False, index=True),
    Column("agent_id", Text, nullable=False),
    Column("subtype", Text, nullable=False, server_default=""),
    Column("revision", Integer, nullable=False),
    Column("updates", Integer, nullable=False, server_default="0"),
    Column("life", Double),  # seconds, from the message on
    Column("expires_at", Double, index=True),
    Column("expired", Boolean, nullable=False),
)

files = Table(
    "hashee_files",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False, index=True),
    Column("conversation_id", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text),
    Column("state", Text, nullable=False),  # announced, uploaded, confirmed
    Column("created_at", Double, nullable=False, index=True),
    Column("seq", BigInteger, nullable=False, server_default="0"),  # the last message before it was announced
)

backups = Table(
    "hashee_backups",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("body", Text, nullable=False, info=JSON_TEXT),
    Column("updated_at", Double, nullable=False),
)

devices = Table(
    "hashee_devices",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("public_key", Text, nullable=False),
    Column("signing_key", Text, nullable=False, server_default=""),
    Column("updated_at", Double, nullable=False),
)

rotations = Table(
    "hashee_rotations",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("signing_key", Text, nullable=False, server_default=""),
    Column("requested_at", Double, nullable=False),
)

group_keys = Table(
    "hashee_group_keys",
    metadata,
    Column("conversation_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("wrapped", Text, nullable=False),
)

events = Table(
    "hashee_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("body", Text, nullable=False, info=JSON_TEXT),
)
"""What has happened, for the other processes of one service; rows live a minute. Unused on SQLite."""

deliveries = Table(
    "hashee_deliveries",
    metadata,
    Column("agent_id", Text, primary_key=True),
    Column("cursor", BigInteger, primary_key=True),
    Column("delivery_id", Text, nullable=False, unique=True),
    Column("lane", Text, nullable=False),  # the conversation, within which order is kept
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False, info=JSON_TEXT),
    Column("created_at", Double, nullable=False),
    Column("state", Text, nullable=False),  # pending, done, failed; withdrawn: recalled while it was being tried
    Column("seen", Boolean, nullable=False, server_default=false()),  # the agent may have it
    Column("attempts", Integer, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("claimed_until", Double, nullable=False),
    Column("status", Integer),
    Column("error", Text, nullable=False, server_default=""),
    Column("finished_at", Double),
)
Index("ix_hashee_deliveries_lane", deliveries.c.agent_id, deliveries.c.lane, deliveries.c.state, deliveries.c.cursor)
Index("ix_hashee_deliveries_due", deliveries.c.state, deliveries.c.due_at)

cursors = Table(
    "hashee_cursors",
    metadata,
    Column("agent_id", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)
"""The newest cursor that each agent was given. It survives resets and restores: no cursor stands for two events."""

presence = Table(
    "hashee_presence",
    metadata,
    Column("agent_id", Text, primary_key=True),
    Column("connection", Text, nullable=False),
)
"""The newest socket of each agent that is online, in whichever process it is."""

_SERVICE = (secrets, events, cursors, presence)

CONTENTS = tuple(table for table in metadata.sorted_tables if table not in _SERVICE)
"""What people and agents have made: gone with a reset, part of snapshots. What the service keeps for itself is not."""


def upsert(connection: Connection, table: Table) -> Any:
    """An INSERT that may say ON CONFLICT, which both databases know and SQLAlchemy's own does not."""
    return sqlite_insert(table) if connection.dialect.name == "sqlite" else postgresql_insert(table)

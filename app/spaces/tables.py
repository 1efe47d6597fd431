"""The tables, and every statement that runs often. Imports SQLAlchemy: loaded in the background after the port is open.

The same Core statements serve SQLite and PostgreSQL. A change here needs a revision in migrations/versions and a new
`HEAD`; a test compares the two.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Insert,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from app.spaces.lore import unseal

HEAD = "0004"
"""The newest revision in migrations/versions; a database at it is opened without loading Alembic."""

JSON_TEXT: Final = {"parse": orjson.loads}
"""`info` of a column whose texts are JSON: `parse` raises for a text that the program could not read back."""

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s"}
)

spaces = Table(
    "spaces",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("org_id", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("credit", BigInteger, nullable=False),
    Column("credit_per_turn", BigInteger, nullable=False),
    Column("return_voice", BigInteger, nullable=False),
    Column("sentence_mode", Boolean, nullable=False),
    Column("language", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("graph", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("uploads", Text, nullable=False, server_default="strict"),
    # Counts the changes of a row, so that of two copies the newer one can be told.
    Column("version", BigInteger, nullable=False),
    # The digest of what table `lore` has for it, "" for nothing: most reads need no more than that.
    Column("lore", Text, nullable=False, server_default=""),
)
Index(
    "ix_spaces_one_default",
    spaces.c.is_default,
    unique=True,
    sqlite_where=text("is_default"),
    postgresql_where=text("is_default"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("space_uid", Text, ForeignKey(spaces.c.uid), nullable=False, index=True),
    Column("usable", Boolean, nullable=False),
)

lore = Table(
    "lore",
    metadata,
    Column("space_uid", Text, ForeignKey(spaces.c.uid), primary_key=True),
    Column("content", Text, nullable=False, info={"parse": unseal}),
)

# Which spaces have a memory; what it is stands in their lore.
memories = Table(
    "memories",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("space_uid", Text, ForeignKey(spaces.c.uid), primary_key=True, index=True),
)

# Rooms and turns name their space without a foreign key: what was said outlives the space it was said in.
rooms = Table(
    "rooms",
    metadata,
    Column("space_uid", Text, primary_key=True),
    Column("room_uid", Text, primary_key=True),
    Column("saved", BigInteger, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("space_uid", Text, nullable=False),
    Column("room_uid", Text, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("msg", Text),
    Column("reply", Text, nullable=False),
    Column("visitor_name", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("filename", Text),
    Column("scene_number", BigInteger),
    Column("revision", Text, nullable=False),
    Column("cost", BigInteger, nullable=False),
    # Uids of memories, a blank between two.
    Column("hotwords", Text, nullable=False, server_default=""),
)
Index("ix_turns_room", turns.c.space_uid, turns.c.room_uid, turns.c.began, turns.c.id)

# The memories that any turn of a room has detected: not more rows than its space ever had memories.
fired = Table(
    "fired",
    metadata,
    Column("space_uid", Text, primary_key=True),
    Column("room_uid", Text, primary_key=True),
    Column("memory_uid", Text, primary_key=True),
)

# People who log in, what they talk about, and what was said: of wires whose conversations are sessions of users.
users = Table(
    "users",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("login_id", Text, nullable=False, unique=True),
    Column("nickname", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

scenarios = Table(
    "scenarios",
    metadata,
    Column("id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("partner", Text, nullable=False),
    Column("goal", Text, nullable=False),
    Column("level", BigInteger, nullable=False),
    Column("category", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

# Times in epoch seconds, durations in seconds. A session without a user is a guest's.
sessions = Table(
    "sessions",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("user_id", BigInteger, ForeignKey(users.c.id), index=True),
    Column("title", Text, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("total_seconds", Float, nullable=False),
    Column("speech_seconds", Float, nullable=False),
    Column("summary", Text),
    Column("scenario_id", Text),
    Column("place", Text),
    Column("partner", Text),
    Column("goal", Text),
    Column("state", Text, info=JSON_TEXT),
    Column("completed_at", Float),
    Column("deleted", Boolean, nullable=False),
    Column("voice", Text),
    Column("show_text", Boolean),
    Column("analytics", Text, info=JSON_TEXT),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("session_uid", Text, ForeignKey(sessions.c.uid), nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("feedback", Text),
    Column("reason", Text),
)

SPACE_COLUMNS = tuple(column for column in spaces.c if column.name not in ("version", "lore"))
"""In the order of `models.Space`, but for its lore."""

STATE_COLUMNS = (*SPACE_COLUMNS, spaces.c.version, spaces.c.lore)
"""What `charges.held` reads."""

TURN_COLUMNS = tuple(column for column in turns.c if column.name not in ("id", "space_uid", "room_uid"))
"""In the order of `models.Turn`."""

SPACE_BY_UID = select(*STATE_COLUMNS).where(spaces.c.uid == bindparam("uid"))
SPACE_BY_KEY = (
    select(api_keys.c.usable, *STATE_COLUMNS).join_from(api_keys, spaces).where(api_keys.c.key == bindparam("key"))
)
SPACE_BY_ORG = (
    select(*STATE_COLUMNS)
    .where(spaces.c.org_id == bindparam("org_id"))
    .order_by(spaces.c.is_default.desc(), spaces.c.uid)
    .limit(1)
)
SPACE_WITH_LORE = (
    select(lore.c.content, *STATE_COLUMNS).join_from(spaces, lore, isouter=True).where(spaces.c.uid == bindparam("uid"))
)
"""In one statement, so that content and digest belong together."""

SPACE_BY_MEMORY = (
    select(*STATE_COLUMNS)
    .join_from(memories, spaces)
    .where(memories.c.uid == bindparam("memory_uid"))
    .order_by(spaces.c.is_default.desc(), spaces.c.uid)
    .limit(1)
)
DEFAULT_SPACE = select(*STATE_COLUMNS).where(spaces.c.is_default)

# Locked in the order of uid, so that two processes that charge the same spaces wait instead of deadlocking.
SPACES_TO_CHARGE = (
    select(*STATE_COLUMNS)
    .where(spaces.c.uid.in_(bindparam("uids", expanding=True)))
    .order_by(spaces.c.uid)
    .with_for_update()
)
SET_CREDIT = (
    update(spaces)
    .where(spaces.c.uid == bindparam("charged"))
    .values(credit=bindparam("credit"), version=bindparam("version"))
)
SET_KEY = update(api_keys).where(api_keys.c.key == bindparam("changed")).values(usable=bindparam("usable"))
DROP_KEY = delete(api_keys).where(api_keys.c.key == bindparam("changed"))

ADD_TURN = insert(turns)


def _count_turns(into: Any) -> Insert:
    statement: Insert = into.on_conflict_do_update(
        index_elements=[rooms.c.space_uid, rooms.c.room_uid], set_={"saved": rooms.c.saved + into.excluded.saved}
    )
    return statement


COUNT_TURNS = {"sqlite": _count_turns(sqlite.insert(rooms)), "postgresql": _count_turns(postgresql.insert(rooms))}
"""Adds `saved` to a room's count; by dialect, because each has its own word for an upsert."""


def _once(into: Any) -> Insert:
    statement: Insert = into.on_conflict_do_nothing()
    return statement


ADD_FIRED = {"sqlite": _once(sqlite.insert(fired)), "postgresql": _once(postgresql.insert(fired))}

_IN_ROOM = turns.c.space_uid == bindparam("space_uid"), turns.c.room_uid == bindparam("room_uid")
_NEWEST_FIRST = turns.c.began.desc(), turns.c.id.desc()
_SAVED = (
    select(rooms.c.saved)
    .where(rooms.c.space_uid == bindparam("space_uid"), rooms.c.room_uid == bindparam("room_uid"))
    .scalar_subquery()
)
_FIRED = (
    select(func.aggregate_strings(fired.c.memory_uid, " "))
    .where(fired.c.space_uid == bindparam("space_uid"), fired.c.room_uid == bindparam("room_uid"))
    .scalar_subquery()
)
_NEWEST = select(turns.c.id).where(*_IN_ROOM).order_by(*_NEWEST_FIRST).limit(1).correlate(None).scalar_subquery()
LAST_TURNS = (
    select(*TURN_COLUMNS, _SAVED.label("saved"), case((turns.c.id == _NEWEST, _FIRED)).label("fired"))
    .where(*_IN_ROOM)
    .order_by(*_NEWEST_FIRST)
    .limit(bindparam("last"))
)
"""The last turns of a room, newest first, each with the number saved in all, the first with what fired in the room.

One statement, so that a window is of one moment; its cost does not grow with the room.
"""

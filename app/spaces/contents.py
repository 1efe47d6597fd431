"""Everything the store holds: taken out as a whole, put back, brought to what the files say. Imports SQLAlchemy.

Wires that keep tables of their own beside those of the spaces add them (`Contents.also`). Each is one transaction, so
what is there while it runs is as before or as after. The store's eras tell turns that were begun before: they go on for
their clients, and write nothing any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, delete, exists, insert, select, text, update
from sqlalchemy.exc import DataError, IntegrityError

from app.emulation.clock import FIRST_DATE, LAST_DATE
from app.spaces.database import Database
from app.spaces.history import History
from app.spaces.lore import Sealed, seal
from app.spaces.models import SpaceSeed
from app.spaces.registry import NoSuch, remove_spaces
from app.spaces.seeds import lock_seeds, write_seeds
from app.spaces.store import SpaceStore
from app.spaces.tables import (
    HEAD,
    api_keys,
    fired,
    lore,
    memories,
    messages,
    rooms,
    scenarios,
    sessions,
    spaces,
    turns,
    users,
)
from app.spaces.text import storable

_SPACES = (spaces, lore, memories, api_keys, rooms, turns, fired, users, scenarios, sessions, messages)
"""The tables of the spaces' schema, in the order in which everybody who writes to several of them does so."""

_CHUNK = 2_000
"""Rows that go over in one statement."""

Rows = dict[str, list[list[Any]]]
"""The rows of each table, without what the database numbers itself."""


@dataclass(frozen=True, slots=True)
class Emptied:
    """How many rooms and turns a reset has taken away; `rooms` are their uids."""

    rooms: tuple[str, ...]
    turns: int


@dataclass(frozen=True, slots=True)
class Part:
    """Tables that a wire keeps for itself. `schema`: what their rows are rows of; `put` adapts other rows to what is
    not part of a snapshot, in the transaction that puts them in; `restored` is called once they are in.
    """

    name: str
    schema: str
    tables: Sequence[Table]
    put: Callable[[Connection], None]
    restored: Callable[[], Awaitable[None]]


class Holdings:
    """Which tables belong to it: those of the spaces, and those of the wires that have some."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    @property
    def tables(self) -> tuple[Table, ...]:
        """All of them, in the order in which everybody who writes to several of them does so."""
        return (*_SPACES, *(table for part in self.parts for table in part.tables))

    @property
    def schemas(self) -> dict[str, str]:
        """What `Rows` are rows of, by part."""
        return {"spaces": HEAD} | {part.name: part.schema for part in self.parts}

    def problem(self, rows: Rows) -> str | None:
        """Why these cannot be rows of the tables as they are now, in one line; None where they can."""
        if rows.keys() != {table.name for table in self.tables}:
            return "it does not hold the tables of this version"
        for table in self.tables:
            columns = _columns(table)
            if not isinstance(rows[table.name], list):
                return f"{table.name}: not a list of rows"
            for number, row in enumerate(rows[table.name], 1):
                if not isinstance(row, list) or len(row) != len(columns):
                    return f"{table.name}: row {number} does not have {len(columns)} values"
                for column, value in zip(columns, row, strict=True):
                    if not _fits(column, value):
                        return f"{table.name}: row {number} has a wrong value for {column.name}"
        return None


class NotRestorable(Exception):
    """Rows that contradict each other, or the tables: nothing was changed. The text says why in one line."""


class Contents:
    """The contents of one database, and of what is cached of them here."""

    def __init__(self, database: Database, store: SpaceStore, history: History) -> None:
        self._database = database
        self._store = store
        self._history = history
        self._eras = store.eras
        self.holdings = Holdings()

    def also(self, part: Part) -> None:
        """From now on these tables belong to what is taken and put back."""
        self.holdings.parts.append(part)

    async def take(self) -> Rows:
        """All of it, as it was at one moment."""
        tables = self.holdings.tables
        return await self._database.read(lambda connection: _take(connection, tables), steady=True)

    async def put(self, rows: Rows) -> None:
        """Puts all of it back, in place of what is there; all or nothing. Raises `NotRestorable`, `StoreFailure`."""
        tables = self.holdings.tables

        def work(connection: Connection) -> None:
            try:
                _put(connection, tables, rows)
                for part in self.holdings.parts:
                    part.put(connection)
            except (IntegrityError, DataError) as error:
                raise NotRestorable(str(error.orig).partition("\n")[0]) from error

        self._eras.end()
        await self._store.change(work)
        self._ended(None, None)
        for part in self.holdings.parts:
            await part.restored()

    async def reset(self, seeds: Sequence[SpaceSeed]) -> Emptied:
        """Everything as `seeds` say, and no rooms."""
        sealed = await asyncio.to_thread(lambda: [seal(seed.space) for seed in seeds])

        def work(connection: Connection) -> Emptied:
            lock_seeds(connection)
            emptied = _empty(connection)
            known = set(connection.scalars(select(spaces.c.uid)))
            connection.execute(delete(api_keys))
            remove_spaces(connection, sorted(known - {storable(seed.space.uid) for seed in seeds}))
            _as_declared(connection, seeds, sealed)
            return emptied

        self._eras.end()
        emptied = await self._store.change(work)
        self._ended(None, None)
        return emptied

    async def reset_space(self, space_uid: str, seeds: Sequence[SpaceSeed]) -> Emptied:
        """One space as `seeds` say (as it is, if they do not name it), without rooms. Raises `NoSuch`."""
        own = [seed for seed in seeds if seed.space.uid == space_uid]
        sealed = await asyncio.to_thread(lambda: [seal(seed.space) for seed in own])
        uid = storable(space_uid)

        def work(connection: Connection) -> Emptied:
            lock_seeds(connection)
            if not own and connection.scalar(select(spaces.c.uid).where(spaces.c.uid == uid)) is None:
                raise NoSuch(f"space: there is no space {space_uid}")
            emptied = _empty(connection, space_uid=uid)
            if own:
                connection.execute(delete(api_keys).where(api_keys.c.space_uid == uid))
                _as_declared(connection, own, sealed)
            return emptied

        self._eras.end(uid)
        emptied = await self._store.change(work)
        self._ended(uid, None)
        return emptied

    async def reset_room(self, room_uid: str, space_uid: str | None = None) -> Emptied:
        """A room as if nobody had talked in it; without a space, the room of that name in every space."""
        room = storable(room_uid)
        space = None if space_uid is None else storable(space_uid)

        def work(connection: Connection) -> Emptied:
            return _empty(connection, space_uid=space, room_uid=room)

        self._eras.end(space, room)
        emptied = await self._database.write(work, administers=True)
        self._ended(space, room)
        return emptied

    def _ended(self, space_uid: str | None, room_uid: str | None) -> None:
        """The transaction is through: what was begun while it ran belongs to the time before it, too."""
        self._eras.end(space_uid, room_uid)
        self._history.forget(space_uid, room_uid)


def _empty(connection: Connection, *, space_uid: str | None = None, room_uid: str | None = None) -> Emptied:
    """Takes rooms away with what was said in them.

    Turns go by their rooms being gone: a turn that another process saves meanwhile comes with a room of its own, and
    stays whole.
    """

    def meant(table: Any) -> list[Any]:
        conditions = [] if space_uid is None else [table.c.space_uid == space_uid]
        return conditions if room_uid is None else [*conditions, table.c.room_uid == room_uid]

    gone = connection.scalars(delete(rooms).where(*meant(rooms)).returning(rooms.c.room_uid)).all()
    said = 0
    for table in (turns, fired):
        left = exists().where(rooms.c.space_uid == table.c.space_uid, rooms.c.room_uid == table.c.room_uid)
        count = connection.execute(delete(table).where(*meant(table), ~left)).rowcount
        said += count if table is turns else 0
    return Emptied(tuple(sorted(set(gone))), said)


def _as_declared(connection: Connection, seeds: Sequence[SpaceSeed], sealed: Sequence[Sealed]) -> None:
    if seeds:
        connection.execute(
            update(spaces)
            .where(spaces.c.uid == bindparam("of"))
            .values(credit=bindparam("to"), version=spaces.c.version + 1),
            [{"of": storable(seed.space.uid), "to": seed.space.credit} for seed in seeds],
        )
    write_seeds(connection, seeds, sealed)


def _columns(table: Table) -> list[Column[Any]]:
    """Those of a table that a snapshot has: turns and messages are numbered anew."""
    return [column for column in table.c if column is not turns.c.id and column is not messages.c.id]


_LARGEST = 2**63 - 1
"""What a BIGINT, of either store, can hold."""


def _fits(column: Column[Any], value: object) -> bool:
    """Whether a column can hold a value that came from JSON."""
    if value is None:
        return bool(column.nullable)
    kind = column.type.python_type
    if (parse := column.info.get("parse")) is not None:
        try:
            parse(value)
        except (ValueError, TypeError, KeyError, AttributeError):
            return False
    if kind is float:  # a moment or a length of time: what cannot be written as a date would fail where it is shown
        return isinstance(value, int | float) and not isinstance(value, bool) and FIRST_DATE <= value <= LAST_DATE
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST
    return isinstance(value, kind)


def _take(connection: Connection, tables: Sequence[Table]) -> Rows:
    taken: Rows = {}
    for table in tables:
        rows = connection.execute(select(*_columns(table)).order_by(*table.primary_key.columns))
        taken[table.name] = [list(row) for row in rows]
    return taken


def _put(connection: Connection, tables: Sequence[Table], rows: Rows) -> None:
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in tables)
        connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
    versions = {row[0]: row[1] for row in connection.execute(select(spaces.c.uid, spaces.c.version))}
    for table in reversed(tables):
        connection.execute(delete(table))
    for table in tables:
        columns = [column.name for column in _columns(table)]
        put = [dict(zip(columns, row, strict=True)) for row in rows[table.name]]
        if table is spaces:
            # Higher than any copy in memory, here or in another process.
            for row in put:
                row["version"] = max(row["version"], versions.get(row["uid"], 0)) + 1
        for start in range(0, len(put), _CHUNK):
            connection.execute(insert(table), put[start : start + _CHUNK])
    if connection.dialect.name == "postgresql":
        # Users keep their numbers; new ones go on after the last.
        last = "SELECT setval(pg_get_serial_sequence('users', 'id'), coalesce(max(id), 0) + 1, false) FROM users"
        connection.execute(text(last))

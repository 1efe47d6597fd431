"""A room's turns: append-only, written in group commits, a window read back. Imports SQLAlchemy.

On an exclusive database the windows of recently used rooms are kept in memory and follow every commit, so that a turn
in a known room reads nothing; a cold room costs one query. On a shared database every window is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection

from app.spaces.database import Database
from app.spaces.eras import Eras
from app.spaces.failures import StoreClosed
from app.spaces.groups import GroupCommit
from app.spaces.models import RoomWindow, Turn
from app.spaces.tables import ADD_FIRED, ADD_TURN, COUNT_TURNS, LAST_TURNS, TURN_COLUMNS
from app.spaces.text import storable
from app.spaces.windows import RoomKey, RoomWindows

_NAMES = tuple(column.name for column in TURN_COLUMNS)
"""The fields of a turn; the last, hotwords, is one text in the database."""
_VALUES = attrgetter(*_NAMES)
_ROW = ("space_uid", "room_uid", *_NAMES)
_INT64 = range(-(2**63), 2**63)

Entry = tuple[RoomKey, Turn, int | None]
"""A turn of a room, and the era it was begun in."""


class _Load:
    """A window on its way from the database; `stale` once its room is being written to meanwhile."""

    __slots__ = ("key", "stale")

    def __init__(self, key: RoomKey, stale: bool) -> None:
        self.key = key
        self.stale = stale


class History:
    """The turns of every room. One for a database: its caches hear of its own saves only.

    window: how many of a room's last turns are read back.
    queue: turns that may wait to be written; rooms, size: bounds of the cache, in windows and in bytes.
    eras: the store's; a turn that was begun before a reset of its room is not written after it.
    """

    def __init__(
        self,
        database: Database,
        *,
        window: int = 20,
        queue: int = 4096,
        rooms: int = 4096,
        size: int = 64 * 1024 * 1024,
        eras: Eras | None = None,
    ) -> None:
        self.eras = eras or Eras()
        self._database = database
        self._length = window
        self._queue = queue
        self._windows = RoomWindows(rooms=rooms, size=size)
        self._generation = database.generation
        self._loads: set[_Load] = set()
        self._writing: frozenset[RoomKey] = frozenset()
        self._saves: GroupCommit[Entry, bool] | None = None

    async def start(self) -> None:
        """From here on turns are taken. The database is open."""
        self._saves = self._database.group(self._write_turns, bound=self._queue, begun=self._begun, ended=self._ended)

    async def close(self) -> None:
        """Commits what waits and takes no more."""
        saves, self._saves = self._saves, None
        if saves is not None:
            await saves.close()
        self._windows.clear()

    async def window(self, space_uid: str, room_uid: str) -> RoomWindow:
        """The room's last turns, how many it has saved and what has fired; empty for a room nobody has talked in."""
        key = storable(space_uid), storable(room_uid)
        if not self._database.exclusive:
            return await self._read(key)
        self._renew()
        known = self._windows.get(key)
        if known is not None:
            return known
        load = _Load(key, key in self._writing)
        self._loads.add(load)
        generation = self._generation
        try:
            window = await self._read(key)
        finally:
            self._loads.discard(load)
        self._renew()
        if not load.stale and generation == self._generation and self._saves is not None:
            self._windows.put(key, window)
        return window

    def forget(self, space_uid: str | None = None, room_uid: str | None = None) -> None:
        """Somebody else has changed what is kept of all rooms, of a space's, or of a room."""
        self._windows.forget(space_uid, room_uid)
        for load in self._loads:
            load.stale = True

    async def save(self, space_uid: str, room_uid: str, turn: Turn, *, era: int | None = None) -> None:
        """Returns after the commit that holds the turn. NUL is left out of its texts, lone surrogates become U+FFFD.

        Cancelled before that commit starts, the turn leaves no trace; later, it is saved. Raises a `StoreFailure` when
        it is not saved, ValueError for a number of more than 64 bits and for a hotword that is no uid. Nothing is saved
        where the room has been reset since the `era` the turn was begun in.
        """
        if self._saves is None:
            raise StoreClosed("the history is not started")
        await self._saves.add(((storable(space_uid), storable(room_uid)), _storable(turn), era))

    async def _read(self, key: RoomKey) -> RoomWindow:
        return await self._database.read(partial(_read_window, key=key, length=self._length))

    def _renew(self) -> None:
        """Forgets every window when another process has written to the file."""
        if self._generation != self._database.generation:
            self._generation = self._database.generation
            self._windows.clear()

    def _begun(self, entries: Sequence[Entry]) -> None:
        self._writing = frozenset(key for key, _, _ in entries)
        for load in self._loads:
            load.stale = load.stale or load.key in self._writing

    def _ended(self, entries: Sequence[Entry], results: Sequence[bool] | None) -> None:
        self._renew()
        self._writing = frozenset()
        for number, (key, turn, _) in enumerate(entries):
            if results is None:
                self._windows.drop(key)
            elif results[number]:
                self._windows.follow(key, turn, self._length)

    def _write_turns(self, connection: Connection, entries: Sequence[Entry]) -> list[bool]:
        """Whether each was written, which it is not when its room has been reset since its era."""
        kept = [not self.eras.is_over(era, *key) for key, _, era in entries]
        turns = [(key, turn) for (key, turn, _), keep in zip(entries, kept, strict=True) if keep]
        if turns:
            _write_turns(connection, turns)
        return kept


def _storable(turn: Turn) -> Turn:
    """The turn as both databases can hold it; the same object where nothing had to change."""
    changed: dict[str, Any] = {}
    for name, value in zip(_NAMES, _VALUES(turn), strict=True):
        if isinstance(value, str):
            clean = storable(value)
            if clean is not value:
                changed[name] = clean
        elif isinstance(value, tuple):
            # Together they are one text with blanks between.
            uids = tuple(map(storable, value))
            if any(uid.split() != [uid] for uid in uids):
                raise ValueError(f"{name} of a turn are uids of memories, not empty and without blanks")
            if uids != value:
                changed[name] = uids
        elif value is not None and value not in _INT64:
            raise ValueError(f"{name} of a turn takes more than 64 bits")
    return replace(turn, **changed) if changed else turn


def _write_turns(connection: Connection, entries: Sequence[tuple[RoomKey, Turn]]) -> None:
    counts = Counter(key for key, _ in entries)
    # In one order in every process: two that count the same rooms wait for each other instead of deadlocking.
    connection.execute(
        COUNT_TURNS[connection.dialect.name],
        [
            {"space_uid": space_uid, "room_uid": room_uid, "saved": saved}
            for (space_uid, room_uid), saved in sorted(counts.items())
        ],
    )
    connection.execute(ADD_TURN, [_row(key, turn) for key, turn in entries])
    fired = sorted({(*key, uid) for key, turn in entries for uid in turn.hotwords})
    if fired:
        connection.execute(
            ADD_FIRED[connection.dialect.name],
            [{"space_uid": space_uid, "room_uid": room_uid, "memory_uid": uid} for space_uid, room_uid, uid in fired],
        )


def _row(key: RoomKey, turn: Turn) -> dict[str, Any]:
    return {**dict(zip(_ROW, (*key, *_VALUES(turn)), strict=True)), "hotwords": " ".join(turn.hotwords)}


def _read_window(connection: Connection, *, key: RoomKey, length: int) -> RoomWindow:
    # At least one row, for it carries the number of turns.
    rows = connection.execute(LAST_TURNS, {"space_uid": key[0], "room_uid": key[1], "last": max(1, length)}).fetchall()
    if not rows:
        return RoomWindow((), 0)
    newest = rows[0]
    turns = tuple(Turn(*(*row[: len(_NAMES) - 1], tuple(row.hotwords.split()))) for row in reversed(rows))
    return RoomWindow(turns[max(0, len(turns) - length) :], newest.saved, frozenset((newest.fired or "").split()))

"""People and their sessions: who logs in, what they may talk about, what was said. Imports SQLAlchemy.

Every method is one transaction. Times are epoch seconds and come from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.spaces.database import Database
from app.spaces.failures import TransactionFailed
from app.spaces.tables import messages, scenarios, sessions, users
from app.spaces.text import storable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who logs in. `password` is a hash."""

    id: int
    login_id: str
    nickname: str
    password: str
    is_active: bool
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Topic:
    """A scenario to choose from."""

    id: str
    title: str
    description: str
    place: str
    partner: str
    goal: str
    level: int
    category: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Message:
    """Something said in a session; `id` is 0 before it is kept."""

    role: str
    content: str
    at: float
    seconds: float
    feedback: str | None = None
    reason: str | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session without its messages. `user_id` None: a guest's. `state`, `analytics`: JSON as text."""

    uid: str
    user_id: int | None
    title: str
    started_at: float
    ended_at: float
    created_at: float
    updated_at: float
    total_seconds: float = 0.0
    speech_seconds: float = 0.0
    summary: str | None = None
    scenario_id: str | None = None
    place: str | None = None
    partner: str | None = None
    goal: str | None = None
    state: str | None = None
    completed_at: float | None = None
    deleted: bool = False
    voice: str | None = None
    show_text: bool | None = None
    analytics: str | None = None


class Taken(Exception):
    """Another one has it already; `what` is the column."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is taken")
        self.what = what


class TooMany(Exception):
    """No more of them are kept."""


_USER = [users.c[one.name] for one in fields(User)]
_TOPIC = [scenarios.c[one.name] for one in fields(Topic)]
_MESSAGE = [messages.c[one.name] for one in fields(Message)]
_SESSION = [sessions.c[one.name] for one in fields(SessionRow)]


class People:
    """The door to users, scenarios and sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- users ---------------------------------------------------------------------------------------------------------

    async def user(self, login_id: str) -> User | None:
        """A user by login, withdrawn or not."""
        login = storable(login_id)
        found = await self._row(select(*_USER).where(users.c.login_id == login))
        return None if found is None else User(*_values(found))

    async def is_free(self, column: str, value: str) -> bool:
        """Whether nobody has that `login_id` or `nickname`."""
        return await self._row(select(users.c.id).where(users.c[column] == storable(value))) is None

    async def add_user(
        self, login_id: str, nickname: str, password: str, *, active: bool, at: float, most: int | None = None
    ) -> User:
        """A new user, where there are fewer than `most`. Raises `Taken`, `TooMany`."""
        values: dict[str, Any] = {"login_id": storable(login_id), "nickname": storable(nickname), "password": password}
        values |= {"is_active": active, "created_at": at, "updated_at": at}

        def work(connection: Connection) -> User:
            for column in ("login_id", "nickname"):
                if connection.execute(select(users.c.id).where(users.c[column] == values[column])).first():
                    raise Taken(column)
            _limit(connection, users, most)
            added = connection.execute(insert(users).values(**values))
            key = added.inserted_primary_key
            assert key is not None
            return User(id=key[0], **values)

        return await self._write_user(work)

    async def change_user(self, user_id: int, changes: Mapping[str, Any], *, at: float) -> User | None:
        """The user after the changes (`nickname`, `password`, `is_active`). Raises `Taken`."""

        def work(connection: Connection) -> User | None:
            nickname = changes.get("nickname")
            if nickname is not None:
                other = select(users.c.id).where(users.c.nickname == storable(nickname), users.c.id != user_id)
                if connection.execute(other).first():
                    raise Taken("nickname")
            connection.execute(update(users).where(users.c.id == user_id).values(**changes, updated_at=at))
            row = connection.execute(select(*_USER).where(users.c.id == user_id)).first()
            return None if row is None else User(*_values(row))

        return await self._write_user(work)

    async def _write_user(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._database.write(work)
        except TransactionFailed as failure:
            # Two at once: the database's own word decides.
            if isinstance(failure.__cause__, IntegrityError):
                raise Taken("login_id" if "login_id" in str(failure.__cause__.orig) else "nickname") from failure
            raise

    # -- scenarios -----------------------------------------------------------------------------------------------------

    async def topics(self, *, skip: int = 0, limit: int | None = None) -> list[Topic]:
        """All scenarios, in their order, or a page of them."""
        order = scenarios.c.position, scenarios.c.id
        found = await self._rows(select(*_TOPIC).order_by(*order).offset(skip).limit(limit))
        return [Topic(*_values(row)) for row in found]

    async def topic(self, uid: str) -> Topic | None:
        """A scenario."""
        found = await self._row(select(*_TOPIC).where(scenarios.c.id == storable(uid)))
        return None if found is None else Topic(*_values(found))

    async def add_topic(self, topic: Topic, *, most: int | None = None) -> bool:
        """Adds a scenario at the end, where there are fewer than `most`; False if there is one of that id. Raises
        `TooMany`.
        """
        values = {one.name: _clean(getattr(topic, one.name)) for one in fields(Topic)}

        def work(connection: Connection) -> bool:
            if connection.execute(select(scenarios.c.id).where(scenarios.c.id == values["id"])).first():
                return False
            _limit(connection, scenarios, most)
            last = connection.scalar(select(func.coalesce(func.max(scenarios.c.position), 0)))
            connection.execute(insert(scenarios).values(**values, position=(last or 0) + 1))
            return True

        return await self._database.write(work)

    # -- sessions ------------------------------------------------------------------------------------------------------

    async def session(self, uid: str) -> SessionRow | None:
        """A session, deleted or not."""
        found = await self._row(select(*_SESSION).where(sessions.c.uid == storable(uid)))
        return None if found is None else SessionRow(*_values(found))

    async def add_session(
        self, row: SessionRow, said: Sequence[Message] = (), *, most_guests: int | None = None
    ) -> SessionRow:
        """Keeps a new session with its messages; the one that is there already wins. A guest's takes the place of the
        guests' session that was quiet for longest, if there are `most_guests` already: anybody can make them.
        """
        values = {one.name: _clean(getattr(row, one.name)) for one in fields(SessionRow)}

        def work(connection: Connection) -> SessionRow:
            there = connection.execute(select(*_SESSION).where(sessions.c.uid == values["uid"])).first()
            if there is not None:
                return SessionRow(*_values(there))
            if row.user_id is None and most_guests is not None:
                _make_room_for_a_guest(connection, most_guests)
            connection.execute(insert(sessions).values(**values))
            _add_messages(connection, str(values["uid"]), said)
            return row

        return await self._database.write(work)

    async def change_session(self, uid: str, changes: Mapping[str, Any], *, at: float) -> bool:
        """Whether there is such a session; its columns are as `changes` says now."""
        values = {name: _clean(value) for name, value in changes.items()}

        def work(connection: Connection) -> bool:
            statement = update(sessions).where(sessions.c.uid == storable(uid)).values(**values, updated_at=at)
            return connection.execute(statement).rowcount > 0

        return await self._database.write(work)

    async def keep(
        self, uid: str, said: Sequence[Message], *, began: float, ended: float, speech: float, owner: int | None
    ) -> None:
        """Adds what a connection came to. `owner` becomes the owner of a guest's session."""

        def work(connection: Connection) -> None:
            where = sessions.c.uid == storable(uid)
            user_id = connection.scalar(select(sessions.c.user_id).where(where))
            connection.execute(
                update(sessions)
                .where(where)
                .values(
                    started_at=began,
                    ended_at=ended,
                    updated_at=ended,
                    total_seconds=sessions.c.total_seconds + max(0.0, ended - began),
                    speech_seconds=sessions.c.speech_seconds + speech,
                    user_id=owner if user_id is None else user_id,
                )
            )
            _add_messages(connection, storable(uid), said)

        await self._database.write(work)

    async def messages(self, uid: str, last: int | None = None) -> list[Message]:
        """What was said in a session, oldest first: all of it, or the `last` messages."""
        statement = select(*_MESSAGE).where(messages.c.session_uid == storable(uid)).order_by(messages.c.id.desc())
        found = await self._rows(statement if last is None else statement.limit(last))
        return [Message(*_values(row)) for row in reversed(found)]

    async def sessions_of(self, user_id: int, *, skip: int, limit: int) -> tuple[int, list[tuple[SessionRow, int]]]:
        """How many sessions a user has, and some of them with their number of messages, the last ended first."""
        mine = (sessions.c.user_id == user_id) & sessions.c.deleted.is_(False)
        count = (
            select(func.count(messages.c.id))
            .where(messages.c.session_uid == sessions.c.uid)
            .correlate(sessions)
            .scalar_subquery()
        )
        order = sessions.c.ended_at.desc(), sessions.c.uid
        page = select(*_SESSION, count).where(mine).order_by(*order).offset(skip).limit(limit)

        def work(connection: Connection) -> tuple[int, list[tuple[SessionRow, int]]]:
            total = connection.scalar(select(func.count()).select_from(sessions).where(mine)) or 0
            return total, [(SessionRow(*_values(row)[:-1]), row[-1]) for row in connection.execute(page)]

        return await self._database.read(work)

    async def sessions_on(self, scenario_id: str) -> list[tuple[SessionRow, int]]:
        """All sessions about a scenario, with their number of messages."""
        count = func.count(messages.c.id)
        statement = (
            select(*_SESSION, count)
            .join_from(sessions, messages, isouter=True)
            .where(sessions.c.scenario_id == storable(scenario_id), sessions.c.deleted.is_(False))
            .group_by(*_SESSION)
            .limit(10_000)
        )
        return [(SessionRow(*_values(row)[:-1]), row[-1]) for row in await self._rows(statement)]

    async def forget(self, wanted: Sequence[str] | None = None) -> None:
        """Deletes sessions and what was said in them; None: everything, users and scenarios too."""

        def work(connection: Connection) -> None:
            if wanted is None:
                for table in (messages, sessions, users, scenarios):
                    connection.execute(delete(table))
                return
            connection.execute(delete(messages).where(messages.c.session_uid.in_(wanted)))
            connection.execute(delete(sessions).where(sessions.c.uid.in_(wanted)))

        await self._database.write(work)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _row(self, statement: Any) -> Row[Any] | None:
        return await self._database.read(lambda connection: connection.execute(statement).first())

    async def _rows(self, statement: Any) -> Sequence[Row[Any]]:
        return await self._database.read(lambda connection: connection.execute(statement).all())


def _limit(connection: Connection, table: Table, most: int | None) -> None:
    if most is not None and (connection.scalar(select(func.count()).select_from(table)) or 0) >= most:
        raise TooMany


def _make_room_for_a_guest(connection: Connection, most: int) -> None:
    guests = sessions.c.user_id.is_(None)
    there = connection.scalar(select(func.count()).select_from(sessions).where(guests)) or 0
    if there < most:
        return
    order = sessions.c.deleted.desc(), sessions.c.updated_at, sessions.c.uid
    oldest = connection.scalars(select(sessions.c.uid).where(guests).order_by(*order).limit(there - most + 1)).all()
    connection.execute(delete(messages).where(messages.c.session_uid.in_(oldest)))
    connection.execute(delete(sessions).where(sessions.c.uid.in_(oldest)))


def _add_messages(connection: Connection, uid: str, said: Sequence[Message]) -> None:
    rows = [
        {
            "session_uid": uid,
            "role": one.role,
            "content": storable(one.content),
            "at": one.at,
            "seconds": one.seconds,
            "feedback": one.feedback,
            "reason": one.reason,
        }
        for one in said
    ]
    if rows:
        connection.execute(insert(messages), rows)


def _values(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(row)


def _clean(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value

"""Everything that is written and read: commands in shared transactions, and what they tell to whom.

    command(tx) -> tx.tell(frame, to) -> commit -> dispatch, in the order of the commits

A command runs in the store's thread with a `Tx`; events it tells go out after the commit that holds it. On a shared
database (PostgreSQL) events are rows, and every process, this one included, hears their numbers by NOTIFY: so all
dispatch them in the order of the commits. Imports SQLAlchemy.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar, cast

import orjson
from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.emulation.determinism import Clock, Ids
from app.emulation.limit_clock import LimitClock
from app.hashee.frames import BY_TYPE, Frame
from app.hashee.profiles import Profile
from app.hashee.refusals import Refused
from app.hashee.tables import events as event_rows
from app.spaces.database import Database
from app.spaces.failures import StoreClosed, StoreFailure

log = logging.getLogger("app.hashee")

T = TypeVar("T")

CHANNEL = "hashee"
QUEUE = 8192
"""Commands that may wait for the store."""

KEPT = 60.0
"""Seconds that the event rows of a shared database live."""

REMEMBERED = 20_000
"""Numbers of events that are known to be dispatched, or kept ready to be."""

PER_NOTICE = 400
"""Numbers in one notice, which takes 8,000 bytes."""

DISPATCH_LIMIT = 50_000
"""Numbers heard that may wait to be read."""


@dataclass(slots=True)
class Event:
    """Something that has happened. `to`: principals; `session`: only the sockets of that session of theirs."""

    frame: Frame
    to: tuple[str, ...]
    session: str = ""
    own: bool = True
    """Whether this process has caused it."""
    texts: dict[str, str] = field(default_factory=dict)

    def text(self, profile: Profile) -> str:
        """The frame as a profile sends it."""
        known = self.texts.get(profile.id)
        if known is None:
            known = self.texts[profile.id] = profile.encode(self.frame)
        return known

    def stored(self) -> str:
        """As JSON, for other processes."""
        kept = {"type": self.frame.type, "frame": self.frame.values(), "to": self.to, "session": self.session}
        return orjson.dumps(kept).decode()

    @classmethod
    def of(cls, text: str) -> Event:
        """What `stored` made."""
        kept = orjson.loads(text)
        return cls(BY_TYPE[kept["type"]](**kept["frame"]), tuple(kept["to"]), kept["session"], own=False)


@dataclass(slots=True)
class Tx:
    """What a command has: an open transaction, the moment, ids, and where to tell what has happened. `limits_now`: the
    moment for what limits and locks count, which comes also where the emulated time stands still.
    """

    connection: Connection
    now: float
    limits_now: float
    ids: Ids
    told: list[Event] = field(default_factory=list)

    def tell(self, frame: Frame, *to: str, session: str = "") -> None:
        """Something has happened that concerns `to`."""
        if to:
            self.told.append(Event(frame, to, session))

    def run(self, statement: Any, values: Any = None) -> Any:
        """Executes a statement."""
        return self.connection.execute(statement, values)

    def one(self, statement: Any, values: Any = None) -> Any:
        """The first row, or None."""
        return self.connection.execute(statement, values).first()

    def value(self, statement: Any, values: Any = None) -> Any:
        """The first column of the first row, or None."""
        return self.connection.scalar(statement, values)


Command = Callable[[Tx], T]
Store = Callable[[Tx, Sequence[Event]], None]
"""Writes, in the transaction of the events, what leaves by other ways than sockets."""


@dataclass(frozen=True, slots=True)
class _Ask(Generic[T]):
    command: Command[T]
    now: float
    limits_now: float
    order: str


@dataclass(frozen=True, slots=True)
class _Done:
    value: Any
    failure: Exception | None
    events: list[Event]
    numbers: list[int]


class Ledger:
    """One for a process. `dispatch` gets events, on the event loop, in the order of the commits; `ids` names things."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        limits: LimitClock,
        ids: Ids,
        store: Store,
        dispatch: Callable[[Sequence[Event]], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits
        self._ids = ids
        self._store = store
        self._dispatch = dispatch
        self._group = database.group(self._write, bound=QUEUE, ended=self._ended)
        self._notices = database.notices(CHANNEL, heard=self._heard, again=self._catch_up)
        self._ready: OrderedDict[int, Event] = OrderedDict()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._waiting: list[int] = []
        self._news = asyncio.Event()

    async def do(self, command: Command[T], *, order: str = "") -> T:
        """What the command returns, once it is committed. Commands of the same `order` keep theirs; on a shared
        database the others are sorted by it, so that processes take their locks in one order.

        Raises what the command raised, or `Refused` where the store fails.
        """
        try:
            done = await self._group.add(_Ask(command, self._clock.time(), self._limits.time(), order))
        except StoreFailure as failure:
            log.error("%s", failure)
            raise Refused("UNAVAILABLE") from failure
        if done.failure is not None:
            raise done.failure
        return cast(T, done.value)

    async def see(self, query: Command[T]) -> T:
        """What a command that writes nothing returns."""
        try:
            now, limits_now = self._clock.time(), self._limits.time()
            return await self._database.read(partial(self._read, query, now, limits_now))
        except StoreFailure as failure:
            log.error("%s", failure)
            raise Refused("UNAVAILABLE") from failure

    async def tell(self, *events: Event) -> None:
        """Tells what is not kept: the steps of a stream, who types, who is there."""
        if self._database.exclusive:
            self._dispatch(events)
        else:
            await self.do(lambda tx: tx.told.extend(events))

    def name_anew(self, ids: Ids) -> None:
        """What is made from now on is named by `ids`: with a seed as it was at the beginning."""
        self._ids = ids

    async def watch(self) -> None:
        """Hears the other processes; runs until it is cancelled."""
        if self._notices is None:
            await asyncio.Event().wait()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._notices.run())
            tasks.create_task(self._read_heard())

    async def listening(self) -> None:
        """Returns once other processes are heard; at once where there are none."""
        if self._notices is not None:
            await self._notices.listening.wait()

    def sweep(self, tx: Tx) -> None:
        """Forgets events that every process has heard."""
        tx.run(delete(event_rows).where(event_rows.c.at < tx.now - KEPT))

    # -- in the store's thread -----------------------------------------------------------------------------------------

    def _read(self, query: Command[T], now: float, limits_now: float, connection: Connection) -> T:
        return query(Tx(connection, now, limits_now, self._ids))

    def _write(self, connection: Connection, asks: Sequence[_Ask[Any]]) -> list[_Done]:
        shared = not self._database.exclusive
        order = sorted(range(len(asks)), key=lambda at: asks[at].order) if shared else range(len(asks))
        done: dict[int, _Done] = {}
        numbers: list[int] = []
        for at in order:
            made = done[at] = self._one(connection, asks[at], shared)
            numbers.extend(made.numbers)
        for first in range(0, len(numbers), PER_NOTICE):
            text = ",".join(map(str, numbers[first : first + PER_NOTICE]))
            connection.execute(select(func.pg_notify(CHANNEL, text)))
        return [done[at] for at in range(len(asks))]

    def _one(self, connection: Connection, ask: _Ask[Any], shared: bool) -> _Done:
        """One command, in a savepoint: one that breaks leaves nothing and does not break the others."""
        for last in (False, True):
            tx = Tx(connection, ask.now, ask.limits_now, self._ids)
            nested = connection.begin_nested()
            failure: Exception | None = None
            value: Any = None
            try:
                try:
                    value = ask.command(tx)
                except Refused as refused:
                    failure = refused
                if tx.told:
                    self._store(tx, tx.told)
                numbers = self._number(tx) if shared and tx.told else []
                nested.commit()
                return _Done(value, failure, tx.told, numbers)
            except IntegrityError:  # another process was faster with the same: seen at the second try
                nested.rollback()
                if last:
                    return _Done(None, Refused("ALREADY_EXISTS"), [], [])
            except (OverflowError, orjson.JSONEncodeError) as error:
                nested.rollback()
                log.error("a command holds what cannot be kept: %s", error)
                return _Done(None, Refused("INVALID_REQUEST", "It holds what the store cannot keep"), [], [])
            except DBAPIError as error:
                if not _own_fault(error):
                    raise
                nested.rollback()
                log.error("a command holds what the store cannot: %s", type(error.orig).__name__)
                return _Done(None, Refused("INVALID_REQUEST", "It holds what the store cannot keep"), [], [])
            except Exception as error:  # noqa: BLE001 - it is raised where the command was given
                nested.rollback()
                return _Done(None, error, [], [])
        raise AssertionError("the last try returns")

    def _number(self, tx: Tx) -> list[int]:
        """Writes events for all processes. Their numbers are heard as soon as they are committed, which may be before
        this process goes on: so what it has caused itself is ready before that.
        """
        rows = [{"at": tx.now, "body": event.stored()} for event in tx.told]
        numbers = list(
            tx.connection.scalars(insert(event_rows).returning(event_rows.c.id, sort_by_parameter_order=True), rows)
        )
        self._ready.update(zip(numbers, tx.told, strict=True))
        while len(self._ready) > REMEMBERED:
            self._ready.popitem(last=False)
        return numbers

    # -- on the event loop ---------------------------------------------------------------------------------------------

    def _ended(self, asks: Sequence[_Ask[Any]], results: Sequence[_Done] | None) -> None:
        if results is None or not self._database.exclusive:
            return
        told = [event for done in results for event in done.events]
        if told:
            self._dispatch(told)

    def _heard(self, text: str) -> None:
        if len(self._waiting) > DISPATCH_LIMIT:
            log.error("too far behind the other processes: %d events are not dispatched", len(self._waiting))
            self._waiting.clear()
        self._waiting.extend(map(int, text.split(",")))
        self._news.set()

    async def _read_heard(self) -> None:
        """Dispatches what is heard, in that order; bodies that this process did not write are read."""
        while True:
            await self._news.wait()
            self._news.clear()
            numbers, self._waiting = self._waiting, []
            try:
                await self._dispatch_numbers(numbers)
            except StoreClosed:
                return
            except StoreFailure as failure:
                log.error("events of other processes cannot be read: %s", failure)

    async def _dispatch_numbers(self, numbers: Sequence[int]) -> None:
        fresh = [number for number in dict.fromkeys(numbers) if number not in self._seen]
        found = {number: self._ready.pop(number) for number in fresh if number in self._ready}
        missing = [number for number in fresh if number not in found]
        for first in range(0, len(missing), 500):
            part = missing[first : first + 500]
            rows = await self._database.read(
                lambda connection, part=part: list(  # type: ignore[misc]
                    connection.execute(
                        select(event_rows.c.id, event_rows.c.body).where(event_rows.c.id.in_(part))
                    ).fetchall()
                )
            )
            found |= {number: Event.of(body) for number, body in rows}
        for number in fresh:
            self._seen[number] = None
            self._ready.pop(number, None)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._dispatch([found[number] for number in fresh if number in found])

    async def _catch_up(self) -> None:
        """What was said while nobody listened; not what was there before the first listening."""
        first = not self._seen and not self._ready
        after = self._clock.time() - KEPT
        try:
            numbers = await self._database.read(
                lambda connection: list(
                    connection.scalars(
                        select(event_rows.c.id).where(event_rows.c.at >= after).order_by(event_rows.c.id)
                    )
                )
            )
        except StoreFailure as failure:
            log.error("events of other processes cannot be read: %s", failure)
            return
        if first:
            for number in numbers:
                self._seen[number] = None
        else:
            self._waiting[:0] = numbers
            self._news.set()


def _own_fault(error: DBAPIError) -> bool:
    """Whether a value is wrong (SQLSTATE class 22, data exception), which is not the fault of what shares the
    transaction.
    """
    return str(getattr(error.orig, "sqlstate", None) or "").startswith("22")

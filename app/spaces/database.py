"""The database: opened and migrated once, then transactions. Imports SQLAlchemy: loaded after the port is open.

Work is a function of a SQLAlchemy `Connection`, and the same on both: SQLite runs it in the store's thread, PostgreSQL
on an async engine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InvalidRequestError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.addresses import encoded_url
from app.emulation.determinism import Clock, RealClock
from app.spaces.failures import StoreClosed, StoreUnreachable, TransactionFailed, Trouble
from app.spaces.groups import GroupCommit, Item, Result, Write
from app.spaces.notices import Notices

T = TypeVar("T")
Work = Callable[[Connection], T]

FILE = "chldo.sqlite3"
"""Name of the SQLite file in the data folder."""

PAUSES = (0.05, 0.25, 1.0)
"""Seconds before the second, third and fourth try of a failed transaction."""

Operation = Literal["read", "write"]
Troubles = Callable[[Operation], Trouble | None]

_POINTLESS = (IntegrityError, DataError, ProgrammingError, ArgumentError, InvalidRequestError)


class _Backend(Protocol):
    """What differs between SQLite and PostgreSQL."""

    exclusive: bool
    generation: int
    faults: tuple[type[Exception], ...]

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def listener(self) -> Any: ...
    def transaction(self, work: Work[T], *, write: bool, steady: bool = False) -> Callable[[], Awaitable[T]]: ...
    def trouble(self, kind: Literal["locked", "full"]) -> Work[Any]: ...


class Database:
    """Where spaces and turns are kept.

    url: `sqlite:///path` or `postgresql://user:password@host/name` (also `postgres://` and SQLAlchemy's own spellings);
        None keeps a SQLite file in `folder`.
    exclusive: this process alone writes (SQLite), so what it has cached is true. Should another process write after
        all, `generation` counts up with the next transaction here, and caches of an older generation are void.
    synchronous, busy_timeout: see `SqliteFile`.
    troubles: asked before every operation what is to go wrong with it.
    working: entered for as long as an operation lasts.

    Raises `StoreUnreachable` for an address it cannot use.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        folder: Path | None = None,
        clock: Clock | None = None,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        busy_timeout: float = 2.0,
        pauses: Sequence[float] = PAUSES,
        troubles: Troubles = lambda operation: None,
        working: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._clock = clock or RealClock()
        self._pauses = tuple(pauses)
        self._troubles = troubles
        self._working = working
        self._backend = _backend(_address(url, folder), synchronous, busy_timeout)
        self._faults: tuple[type[Exception], ...] = (SQLAlchemyError, OSError, *self._backend.faults)
        self._groups: list[GroupCommit[Any, Any]] = []
        self._open = False
        self.exclusive = self._backend.exclusive
        self.commits = 0

    @property
    def generation(self) -> int:
        """Changes when another process is found to have written to a database this one thought its own."""
        return self._backend.generation

    async def open(self) -> None:
        """Creates or migrates what needs it. Raises a `StoreFailure` of one line."""
        await self._backend.open()
        self._open = True

    async def close(self) -> None:
        """Commits what waits, then lets go of every connection and thread."""
        for group in self._groups:
            await group.close()
        self._groups.clear()
        self._open = False
        await self._backend.close()

    async def read(self, work: Work[T], *, steady: bool = False) -> T:
        """What `work` reads. `steady`: all its statements see the database as it was at one moment; that is for whoever
        runs the server, whose hand no trouble is to hold.
        """
        return await self._try(work, "read", None if steady else self._troubles("read"), steady=steady)

    async def write(self, work: Work[T], *, administers: bool = False) -> T:
        """What `work` returns, once its transaction is committed. `work` may run several times, the last one counts.

        `administers`: it is for whoever runs the server, whose hand no trouble is to hold.
        """
        result = await self._try(work, "write", None if administers else self._troubles("write"))
        self.commits += 1
        return result

    def group(
        self,
        write: Write[Item, Result],
        *,
        bound: int,
        begun: Callable[[Sequence[Item]], None] = lambda items: None,
        ended: Callable[[Sequence[Item], Sequence[Result] | None], None] = lambda items, results: None,
    ) -> GroupCommit[Item, Result]:
        """A queue of writes that share transactions; `close()` here drains it."""
        group = GroupCommit(self.write, write, bound=bound, begun=begun, ended=ended)
        self._groups.append(group)
        return group

    def notices(
        self, channel: str, *, heard: Callable[[str], None], again: Callable[[], Awaitable[None]]
    ) -> Notices | None:
        """Hears what other processes say on `channel` (NOTIFY); None where there are none. See `Notices`."""
        if self.exclusive:
            return None
        return Notices(
            self._backend.listener, channel, heard=heard, again=again, clock=self._clock, faults=self._backend.faults
        )

    async def _try(self, work: Work[T], operation: Operation, trouble: Trouble | None, *, steady: bool = False) -> T:
        if not self._open:
            raise StoreClosed("the store is not open")
        with self._working():
            return await self._attempts(work, operation, trouble, steady=steady)

    async def _attempts(self, work: Work[T], operation: Operation, trouble: Trouble | None, *, steady: bool) -> T:
        write = operation == "write"
        attempt = self._backend.transaction(work, write=write, steady=steady)
        fails = None if trouble is None else self._backend.transaction(self._backend.trouble(trouble.kind), write=write)
        for number, pause in enumerate((*self._pauses, None)):
            try:
                if fails is not None and trouble is not None and (trouble.tries is None or number < trouble.tries):
                    await fails()
                return await attempt()
            except self._faults as fault:
                if pause is None or not _passing(fault):
                    raise TransactionFailed(f"the store failed: {_reason(fault)}") from fault
                await self._clock.sleep(pause)
        raise AssertionError("the last try returns or raises")


def _address(url: str | None, folder: Path | None) -> URL:
    if url is None:
        if folder is None:
            raise StoreUnreachable("neither an address nor a data folder is given for the store")
        return URL.create("sqlite", database=str(folder / FILE))
    try:
        parsed = make_url(url if url.startswith("sqlite") else encoded_url(url))
    except (ArgumentError, ValueError):
        # The address is not quoted: it may hold a password.
        raise StoreUnreachable("the store's address cannot be read: sqlite:///path or postgresql://host/name") from None
    kind = parsed.drivername.partition("+")[0]
    if kind == "sqlite":
        return parsed.set(drivername="sqlite")
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+asyncpg")
    raise StoreUnreachable(f"the store's address begins with {kind}://, known are sqlite:/// and postgresql://")


def _backend(url: URL, synchronous: str, busy_timeout: float) -> _Backend:
    if url.drivername == "sqlite":
        from app.spaces.sqlite import SqliteFile

        return SqliteFile(url, synchronous=synchronous, busy_timeout=busy_timeout)
    from app.spaces.postgres import PostgresServer

    return PostgresServer(url)


def _passing(fault: Exception) -> bool:
    """Whether the same transaction may succeed later: a lock, a full disk, a lost connection; not a wrong statement."""
    if isinstance(fault, PoolTimeout):
        return True
    if isinstance(fault, SQLAlchemyError):
        return isinstance(fault, DBAPIError) and not isinstance(fault, _POINTLESS)
    return True


def _reason(fault: Exception) -> str:
    text = str(getattr(fault, "orig", None) or fault) or type(fault).__name__
    # asyncpg's errors come with the class in front: "<class '…'>: the message".
    return text.partition("\n")[0].rpartition("'>: ")[2]

"""SQLite: one file, one connection, one thread. Imports SQLAlchemy.

Every statement runs in the store's own thread, on a plain (not async) SQLAlchemy engine: measured against the async
engine over aiosqlite, which crosses threads once per driver call, a transaction costs a quarter of the CPU time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from app.spaces.failures import NotADatabase, StoreClosed, StoreFailure, StoreUnreachable
from app.spaces.schema import settle

T = TypeVar("T")

_TROUBLES = {
    "locked": ("database is locked", "SQLITE_BUSY"),
    "full": ("database or disk is full", "SQLITE_FULL"),
}
_WAL_TRIES = 10
_WAL_LIMIT = 64 * 1024 * 1024


class SqliteFile:
    """The database in a file (or, without a path in the address, in memory).

    synchronous: NORMAL keeps every commit through a crash or kill of the process; FULL also through a power cut, for
        one fsync a transaction.
    busy_timeout: seconds a transaction waits for another process's lock.
    """

    exclusive = True
    faults: tuple[type[Exception], ...] = ()

    def __init__(self, url: URL, *, synchronous: str, busy_timeout: float) -> None:
        self._url = url
        self._path = Path(url.database) if url.database not in (None, "", ":memory:") else None
        self._pragmas = {
            "busy_timeout": str(round(busy_timeout * 1000)),
            "synchronous": synchronous,
            "foreign_keys": "ON",
            "journal_size_limit": str(_WAL_LIMIT),
            "temp_store": "MEMORY",  # the data folder may be the only place that can be written to
        }
        self._thread: ThreadPoolExecutor | None = None
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._begin = "BEGIN"
        self._version = 0
        self.generation = 0

    async def open(self) -> None:
        """Opens the file, migrates it, leaves one connection open in the store's thread."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connect)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Lets the running transaction end, then closes the connection and ends the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(thread, self._disconnect)
        finally:
            thread.shutdown(wait=True)

    def transaction(
        self, work: Callable[[Connection], T], *, write: bool, steady: bool = False
    ) -> Callable[[], Awaitable[T]]:
        """A function that tries the transaction once and may be called again when that failed. All are steady here."""
        return partial(self._attempt, work, "BEGIN IMMEDIATE" if write else "BEGIN")

    async def listener(self) -> None:
        """Nobody else writes: there is nothing to listen to."""

    def trouble(self, kind: Literal["locked", "full"]) -> Callable[[Connection], None]:
        """Work that raises what the driver does when another process holds the file, or its disk is full."""
        message, name = _TROUBLES[kind]

        def work(connection: Connection) -> None:
            fault = sqlite3.OperationalError(message)
            fault.sqlite_errorname = name
            fault.sqlite_errorcode = getattr(sqlite3, name)
            raise OperationalError(self._begin, None, fault, hide_parameters=True)

        return work

    async def _attempt(self, work: Callable[[Connection], T], begin: str) -> T:
        if self._thread is None:
            raise StoreClosed("the store is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work, begin)

    def _transact(self, work: Callable[[Connection], T], begin: str) -> T:
        connection = self._connection
        if connection is None:
            raise StoreClosed("the store is not open")
        self._begin = begin
        with connection.begin():
            self._watch(connection)
            return work(connection)

    def _watch(self, connection: Connection) -> None:
        """Counts up `generation` where another connection has written since the last look: caches are then void."""
        driver: Any = connection.connection.driver_connection
        (version,) = driver.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self.generation += 1

    def _connect(self) -> None:
        try:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # It holds keys, and SQLite gives its other files the mode of this one. What cannot be made or is
                # there already is for SQLite to judge.
                with contextlib.suppress(OSError):
                    os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            # Opened and closed by the one thread, but a closing interpreter may collect it elsewhere.
            engine = create_engine(
                self._url, poolclass=NullPool, hide_parameters=True, connect_args={"check_same_thread": False}
            )
            self._engine = engine
            event.listen(engine, "connect", self._prepare)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(self._begin))
            self._connection = connection = engine.connect()
            self._journal(connection)
            self._begin = "BEGIN IMMEDIATE"
            with connection.begin():
                settle(connection)
            self._watch(connection)
        except (OSError, DBAPIError, sqlite3.Error) as fault:
            raise self._explain(fault) from fault

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        engine, self._engine = self._engine, None
        if connection is not None:
            connection.close()
        if engine is not None:
            engine.dispose()

    def _prepare(self, driver: Any, _record: object) -> None:
        # The driver's own BEGIN would come late and be deferred; `_begin` says which one a transaction needs.
        driver.isolation_level = None
        for name, value in self._pragmas.items():
            driver.execute(f"PRAGMA {name} = {value}").close()

    def _journal(self, connection: Connection) -> None:
        """Switches the file to write-ahead logging, once in its life.

        SQLite does not wait here when another process switches too, so this waits for that one's lock and looks again.
        """
        driver: Any = connection.connection.driver_connection
        for attempt in range(_WAL_TRIES):
            try:
                if driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    driver.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as fault:
                if fault.sqlite_errorname != "SQLITE_BUSY" or attempt == _WAL_TRIES - 1:
                    raise
                driver.execute("BEGIN IMMEDIATE").close()
                driver.execute("ROLLBACK").close()

    def _explain(self, fault: OSError | DBAPIError | sqlite3.Error) -> StoreFailure:
        where = self._path or "in memory"
        if isinstance(fault, OSError):
            return StoreUnreachable(f"the data folder {fault.filename or where} cannot be used: {fault.strerror}")
        reason = fault.orig if isinstance(fault, DBAPIError) else fault
        name = getattr(reason, "sqlite_errorname", "")
        if name == "SQLITE_NOTADB":
            return NotADatabase(f"{where} is not a SQLite database")
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
            return StoreUnreachable(f"the database {where} cannot be written: {reason}")
        return StoreUnreachable(f"the database {where} cannot be opened: {reason}")

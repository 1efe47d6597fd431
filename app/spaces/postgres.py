"""PostgreSQL through SQLAlchemy's async engine and asyncpg. Imports SQLAlchemy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import URL, Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.extras import install_extra
from app.spaces.failures import StoreClosed, StoreFailure, StoreUnreachable
from app.spaces.schema import is_settled, settle

T = TypeVar("T")

CONNECT_TIMEOUT = 5.0
"""Seconds to reach the server, and to wait for a free connection of the pool."""

STATEMENT_TIMEOUT = 10.0
"""Seconds one statement may take."""

CLOSE_TIMEOUT = 2.0
"""Seconds the server may take to say goodbye; then the connections are dropped."""

MIGRATION_TIMEOUT = 120
"""Seconds to wait for another process that migrates, and for one statement of a migration."""

_TROUBLES = {
    "locked": ("55P03", "canceling statement due to lock timeout"),
    "full": ("53100", "could not extend file: No space left on device"),
}

_MIGRATION_LOCK = 0x63686C646F


class PostgresServer:
    """A database on a PostgreSQL server, shared with other processes."""

    exclusive = False
    generation = 0

    def __init__(self, url: URL) -> None:
        try:
            import asyncpg
        except ModuleNotFoundError as missing:
            raise StoreUnreachable(f"the store is on PostgreSQL: {install_extra('postgres')}") from missing
        self.faults: tuple[type[Exception], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError)
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        query = dict(url.query)
        if "sslmode" in query:
            query["ssl"] = query.pop("sslmode")
        self._url = url.set(query=query)
        self._engine: AsyncEngine | None = None

    async def open(self) -> None:
        """Connects once to see that it works, and migrates where needed."""
        self._engine = create_async_engine(
            self._url,
            hide_parameters=True,
            pool_size=5,
            max_overflow=5,
            pool_timeout=CONNECT_TIMEOUT,
            pool_recycle=1800,
            connect_args={"timeout": CONNECT_TIMEOUT, "command_timeout": STATEMENT_TIMEOUT},
        )
        try:
            async with self._engine.connect() as connection:
                settled = await connection.run_sync(is_settled)
            if not settled:
                thread = ThreadPoolExecutor(1, thread_name_prefix="store-migration")
                try:
                    await asyncio.get_running_loop().run_in_executor(thread, lambda: asyncio.run(self._migrate()))
                finally:
                    thread.shutdown(wait=False)
        except BaseException as fault:
            await self.close()
            if isinstance(fault, (SQLAlchemyError, OSError, TypeError, *self.faults)):
                raise self._explain(fault) from fault
            raise

    async def close(self) -> None:
        """Closes every connection."""
        engine, self._engine = self._engine, None
        if engine is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await engine.dispose()

    def transaction(
        self, work: Callable[[Connection], T], *, write: bool, steady: bool = False
    ) -> Callable[[], Awaitable[T]]:
        """A function that tries the transaction once and may be called again when that failed."""
        return _Transaction(self.engine, work).attempt if write else _Reading(self.engine, work, steady).attempt

    def trouble(self, kind: Literal["locked", "full"]) -> Callable[[Connection], None]:
        """Work that lets the server itself raise what it does for a lock held by others, or a full disk."""
        code, message = _TROUBLES[kind]
        raising = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = '{message}'; END $$"

        def work(connection: Connection) -> None:
            connection.exec_driver_sql(raising)

        return work

    async def listener(self) -> Any:
        """A connection of asyncpg's own, outside the pool, that may listen."""
        import asyncpg

        return await asyncpg.connect(self._dsn, timeout=CONNECT_TIMEOUT, command_timeout=STATEMENT_TIMEOUT)

    def engine(self) -> AsyncEngine:
        """The open engine."""
        if self._engine is None:
            raise StoreClosed("the store is not open")
        return self._engine

    async def _migrate(self) -> None:
        """Runs on an event loop of its own, in a thread: Alembic computes for a while."""
        engine = create_async_engine(
            self._url,
            hide_parameters=True,
            poolclass=NullPool,
            connect_args={"timeout": CONNECT_TIMEOUT, "command_timeout": MIGRATION_TIMEOUT},
        )
        try:
            async with engine.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                await connection.run_sync(settle)
        finally:
            await engine.dispose()

    def _explain(self, fault: BaseException) -> StoreFailure:
        where = f"PostgreSQL at {self._url.host or 'localhost'}:{self._url.port or 5432}/{self._url.database or ''}"
        if isinstance(fault, TimeoutError):
            return StoreUnreachable(f"{where} does not answer")
        reason = str(getattr(fault, "orig", None) or fault).partition("\n")[0]
        return StoreUnreachable(f"{where} cannot be used: {reason}")


class _Reading(Generic[T]):
    """Queries; without a transaction around them, which would cost two more round trips, unless they must be steady."""

    def __init__(self, engine: Callable[[], AsyncEngine], work: Callable[[Connection], T], steady: bool) -> None:
        self._engine = engine
        self._work = work
        self._level: Literal["REPEATABLE READ", "AUTOCOMMIT"] = "REPEATABLE READ" if steady else "AUTOCOMMIT"

    async def attempt(self) -> T:
        engine = self._engine().execution_options(isolation_level=self._level)
        async with engine.connect() as connection:
            return await connection.run_sync(self._work)


class _Transaction(Generic[T]):
    """One transaction, tried until it is known whether it was committed.

    A connection that is lost during COMMIT leaves that open. The server can tell afterwards, by the number of the
    transaction; without asking, a retry might charge twice or save a turn twice.
    """

    def __init__(self, engine: Callable[[], AsyncEngine], work: Callable[[Connection], T]) -> None:
        self._engine = engine
        self._work = work
        self._doubt: tuple[int, T] | None = None

    async def attempt(self) -> T:
        async with self._engine().connect() as connection:
            if self._doubt is not None:
                number, result = self._doubt
                status: Any = await connection.scalar(text("SELECT txid_status(:number)"), {"number": number})
                if status == "committed":
                    return result
                if status == "in progress":
                    raise TimeoutError("PostgreSQL has not yet decided about a commit")
                self._doubt = None
                await connection.rollback()
            async with connection.begin() as transaction:
                opened: Any = await connection.scalar(select(func.txid_current()))
                result = await connection.run_sync(self._work)
                self._doubt = opened, result
                await transaction.commit()
            return result

"""Two worlds for the store's tests: a SQLite file always, PostgreSQL where `CHLDO_TEST_DATABASE_URL` names a server."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest

from app.emulation.determinism import Ids
from app.spaces.database import Database

T = TypeVar("T")

TABLES = "spaces, api_keys, lore, memories, rooms, turns, fired, messages, sessions, users, scenarios"
EMPTY = f"TRUNCATE {TABLES} RESTART IDENTITY"

SERVER = os.environ.get("CHLDO_TEST_DATABASE_URL")


def apart(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine run on an event loop of its own, away from pytest's."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(asyncio.run(work)))
    thread.start()
    thread.join()
    return results[0]


async def command(address: str, *statements: str) -> list[Any]:
    """Runs statements on a PostgreSQL server; the rows of the last."""
    import asyncpg

    connection = await asyncpg.connect(address)
    try:
        rows: list[Any] = []
        for statement in statements:
            rows = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


@dataclass
class World:
    """One kind of database. `address` is None for a SQLite file in `folder`."""

    kind: str
    address: str | None
    folder: Path
    stack: AsyncExitStack

    def database(self, **options: Any) -> Database:
        """A database of this world, not yet open."""
        return Database(self.address, folder=self.folder, **options)

    async def opened(self, **options: Any) -> Database:
        """A database of this world, closed when the test ends."""
        database = self.database(**options)
        await database.open()
        self.stack.push_async_callback(database.close)
        return database


@pytest.fixture(scope="session")
def empty_database() -> Iterator[Callable[[], str]]:
    """Makes databases with nothing in them on the PostgreSQL server; they are dropped when the tests end."""
    if SERVER is None:
        pytest.skip("CHLDO_TEST_DATABASE_URL is not set")
    server = SERVER
    made: list[str] = []

    def make() -> str:
        name = f"chldo_spaces_{Ids().hexadecimal(12)}"
        apart(command(server, f'CREATE DATABASE "{name}"'))
        made.append(name)
        parts = urlsplit(server)
        return urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))

    yield make
    for name in made:
        apart(command(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(scope="session")
def migrated_database(empty_database: Callable[[], str]) -> str:
    """The address of one PostgreSQL database with the schema in it."""
    address = empty_database()

    async def migrate() -> None:
        database = Database(address)
        await database.open()
        await database.close()

    apart(migrate())
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """The same test body runs in each."""
    address = None
    if request.param == "postgresql":
        address = request.getfixturevalue("migrated_database")
        await command(address, EMPTY)
    async with AsyncExitStack() as stack:
        yield World(request.param, address, tmp_path, stack)


@pytest.fixture
async def postgres(migrated_database: str, tmp_path: Path) -> AsyncIterator[World]:
    """PostgreSQL alone, for what SQLite does not have."""
    await command(migrated_database, EMPTY)
    async with AsyncExitStack() as stack:
        yield World("postgresql", migrated_database, tmp_path, stack)


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[World]:
    """A SQLite file alone, for what PostgreSQL does not have."""
    async with AsyncExitStack() as stack:
        yield World("sqlite", None, tmp_path, stack)

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, Table, create_engine, text

from app.emulation.determinism import Signal, VirtualClock
from app.spaces.database import FILE, Database
from app.spaces.failures import NotADatabase, SchemaTooNew, StoreClosed, StoreUnreachable, TransactionFailed
from app.spaces.history import History
from app.spaces.models import RoomWindow
from app.spaces.store import SpaceStore
from app.spaces.tables import HEAD, metadata
from tests.spaces.conftest import World
from tests.spaces.samples import LORE, count_turns, seed, space, turn


async def test_models_and_migrations_agree(world: World) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await (await world.opened()).read(differences) == []


async def test_a_model_without_its_migration_would_be_noticed(sqlite: World) -> None:
    def differences(connection: Connection) -> list[object]:
        Table("forgotten", more)
        return list(compare_metadata(MigrationContext.configure(connection), more))

    more = type(metadata)()
    for table in metadata.tables.values():
        table.to_metadata(more)
    assert await (await sqlite.opened()).read(differences) != []


def test_the_newest_revision_is_the_one_the_program_names() -> None:
    config = Config()
    config.set_main_option("script_location", "app.spaces:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def migrate(connection: Connection, revision: str) -> None:
    """Brings an empty database to an older schema."""
    config = Config()
    config.set_main_option("script_location", "app.spaces:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


FIRST = (
    "INSERT INTO spaces VALUES ('a', 'org_a', '데모', 700, 5, 1, true, 'ko', 'scripted', 'companion', '', true, 3)",
    "INSERT INTO api_keys VALUES ('k1', 'a', true)",
    "INSERT INTO rooms VALUES ('a', 'r', 1)",
    "INSERT INTO turns (space_uid, room_uid, began, user_id, msg, reply, visitor_name, language, revision, cost)"
    " VALUES ('a', 'r', 9, 'u1', '안녕', '응!', '', 'ko', '2024-11-13', 5)",
)
"""What a database of the first schema may hold."""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_database_of_the_first_schema_keeps_everything(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    address = request.getfixturevalue("empty_database")() if kind == "postgresql" else f"sqlite:///{tmp_path / FILE}"

    def prepare() -> None:
        engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
        with engine.begin() as connection:
            migrate(connection, "0001")
            for statement in FIRST:
                connection.execute(text(statement))

    await asyncio.to_thread(prepare)
    database = Database(address)
    async with AsyncExitStack() as stack:
        await database.open()
        stack.push_async_callback(database.close)
        store = SpaceStore(database, clock=VirtualClock())
        found = await store.by_key("k1")
        assert found is not None
        assert found[0] == space("a", credit=700, credit_per_turn=5, prompt="", default=True)
        history = History(database)
        await history.start()
        old = turn(9, "응!", revision="2024-11-13", cost=5)
        assert await history.window("a", "r") == RoomWindow((old,), 1)
        await store.seed([seed("a", "k1", **LORE)])
        new = turn(10, hotwords=(LORE["memories"][0].uid,))
        await history.save("a", "r", new)
        assert await History(database).window("a", "r") == RoomWindow((old, new), 2, frozenset(new.hotwords))
        assert (await SpaceStore(database, clock=VirtualClock()).default()).memories == LORE["memories"]


async def test_a_second_open_finds_everything_and_needs_no_alembic(world: World) -> None:
    first = await world.opened()
    history = History(first)
    await history.start()
    await history.save("s", "r", turn())
    await first.close()
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-W", "error", "-m", "tests.spaces.opening", world.address or "-", str(world.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert await process.communicate(b"\n") == (b"waiting\nopened False\n", b"")
    assert await count_turns(await world.opened()) == 1


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_address(request: pytest.FixtureRequest) -> str:
    """Where nothing has been opened yet; `-` is a file in the test's folder."""
    if request.param == "sqlite":
        return "-"
    make: Callable[[], str] = request.getfixturevalue("empty_database")
    return make()


def test_processes_that_open_at_once_do_not_race(fresh_address: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.spaces.opening", fresh_address, str(tmp_path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(4)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        results = [process.communicate() for process in processes]
    assert [errors for _, errors in results] == [""] * 4
    assert all(output.startswith("opened") for output, _ in results)


async def test_two_databases_are_migrated_at_once_in_one_process(tmp_path: Path) -> None:
    databases = [Database(folder=tmp_path / name) for name in "abc"]
    await asyncio.gather(*[database.open() for database in databases])
    for database in databases:
        assert await count_turns(database) == 0
        await database.close()


async def test_a_schema_from_the_future_is_refused(world: World) -> None:
    database = await world.opened()

    def move(revision: str) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})

        return work

    await database.write(move("9999"))
    try:
        with pytest.raises(SchemaTooNew, match="schema 9999, made by a newer version") as raised:
            await world.database().open()
        assert "\n" not in str(raised.value)
    finally:
        await database.write(move(HEAD))


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("나는 데이터베이스가 아니에요. " * 50)
    with pytest.raises(NotADatabase, match=FILE):
        await Database(folder=tmp_path).open()
    assert (tmp_path / FILE).read_text().startswith("나는")


async def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnreachable, match="file cannot be used: "):
        await Database(folder=tmp_path / "file").open()


@contextlib.contextmanager
def plain_user() -> Iterator[None]:
    """Whom permissions bind: not root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach too, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
        Path(name).chmod(0o755)


def allow(path: Path, mode: int) -> None:
    path.chmod(mode)


@pytest.mark.parametrize("file_exists", [False, True])
async def test_a_folder_without_write_permission_is_named(file_exists: bool, open_folder: Path) -> None:
    if file_exists:
        database = Database(folder=open_folder)
        await database.open()
        await database.close()
        allow(open_folder / FILE, 0o444)
    allow(open_folder, 0o555)
    database = Database(folder=open_folder)
    with plain_user(), pytest.raises(StoreUnreachable, match=r"cannot be (written|opened)") as raised:
        await database.open()
    assert str(open_folder) in str(raised.value)
    assert "\n" not in str(raised.value)


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_the_files_hold_keys_and_are_for_their_owner_only(tmp_path: Path) -> None:
    database = Database(folder=tmp_path)
    await database.open()
    try:
        await database.write(lambda connection: connection.execute(text("UPDATE spaces SET credit = 0")))
        modes = modes_in(tmp_path)
    finally:
        await database.close()
    assert set(modes.values()) == {0o600}
    assert f"{FILE}-wal" in modes


async def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    database = Database(folder=tmp_path / "a b" / "데이터 100%")
    await database.open()
    await database.close()
    assert (tmp_path / "a b" / "데이터 100%" / FILE).exists()


async def test_a_server_that_refuses_is_named_without_the_password() -> None:
    with pytest.raises(StoreUnreachable, match=r"127\.0\.0\.1:1/space") as raised:
        await Database("postgresql://u:hunter2@127.0.0.1:1/space").open()
    assert "\n" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("password", ["hunter2@se/cret", "hunter2/se", "hunter2?se#cret", "@hunter2/@", "/hunter2:se"])
async def test_a_password_that_is_not_percent_encoded_is_not_quoted_either(password: str) -> None:
    with pytest.raises(StoreUnreachable, match=r"^PostgreSQL at 127\.0\.0\.1:1/space ") as raised:
        await Database(f"postgresql://u:{password}@127.0.0.1:1/space").open()
    assert "hunter2" not in str(raised.value)
    assert "cret" not in str(raised.value)


async def test_a_database_the_server_does_not_have_is_named(migrated_database: str) -> None:
    with pytest.raises(StoreUnreachable, match=r"nowhere.* does not exist"):
        await Database(urlunsplit(urlsplit(migrated_database)._replace(path="/nowhere"))).open()


@pytest.mark.parametrize(
    "address", ["mysql://u:hunter2@localhost/x", "::hunter2::", "", "postgresql://u:hunter2@host:port/x", "hunter2"]
)
def test_an_address_of_another_kind_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(StoreUnreachable, match="postgresql://") as raised:
        Database(address)
    assert "hunter2" not in str(raised.value)


def test_neither_address_nor_folder_is_refused() -> None:
    with pytest.raises(StoreUnreachable):
        Database()


@pytest.mark.parametrize("spelling", ["sqlite:///{}", "sqlite+aiosqlite:///{}", "sqlite+pysqlite:///{}"])
async def test_a_sqlite_file_may_be_spelt_in_several_ways(spelling: str, tmp_path: Path) -> None:
    database = Database(spelling.format(tmp_path / "x.db"))
    assert database.exclusive
    await database.open()
    await database.close()
    assert (tmp_path / "x.db").exists()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
@pytest.mark.parametrize("query", ["", "sslmode=disable"])
async def test_a_postgresql_server_may_be_spelt_in_several_ways(
    scheme: str, query: str, migrated_database: str
) -> None:
    parts = urlsplit(migrated_database)
    database = Database(urlunsplit((scheme, parts.netloc, parts.path, query, "")))
    assert not database.exclusive
    await database.open()
    await database.close()


async def test_a_database_in_memory_works_while_it_is_open() -> None:
    database = Database("sqlite://")
    await database.open()
    assert await count_turns(database) == 0
    await database.close()


async def test_the_file_is_kept_in_write_ahead_mode(sqlite: World) -> None:
    await sqlite.opened()
    with closing(sqlite3.connect(sqlite.folder / FILE)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_new_file_locked_by_another_program_is_waited_for(sqlite: World) -> None:
    with closing(sqlite3.connect(sqlite.folder / FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE theirs (x)")
        asyncio.get_running_loop().call_later(0.2, other.commit)
        assert await count_turns(await sqlite.opened()) == 0


async def test_a_file_locked_for_long_is_named(sqlite: World) -> None:
    with closing(sqlite3.connect(sqlite.folder / FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnreachable, match="database is locked"):
            await sqlite.database(busy_timeout=0.01).open()


@pytest.mark.parametrize(("synchronous", "level"), [("NORMAL", 1), ("FULL", 2)])
async def test_the_choice_of_synchronous_reaches_sqlite(sqlite: World, synchronous: str, level: int) -> None:
    database = await sqlite.opened(synchronous=synchronous)
    assert await database.read(lambda connection: connection.exec_driver_sql("PRAGMA synchronous").scalar()) == level


async def test_closing_leaves_no_thread_no_task_and_no_log_file(world: World) -> None:
    others = set(threading.enumerate())  # servers that tests share have stores, too
    database = await world.opened()
    await count_turns(database)
    await database.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("store") and one not in others]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not list(world.folder.glob("*-wal"))
    await database.close()


async def test_use_outside_of_open_and_close_is_refused(world: World) -> None:
    database = world.database()
    with pytest.raises(StoreClosed):
        await count_turns(database)
    await database.open()
    await database.close()
    with pytest.raises(StoreClosed):
        await count_turns(database)


async def test_a_closed_database_opens_again(world: World) -> None:
    database = await world.opened()
    await database.close()
    await database.open()
    assert await count_turns(database) == 0


async def test_a_wrong_statement_is_not_tried_again(world: World) -> None:
    class Counting(VirtualClock):
        pauses = 0

        async def sleep(self, seconds: float, unless: Signal | None = None) -> None:
            self.pauses += 1

    clock = Counting()
    database = await world.opened(clock=clock)

    def work(connection: Connection) -> None:
        connection.execute(
            metadata.tables["rooms"].insert(), [{"space_uid": "s", "room_uid": "r", "saved": 1} for _ in range(2)]
        )

    with pytest.raises(TransactionFailed):
        await database.write(work)
    assert clock.pauses == 0


def test_the_models_are_cheap_to_import() -> None:
    code = "import app.spaces.models, sys; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from app.emulation.determinism import RealClock, Signal, VirtualClock
from app.spaces.database import FILE, Database
from app.spaces.failures import QueueFull, StoreClosed, TransactionFailed
from app.spaces.history import History
from app.spaces.models import RoomWindow
from tests.spaces.conftest import World, command
from tests.spaces.samples import SlowAnswers, at_once, count_turns, turn


async def started(database: Database, **options: Any) -> History:
    history = History(database, **options)
    await history.start()
    return history


async def test_a_room_nobody_has_talked_in_is_empty(world: World) -> None:
    history = await started(await world.opened())
    assert await history.window("s", "r") == RoomWindow((), 0)


async def test_a_saved_turn_is_read_back_whole(world: World) -> None:
    history = await started(await world.opened())
    full = turn(
        visitor_name="철수",
        language="ja",
        filename="고양이.jpg",
        scene_number=7,
        revision="2024-11-13",
        cost=30,
        hotwords=("b" * 17, "a" * 17),
    )
    bare = turn(2, msg=None)
    await history.save("s", "r", full)
    await history.save("s", "r", bare)
    cold = await started(await world.opened())
    assert (
        await cold.window("s", "r")
        == await history.window("s", "r")
        == RoomWindow((full, bare), 2, frozenset(full.hotwords))
    )


async def test_a_window_holds_the_last_turns_oldest_first(world: World) -> None:
    history = await started(await world.opened(), window=3)
    for began in range(1, 8):
        await history.save("s", "r", turn(began))
        await history.window("s", "r")
    window = await history.window("s", "r")
    assert [one.began for one in window.turns] == [5, 6, 7]
    assert window.saved == 7


async def test_a_window_of_none_still_counts(world: World) -> None:
    history = await started(await world.opened(), window=0)
    await history.save("s", "r", turn())
    assert await history.window("s", "r") == RoomWindow((), 1)
    await history.save("s", "r", turn())
    assert await history.window("s", "r") == RoomWindow((), 2)


async def test_turns_are_kept_in_the_order_in_which_they_began(world: World) -> None:
    history = await started(await world.opened(), window=4)
    await history.window("s", "r")
    for began, reply in [(5, "a"), (3, "b"), (5, "c"), (1, "d"), (4, "e")]:
        await history.save("s", "r", turn(began, reply))
    cold = await started(await world.opened(), window=4)
    for reader in (history, cold):
        window = await reader.window("s", "r")
        assert [one.reply for one in window.turns] == ["b", "e", "a", "c"]
        assert window.saved == 5


async def test_the_same_room_uid_in_two_spaces_is_two_rooms(world: World) -> None:
    history = await started(await world.opened())
    await asyncio.gather(history.save("s1", "r", turn(1)), history.save("s2", "r", turn(2)))
    assert [one.began for one in (await history.window("s1", "r")).turns] == [1]
    assert [one.began for one in (await history.window("s2", "r")).turns] == [2]


rooms = itertools.count()
TURNS = st.tuples(st.integers(0, 3), st.lists(st.sampled_from("abcd"), max_size=2, unique=True))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(TURNS, max_size=6), max_size=5), st.integers(0, 4), st.booleans())
async def test_a_cold_read_equals_a_hot_one(
    world: World, groups: list[list[tuple[int, list[str]]]], length: int, read_first: bool
) -> None:
    database = await world.opened()
    hot, cold = await started(database, window=length), await started(database, window=length)
    room = f"room {next(rooms)}"
    if read_first:
        await hot.window("s", room)
    names = map(str, itertools.count())
    for group in groups:
        await asyncio.gather(
            *[hot.save("s", room, turn(began, next(names), hotwords=tuple(uids))) for began, uids in group]
        )
        await hot.window("s", room)
    window = await hot.window("s", room)
    assert window == await cold.window("s", room)
    assert window.fired == {uid for group in groups for _, uids in group for uid in uids}
    await database.close()


@pytest.mark.parametrize(
    "text", ["안녕하세요 😀👩‍👩‍👧", "tab\tnew\nline\r\x01", "it's; DROP TABLE turns --", "ﬀ\u0301\u200d\ufeff", ""]
)
async def test_text_comes_back_as_it_was(world: World, text: str) -> None:
    history = await started(await world.opened())
    await history.save("s", text, turn(msg=text, reply=text, user_id=text))
    cold = await started(await world.opened())
    assert (await cold.window("s", text)).turns == (turn(msg=text, reply=text, user_id=text),)


async def test_nul_is_left_out_and_half_characters_are_replaced_hot_and_cold(world: World) -> None:
    history = await started(await world.opened())
    await history.window("s\0", "r\0")
    await history.save("s\0", "r\0", turn(msg="a\0b", reply="\ud83d", user_id="\0"))
    cold = await started(await world.opened())
    for reader in (history, cold):
        assert (await reader.window("s\0", "r\0")).turns == (turn(msg="ab", reply="\ufffd", user_id=""),)


async def test_a_long_reply_comes_back_whole(world: World) -> None:
    history = await started(await world.opened())
    long = turn(reply="가나다라마바사 " * 12_800)
    await history.save("s", "r", long)
    cold = await started(await world.opened())
    assert (await cold.window("s", "r")).turns == (long,)


async def test_a_number_too_large_is_refused_without_harm_to_others(world: World) -> None:
    history = await started(await world.opened())
    results = await asyncio.gather(
        history.save("s", "r", turn(scene_number=2**63)), history.save("s", "r", turn()), return_exceptions=True
    )
    assert isinstance(results[0], ValueError)
    assert results[1] is None
    assert (await history.window("s", "r")).saved == 1


async def test_saves_that_wait_share_a_transaction(world: World) -> None:
    database = await world.opened()
    history = await started(database)
    before = database.commits
    await asyncio.gather(*[history.save("s", f"r{number % 7}", turn(number)) for number in range(100)])
    assert database.commits == before + 1
    assert await count_turns(database) == 100


async def test_a_save_cancelled_before_its_transaction_leaves_no_row(world: World) -> None:
    database = await world.opened()
    history = await started(database)
    await history.window("s", "r")
    tasks = [asyncio.create_task(history.save("s", "r", turn(number))) for number in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    cold = await started(database)
    for reader in (history, cold):
        window = await reader.window("s", "r")
        assert [one.began for one in window.turns] == [1, 3, 5, 7, 9]
        assert window.saved == 5


async def test_close_commits_what_waits(world: World) -> None:
    database = await world.opened()
    history = await started(database)
    tasks = [asyncio.create_task(history.save("s", "r", turn(number))) for number in range(50)]
    await asyncio.sleep(0)
    await history.close()
    await asyncio.gather(*tasks)
    assert await count_turns(database) == 50
    with pytest.raises(StoreClosed):
        await history.save("s", "r", turn())


async def test_closing_the_database_commits_what_waits(world: World) -> None:
    database = await world.opened()
    history = await started(database)
    tasks = [asyncio.create_task(history.save("s", "r", turn(number))) for number in range(50)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*tasks)
    assert await count_turns(await world.opened()) == 50


async def test_a_save_before_start_is_refused(world: World) -> None:
    history = History(await world.opened())
    with pytest.raises(StoreClosed):
        await history.save("s", "r", turn())


async def test_the_queue_is_bounded(world: World) -> None:
    history = await started(await world.opened(), queue=3)
    results = await asyncio.gather(
        *[history.save("s", "r", turn(number)) for number in range(5)], return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None)] * 3 + [QueueFull] * 2
    assert (await history.window("s", "r")).saved == 3


async def test_a_room_in_memory_is_answered_without_a_thread(sqlite: World) -> None:
    history = await started(await sqlite.opened())
    await history.window("s", "r")
    await history.save("s", "r", turn())
    assert at_once(history.window("s", "r")) == RoomWindow((turn(),), 1)


async def test_a_window_read_before_a_save_is_not_remembered_after_it(sqlite: World) -> None:
    database = await sqlite.opened()
    history = await started(database)
    answers = SlowAnswers(database)
    reading = asyncio.create_task(history.window("s", "r"))
    await answers.read.wait()
    await history.save("s", "r", turn())
    answers.release.set()
    assert (await reading).saved == 0
    assert (await history.window("s", "r")).saved == 1


async def test_a_window_read_during_a_save_is_not_remembered_after_it(sqlite: World) -> None:
    database = await sqlite.opened()
    history = await started(database)
    answers = SlowAnswers(database)
    saves, reads = history._saves, []
    assert saves is not None

    async def transact(work: Any) -> Any:
        reads.append(asyncio.create_task(history.window("s", "r")))
        await answers.read.wait()
        return await database.write(work)

    saves._transact = transact
    await history.save("s", "r", turn())
    answers.release.set()
    assert (await reads[0]).saved == 0
    assert (await history.window("s", "r")).saved == 1


async def test_rooms_out_of_memory_are_read_again(world: World) -> None:
    history = await started(await world.opened(), rooms=2)
    for number in range(30):
        room = f"r{number % 5}"
        await history.window("s", room)
        await history.save("s", room, turn(number))
    for number in range(5):
        window = await history.window("s", f"r{number}")
        assert [one.began for one in window.turns] == list(range(number, 30, 5))


async def test_a_shared_database_shows_what_another_program_saved(postgres: World) -> None:
    mine, other = await started(await postgres.opened()), await started(await postgres.opened())
    await mine.save("s", "r", turn(1))
    await other.save("s", "r", turn(2))
    assert (await mine.window("s", "r")).saved == (await other.window("s", "r")).saved == 2


async def test_what_another_program_saved_shows_after_the_next_transaction(sqlite: World) -> None:
    mine, other = await started(await sqlite.opened()), await started(await sqlite.opened())
    await mine.window("s", "r")
    await other.save("s", "r", turn(1))
    await mine.save("s", "elsewhere", turn(2))
    assert [one.began for one in (await mine.window("s", "r")).turns] == [1]


async def test_two_programs_count_the_same_rooms_without_deadlock(world: World) -> None:
    clock = VirtualClock()
    mine, other = [await started(await world.opened(clock=clock)) for _ in range(2)]
    rooms = [f"r{number}" for number in range(50)]
    for _ in range(5):
        await asyncio.gather(
            *[mine.save("s", room, turn()) for room in rooms],
            *[other.save("s", room, turn()) for room in reversed(rooms)],
        )
    cold = await started(await world.opened())
    assert [(await cold.window("s", room)).saved for room in rooms] == [10] * 50
    assert clock.elapsed == 0, "a transaction was tried again"


class Unlocking(VirtualClock):
    """Ends another program's lock as soon as the store pauses before its next try."""

    def __init__(self, lock: sqlite3.Connection) -> None:
        super().__init__()
        self.lock = lock

    async def sleep(self, seconds: float, unless: Signal | None = None) -> None:
        self.lock.rollback()
        await super().sleep(seconds, unless)


async def test_a_locked_database_is_tried_again(sqlite: World) -> None:
    with closing(sqlite3.connect(sqlite.folder / FILE)) as lock:
        history = await started(await sqlite.opened(clock=Unlocking(lock), busy_timeout=0.01))
        lock.execute("BEGIN IMMEDIATE")
        await asyncio.gather(history.save("s", "r", turn(1)), history.save("s", "r", turn(2)))
        assert (await history.window("s", "r")).saved == 2


async def test_a_database_that_stays_locked_fails_every_waiter_and_saves_nothing(sqlite: World) -> None:
    database = await sqlite.opened(clock=VirtualClock(), busy_timeout=0.01)
    history = await started(database)
    await history.window("s", "r")
    with closing(sqlite3.connect(sqlite.folder / FILE)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(
            *[history.save("s", "r", turn(number)) for number in range(3)], return_exceptions=True
        )
    assert [str(result) for result in results] == ["the store failed: database is locked"] * 3
    assert all(isinstance(result, TransactionFailed) for result in results)
    with pytest.raises(AssertionError, match="waits"):
        at_once(history.window("s", "r"))
    assert await history.window("s", "r") == RoomWindow((), 0)
    await history.save("s", "r", turn(9))
    assert (await history.window("s", "r")).saved == await count_turns(database) == 1


async def test_a_full_disk_fails_the_save_and_frees_it_afterwards(sqlite: World) -> None:
    database = await sqlite.opened(clock=VirtualClock())
    history = await started(database)

    def limit(pages: int) -> Callable[[Connection], object]:
        return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar()

    await database.read(limit(1))
    with pytest.raises(TransactionFailed, match="full"):
        await history.save("s", "r", turn(reply="가" * 100_000))
    await database.read(limit(100_000))
    await history.save("s", "r", turn(2))
    assert [one.began for one in (await history.window("s", "r")).turns] == [2]


async def test_a_lost_connection_is_replaced(postgres: World) -> None:
    database = await postgres.opened(clock=RealClock())
    history = await started(database)
    await history.save("s", "r", turn(1))
    assert postgres.address is not None
    await command(
        postgres.address,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    await history.save("s", "r", turn(2))
    assert (await history.window("s", "r")).saved == 2


def call_every_step(connection: Connection, *, step: Callable[[], None] | None) -> None:
    """Has SQLite call `step` for every instruction it executes."""
    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(step, 1)


async def test_a_window_costs_the_same_however_long_the_room_is(sqlite: World) -> None:
    database = await sqlite.opened()
    history = await started(database)
    steps: dict[int, int] = {}
    for saved in (20, 200, 2000):
        room = f"r{saved}"
        await asyncio.gather(*[history.save("s", room, turn(number, hotwords=("a" * 17,))) for number in range(saved)])
        count = 0

        def step() -> None:
            nonlocal count
            count += 1

        await database.read(partial(call_every_step, step=step))
        window = await (await started(database)).window("s", room)
        await database.read(partial(call_every_step, step=None))
        assert len(window.turns) == 20
        steps[saved] = count
    assert max(steps.values()) <= 1.1 * steps[20]

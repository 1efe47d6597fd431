"""Which memories the turns of a room have detected: saved with the turn, true for the whole room."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection

from app.emulation.determinism import VirtualClock
from app.spaces.failures import TransactionFailed
from app.spaces.models import RoomWindow
from tests.spaces.conftest import World
from tests.spaces.samples import at_once, count_turns, turn
from tests.spaces.test_history import started


async def test_a_room_in_memory_knows_what_fired_without_a_thread(sqlite: World) -> None:
    history = await started(await sqlite.opened(), window=0)
    await history.window("s", "r")
    await history.save("s", "r", turn(hotwords=("a" * 17,)))
    assert at_once(history.window("s", "r")).fired == {"a" * 17}


async def test_what_fired_outlives_the_window_the_program_and_stays_in_its_room(world: World) -> None:
    database = await world.opened()
    history = await started(database, window=2)
    await history.save("s", "r", turn(1, hotwords=("a" * 17,)))
    await history.save("s", "r", turn(2, hotwords=("b" * 17, "a" * 17)))
    for began in range(3, 9):
        await history.save("s", "r", turn(began))
    await history.save("s", "elsewhere", turn(hotwords=("c" * 17,)))
    for reader in (history, await started(await world.opened(), window=2)):
        window = await reader.window("s", "r")
        assert [one.hotwords for one in window.turns] == [(), ()]
        assert window.fired == {"a" * 17, "b" * 17}
        assert (await reader.window("other", "r")).fired == frozenset()


async def test_what_fired_is_saved_with_the_turn_or_not_at_all(sqlite: World) -> None:
    database = await sqlite.opened(clock=VirtualClock())
    history = await started(database)

    def refuse(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TRIGGER refuse BEFORE INSERT ON fired BEGIN SELECT RAISE(ABORT, 'no'); END")

    await database.write(refuse)
    with pytest.raises(TransactionFailed):
        await history.save("s", "r", turn(hotwords=("a" * 17,)))
    assert await history.window("s", "r") == RoomWindow((), 0)
    await history.save("s", "r", turn(2))
    assert (await history.window("s", "r")).saved == await count_turns(database) == 1


async def test_programs_in_which_the_same_fires_do_not_deadlock(world: World) -> None:
    clock = VirtualClock()
    mine, other = [await started(await world.opened(clock=clock)) for _ in range(2)]
    uids = tuple(f"{number:017x}" for number in range(20))
    rooms = [f"r{number}" for number in range(10)]
    for _ in range(5):
        await asyncio.gather(
            *[mine.save("s", room, turn(hotwords=uids)) for room in rooms],
            *[other.save("s", room, turn(hotwords=uids[::-1])) for room in reversed(rooms)],
        )
    cold = await started(await world.opened())
    assert {(await cold.window("s", room)).fired for room in rooms} == {frozenset(uids)}
    assert clock.elapsed == 0, "a transaction was tried again"


@pytest.mark.parametrize("uid", ["", "a b", " a", "a\n", "\u2003"])
async def test_a_hotword_that_is_no_uid_is_refused(sqlite: World, uid: str) -> None:
    history = await started(await sqlite.opened())
    with pytest.raises(ValueError, match="hotwords of a turn"):
        await history.save("s", "r", turn(hotwords=("a" * 17, uid)))

"""The whole store: reset to what the files say, taken out, put back; and what becomes of turns under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from app.emulation.determinism import VirtualClock
from app.spaces.contents import Contents, Emptied, NotRestorable
from app.spaces.database import Database
from app.spaces.history import History
from app.spaces.models import ApiKey, Charge, RoomWindow, SpaceSeed
from app.spaces.registry import NoSuch, Registry
from app.spaces.store import SpaceStore
from tests.spaces.conftest import World, command
from tests.spaces.samples import LORE, count_turns, memory, seed, space, turn

SEEDS = (seed("a", "ka", default=True, credit=1000), seed("b", "kb", credit=500, **LORE))
EMPTY = RoomWindow((), 0)


@dataclass
class Shop:
    """A store as the program opens it."""

    database: Database
    store: SpaceStore
    history: History
    registry: Registry
    contents: Contents

    async def facts(self) -> object:
        """Everything that can be told of it."""
        rooms = [(space_uid, room) for space_uid in ("a", "b", "c") for room in ("r1", "r2", "r3")]
        return await self.registry.all(), [await self.history.window(*key) for key in rooms]


async def shop(world: World, *seeds: SpaceSeed) -> Shop:
    database = await world.opened()
    store = SpaceStore(database, clock=VirtualClock())
    await store.seed(seeds or SEEDS)
    history = History(database, eras=store.eras)
    await history.start()
    return Shop(database, store, history, Registry(store), Contents(database, store, history))


async def lived_in(world: World) -> Shop:
    """A store in which something has happened."""
    made = await shop(world)
    await made.history.save("a", "r1", turn(1))
    await made.history.save("a", "r1", turn(2, hotwords=(memory(1).uid,)))
    await made.history.save("a", "r2", turn(3))
    await made.history.save("b", "r1", turn(4))
    await made.store.charge("a", 300)
    await made.registry.change("b", {"language": "en", "memories": (memory(8),)}, [ApiKey("kb", False)])
    await made.registry.add_key("a", ApiKey("extra", True))
    await made.registry.create(space("c", credit=7, default=True), [ApiKey("kc", True)])
    return made


async def test_a_reset_brings_back_what_the_files_say_and_nothing_else(world: World) -> None:
    fresh = await (await shop(world)).facts()
    made = await lived_in(world)
    assert await made.facts() != fresh
    assert await made.contents.reset(SEEDS) == Emptied(("r1", "r2"), 4)
    assert await made.facts() == fresh
    assert await count_turns(made.database) == 0
    assert await made.store.charge("a", 0) == Charge(True, 1000)
    assert await made.store.by_key("kc") is None
    found = await made.store.by_key("kb")
    assert found is not None
    assert found[1].usable
    assert (await made.store.default()).uid == "a"
    assert await made.store.memory(memory(8).uid) is None
    assert await made.contents.reset(SEEDS) == Emptied((), 0)


async def test_a_reset_moves_a_key_back_to_the_space_that_declares_it(world: World) -> None:
    made = await shop(world)
    await made.registry.remove_key("a", "ka")
    await made.registry.add_key("b", ApiKey("ka", True))
    await made.contents.reset(SEEDS)
    found = await made.store.by_key("ka")
    assert found is not None
    assert found[0].uid == "a"


async def test_a_reset_of_a_space_leaves_the_others_alone(world: World) -> None:
    made = await lived_in(world)
    kept = await made.registry.get("a"), await made.history.window("a", "r1")
    assert await made.contents.reset_space("b", SEEDS) == Emptied(("r1",), 1)
    assert (await made.registry.get("b")).space == space("b", credit=500, **LORE)
    assert await made.history.window("b", "r1") == EMPTY
    assert (await made.registry.get("a"), await made.history.window("a", "r1")) == kept


async def test_a_reset_of_a_space_that_the_files_do_not_have_takes_its_rooms_only(world: World) -> None:
    made = await lived_in(world)
    await made.history.save("c", "r3", turn(9))
    before = await made.registry.get("c")
    assert await made.contents.reset_space("c", SEEDS) == Emptied(("r3",), 1)
    assert await made.registry.get("c") == before
    with pytest.raises(NoSuch, match="there is no space x"):
        await made.contents.reset_space("x", SEEDS)


async def test_a_space_that_was_deleted_comes_back_with_its_reset(world: World) -> None:
    made = await lived_in(world)
    await made.registry.delete("b")
    await made.contents.reset_space("b", SEEDS)
    assert await made.store.by_key("kb") is not None


async def test_a_reset_of_a_room_is_noticed_nowhere_else(world: World) -> None:
    made = await lived_in(world)
    others = [("a", "r2"), ("b", "r1")]
    before = [await made.history.window(*key) for key in others], await made.registry.all()
    assert await made.history.window("a", "r1") != EMPTY
    assert await made.contents.reset_room("r1", "a") == Emptied(("r1",), 2)
    assert await made.history.window("a", "r1") == EMPTY
    assert ([await made.history.window(*key) for key in others], await made.registry.all()) == before
    await made.history.save("a", "r1", turn(7))
    assert (await made.history.window("a", "r1")).saved == 1
    assert (await made.history.window("a", "r1")).fired == frozenset()


async def test_a_room_without_its_space_is_reset_in_every_space(world: World) -> None:
    made = await lived_in(world)
    assert await made.contents.reset_room("r1") == Emptied(("r1",), 3)
    assert await made.history.window("b", "r1") == EMPTY
    assert (await made.history.window("a", "r2")).saved == 1


async def test_a_turn_that_was_begun_before_a_reset_is_not_kept_and_pays_nothing(world: World) -> None:
    made = await shop(world)
    era = made.store.eras.now
    assert await made.store.charge("a", 100, era=era) == Charge(True, 900)
    await made.contents.reset(SEEDS)
    await made.history.save("a", "r1", turn(1), era=era)
    assert await made.store.charge("a", 100, era=era) == Charge(True, 1000)
    await made.store.refund("a", 100, era=era)
    assert await made.history.window("a", "r1") == EMPTY
    assert await made.store.charge("a", 0) == Charge(True, 1000)
    now = made.store.eras.now
    await made.history.save("a", "r1", turn(2), era=now)
    assert await made.store.charge("a", 100, era=now) == Charge(True, 900)
    assert (await made.history.window("a", "r1")).saved == 1


async def test_a_reset_of_a_room_ends_turns_of_that_room_only(world: World) -> None:
    made = await shop(world)
    era = made.store.eras.now
    await made.contents.reset_room("r1")
    await made.history.save("a", "r1", turn(1), era=era)
    await made.history.save("a", "r2", turn(2), era=era)
    assert await made.store.charge("a", 100, era=era) == Charge(True, 900)
    assert await made.history.window("a", "r1") == EMPTY
    assert (await made.history.window("a", "r2")).saved == 1


async def test_saves_that_wait_while_a_reset_comes_leave_nothing(world: World) -> None:
    made = await shop(world)
    for _ in range(5):
        era = made.store.eras.now
        saves = [
            asyncio.ensure_future(made.history.save("a", f"r{number % 3}", turn(number), era=era))
            for number in range(60)
        ]
        await asyncio.sleep(0)
        await made.contents.reset(SEEDS)
        await asyncio.gather(*saves)
        assert await count_turns(made.database) == 0
        for number in range(3):
            assert await made.history.window("a", f"r{number}") == EMPTY


async def test_a_turn_that_was_begun_while_a_reset_ran_belongs_to_the_time_before(sqlite: World) -> None:
    made = await shop(sqlite)
    change = made.store.change
    begun: list[int] = []

    async def and_a_turn_begins(work: Any) -> Any:
        result = await change(work)
        begun.append(made.store.eras.now)
        return result

    made.store.change = and_a_turn_begins  # type: ignore[method-assign]
    await made.contents.reset(SEEDS)
    await made.history.save("a", "r1", turn(1), era=begun[0])
    assert await made.history.window("a", "r1") == EMPTY


@asynccontextmanager
async def another_process(world: World, *statements: str) -> AsyncIterator[Any]:
    """A transaction of another program that has executed statements, and commits at the end of `with`."""
    import asyncpg

    connection = await asyncpg.connect(world.address)
    try:
        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement)
            yield connection
    finally:
        await connection.close()


async def waits_for_a_lock(world: World) -> None:
    """Returns when somebody in the database waits for somebody else."""
    assert world.address is not None
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not await command(world.address, waiting):
        pass


A_ROOM = "INSERT INTO rooms VALUES ('a', 'r9', 1)"
A_TURN = (
    "INSERT INTO turns (space_uid, room_uid, began, user_id, reply, visitor_name, language, revision, cost)"
    " VALUES ('a', 'r9', 1, 'u', 'reply', '', 'ko', '', 0)"
)


async def test_what_another_process_saves_in_the_middle_of_a_reset_stays_whole(postgres: World) -> None:
    made = await shop(postgres)
    async with another_process(postgres, "LOCK TABLE turns IN ACCESS EXCLUSIVE MODE") as other:
        resetting = asyncio.ensure_future(made.contents.reset(SEEDS))
        await waits_for_a_lock(postgres)
        await other.execute(A_ROOM)
        await other.execute(A_TURN)
    await resetting
    window = await made.history.window("a", "r9")
    assert window.saved == len(window.turns) == 1


async def test_a_restore_waits_for_what_another_process_is_writing(postgres: World) -> None:
    made = await shop(postgres)
    await made.history.save("a", "r9", turn(5))
    rows = await made.contents.take()
    await made.contents.reset(SEEDS)
    async with another_process(postgres, A_ROOM, A_TURN):
        restoring = asyncio.ensure_future(made.contents.put(rows))
        await waits_for_a_lock(postgres)
    await restoring
    assert await made.history.window("a", "r9") == RoomWindow((turn(5),), 1)


async def test_what_was_taken_is_put_back_to_the_last_word(world: World) -> None:
    made = await lived_in(world)
    before = await made.facts()
    rows = await made.contents.take()
    await made.store.charge("a", 50)
    await made.history.save("a", "r3", turn(10))
    await made.history.save("a", "r1", turn(11, hotwords=(memory(2).uid,)))
    await made.registry.change("c", {"name": "other"})
    await made.registry.change("a", {"default": True})
    await made.registry.delete("c")
    await made.registry.create(space("d"), [ApiKey("kd", True)])
    assert await made.facts() != before
    await made.contents.put(rows)
    assert await made.facts() == before
    assert await made.store.by_key("kd") is None
    assert (await made.store.default()).uid == "c"
    assert await made.store.charge("a", 0) == Charge(True, 700)
    assert await made.store.charge("a", 100) == Charge(True, 600)
    await made.history.save("a", "r1", turn(12))
    assert (await made.history.window("a", "r1")).saved == 3
    await made.contents.put(rows)
    assert await made.facts() == before


async def test_what_was_taken_from_one_kind_of_database_fits_into_another(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = await lived_in(world)
    before = await made.facts()
    rows = await made.contents.take()
    elsewhere = World("sqlite", None, tmp_path_factory.mktemp("elsewhere"), world.stack)
    other = await shop(elsewhere, seed("x", default=True))
    await other.contents.put(rows)
    assert await other.facts() == before


async def test_a_turn_that_was_begun_before_a_restore_is_not_kept(world: World) -> None:
    made = await lived_in(world)
    era = made.store.eras.now
    rows = await made.contents.take()
    await made.contents.put(rows)
    await made.history.save("a", "r3", turn(1), era=era)
    assert await made.history.window("a", "r3") == EMPTY


async def test_a_snapshot_is_of_one_moment_while_turns_are_saved(world: World) -> None:
    made = await shop(world)

    async def talk() -> None:
        for number in range(100):
            await made.history.save("a", f"r{number % 4}", turn(number))

    talking = asyncio.ensure_future(talk())
    looks = 0
    while not talking.done():
        rows = await made.contents.take()
        said: dict[str, int] = {}
        for row in rows["turns"]:
            said[row[1]] = said.get(row[1], 0) + 1
        assert {row[1]: row[2] for row in rows["rooms"]} == said
        looks += 1
    await talking
    assert looks > 1


async def test_turns_and_charges_go_on_while_the_store_is_put_back_again_and_again(world: World) -> None:
    made = await lived_in(world)
    rows = await made.contents.take()

    async def talk(room: str) -> None:
        for number in range(20):
            era = made.store.eras.now
            assert (await made.store.charge("a", 1, minimum=0, era=era)).ok
            await made.history.save("a", room, turn(100 + number), era=era)

    talking = asyncio.gather(*(talk(f"r{number}") for number in range(4)))
    while not talking.done():
        await made.contents.put(rows)
    await talking
    await made.contents.put(rows)
    assert (await made.registry.get("a")).space.credit == 700
    assert (await made.history.window("a", "r1")).saved == 2


async def test_a_restore_that_fails_changes_nothing(world: World) -> None:
    made = await lived_in(world)
    before = await made.facts()
    rows = await made.contents.take()
    rows["turns"][-1] = [None] * len(rows["turns"][-1])
    with pytest.raises(NotRestorable):
        await made.contents.put(rows)
    assert await made.facts() == before


async def test_other_processes_take_a_restored_space_for_the_newer_one(postgres: World) -> None:
    made = await lived_in(postgres)
    rows = await made.contents.take()
    for _ in range(3):
        await made.store.charge("a", 10)
    clock = VirtualClock()
    other = SpaceStore(await postgres.opened(), clock=clock)
    assert await other.charge("a", 0) == Charge(True, 670)
    await made.contents.put(rows)
    assert await other.charge("a", 10) == Charge(True, 690), "a charge is always exact"
    assert await other.charge("a", 0) == Charge(True, 690), "and what it read is newer than what was kept"

"""What spaces say and know, in the store: seeded, read back, cached, found."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, func, select

from app.emulation.determinism import VirtualClock
from app.spaces import store as store_module
from app.spaces.database import Database
from app.spaces.lore import NONE, Lore, seal, unseal
from app.spaces.models import Greeting, Memory, Scene, Space, SpaceSeed
from app.spaces.store import SpaceStore
from app.spaces.tables import lore, memories
from tests.spaces.conftest import World
from tests.spaces.samples import LORE, SlowAnswers, at_once, memory, seed, space

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
NUMBERS = st.integers(1, 2**31)
UIDS = st.text("0123456789abcdef", min_size=17, max_size=17)
MEMORIES = st.builds(
    Memory,
    uid=UIDS,
    name=ANY_TEXT,
    variants=st.lists(ANY_TEXT, max_size=3).map(tuple),
    hotword=st.booleans(),
    text=st.none() | ANY_TEXT,
    entries=st.none() | st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=3).map(tuple),
    long_term=st.booleans(),
)
LORES = st.fixed_dictionaries(
    {
        "greetings": st.lists(st.builds(Greeting, NUMBERS, ANY_TEXT), max_size=3).map(tuple),
        "scenes": st.lists(st.builds(Scene, NUMBERS, ANY_TEXT, ANY_TEXT), max_size=3).map(tuple),
        "memories": st.lists(MEMORIES, max_size=4, unique_by=lambda one: one.uid).map(tuple),
    }
)


def fresh(database: Database) -> SpaceStore:
    """A store that has seeded nothing, as after a restart."""
    return SpaceStore(database, clock=VirtualClock())


async def found(store: SpaceStore, key: str = "k1") -> Space:
    answer = await store.by_key(key)
    assert answer is not None
    return answer[0]


def stored(value: Any) -> Any:
    """What a database that takes neither NUL nor half a surrogate pair makes of a value."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, tuple):
        return tuple(stored(member) for member in value)
    if isinstance(value, Greeting | Scene | Memory):
        return replace(value, **{name: stored(getattr(value, name)) for name in value.__slots__})
    return value


@given(LORES)
def test_what_is_sealed_is_unsealed_and_only_what_a_database_refuses_is_changed(declared: dict[str, Any]) -> None:
    sealed = seal(space(**declared))
    assert sealed.lore == Lore(**{name: stored(value) for name, value in declared.items()})
    assert (unseal(sealed.content) if sealed.digest else NONE) == sealed.lore
    assert seal(sealed.lore.of(space())) == sealed


@given(LORES, LORES)
def test_digests_are_equal_where_lores_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    sealed = seal(space(**one)), seal(space("other", **other))
    assert (sealed[0].digest == sealed[1].digest) == (sealed[0].lore == sealed[1].lore)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LORES, LORES)
async def test_a_space_reads_back_as_it_was_seeded_and_seeded_again(
    world: World, before: dict[str, Any], after: dict[str, Any]
) -> None:
    database = await world.opened()
    store = fresh(database)
    for declared in (before, after):
        expected = space(default=True, **{name: stored(value) for name, value in declared.items()})
        await store.seed([seed("demo", "k1", **declared)])
        assert await found(store) == await found(fresh(database)) == expected
    await database.close()


async def test_lore_is_declared_and_the_balance_is_not(world: World) -> None:
    database = await world.opened()
    store = fresh(database)
    await store.seed([seed("a", "k1", credit=500, **LORE), seed("b", "k2", memories=(memory(9),))])
    await store.charge("a", 200)
    await store.seed([seed("a", "k1", greetings=LORE["greetings"])])
    for reader in (store, fresh(database)):
        assert await found(reader) == space("a", credit=300, greetings=LORE["greetings"], default=True)
        assert (await found(reader, "k2")).memories == (memory(9),)


async def test_every_way_to_a_space_brings_its_lore(world: World) -> None:
    database = await world.opened()
    await fresh(database).seed([seed("a", "k1", **LORE)])
    expected = space("a", default=True, **LORE)
    assert await found(fresh(database)) == expected
    assert await fresh(database).by_org("org_a") == expected
    assert await fresh(database).default() == expected


async def test_a_charge_keeps_the_lore_and_its_very_objects(world: World) -> None:
    store = fresh(await world.opened())
    await store.seed([seed("a", "k1", **LORE)])
    before = await found(store)
    await store.charge("a", 200)
    await store.seed([seed("a", "k1", name="새 이름", **LORE)])
    after = await found(store)
    assert (after.credit, after.name) == (800, "새 이름")
    assert after.memories is before.memories


async def test_what_is_known_is_answered_without_a_thread(sqlite: World) -> None:
    store = fresh(await sqlite.opened())
    await store.seed([seed("a", "k1", **LORE)])
    first = await found(store)
    await store.charge("a", 10)
    again = at_once(store.by_key("k1"))
    assert again is not None
    assert again[0] == replace(first, credit=990)


async def test_lore_is_read_and_parsed_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await world.opened()
    await fresh(database).seed([seed("a", "k1", **LORE), seed("b", "k2", **LORE)])
    parsed: list[str] = []

    def parse(content: str) -> Lore:
        parsed.append(content)
        return unseal(content)

    monkeypatch.setattr(store_module, "unseal", parse)
    clock = VirtualClock()
    store = SpaceStore(database, clock=clock)
    for _ in range(3):
        for key in ("k1", "k2"):
            assert (await found(store, key)).memories == LORE["memories"]
        await store.charge("a", 1)
        await clock.sleep(2)
    assert len(parsed) == 1


async def test_what_has_not_changed_is_not_written_again(sqlite: World) -> None:
    database = await sqlite.opened()
    declared = [seed("a", "k1", **LORE)]
    await fresh(database).seed(declared)
    written: list[str] = []

    def watch(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", lambda *told: written.append(told[2]))

    await database.read(watch)
    await fresh(database).seed(declared)
    assert {statement.split()[0] for statement in written} == {"BEGIN", "SELECT"}


async def test_another_programs_lore_shows_after_a_charge(world: World) -> None:
    clock = VirtualClock()
    mine, other = [SpaceStore(await world.opened(), clock=clock) for _ in range(2)]
    await mine.seed([seed("a", "k1", **LORE)])
    await found(mine)
    await other.seed([seed("a", "k1", memories=(memory(5),))])
    assert (await mine.charge("a", 100)).ok
    assert await found(mine) == space("a", credit=900, default=True, memories=(memory(5),))


async def test_lore_that_changes_between_two_reads_is_of_one_moment(sqlite: World) -> None:
    database = await sqlite.opened()
    await fresh(database).seed([seed("a", "k1", **LORE)])
    store = fresh(database)
    answers = SlowAnswers(database)
    reading = asyncio.create_task(store.by_key("k1"))
    await answers.read.wait()
    await store.seed([seed("a", "k1", name="새 이름", memories=(memory(5),))])
    answers.release.set()
    answer = await reading
    assert answer is not None
    assert answer[0] == await found(store) == space("a", name="새 이름", default=True, memories=(memory(5),))


# Memories by uid


async def test_a_memory_is_found_by_its_uid(world: World) -> None:
    database = await world.opened()
    await fresh(database).seed([seed("a", **LORE), seed("b", memories=(memory(9),))])
    store = fresh(database)
    for one in (*LORE["memories"], memory(9)):
        assert await store.memory(one.uid) == one
    for unknown in ("", "0" * 17, memory(9).uid.upper() + "A", "\0", "\ud83d", memory(9).uid + "\0"):
        assert await store.memory(unknown) is None


async def test_of_several_spaces_the_default_ones_memory_is_given_then_the_first_by_uid(world: World) -> None:
    store = fresh(await world.opened())
    b, c, d = (seed(uid, memories=(memory(1, text=uid),), default=uid == "d") for uid in "bcd")
    await store.seed([d, c, b])
    assert await store.memory(memory(1).uid) == memory(1, text="d")
    await store.seed([seed("d", default=True), c, b])
    assert await store.memory(memory(1).uid) == memory(1, text="b")


async def test_a_memory_that_is_no_longer_declared_is_gone(world: World) -> None:
    database = await world.opened()
    store = fresh(database)
    await store.seed([seed("a", **LORE)])
    await store.seed([seed("a", memories=LORE["memories"][1:])])
    assert await store.memory(memory(1).uid) is None
    assert await store.memory(memory(2).uid) is not None
    await store.seed([seed("a")])
    assert await store.memory(memory(2).uid) is None

    def count(connection: Connection) -> list[int | None]:
        return [connection.scalar(select(func.count()).select_from(table)) for table in (lore, memories)]

    assert await database.read(count) == [0, 0]


async def test_two_memories_of_a_space_with_one_uid_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="two memories of space a have the same uid"):
        await fresh(await world.opened()).seed([seed("a", memories=(memory(1), memory(1, name="다른 이름")))])


async def test_thousands_of_memories_are_seeded_read_and_found(world: World) -> None:
    many = tuple(memory(number, text=f"글 {number}") for number in range(5000))
    database = await world.opened()
    await fresh(database).seed([SpaceSeed(space("a", memories=many), ()), seed("b", "k1", memories=many[:10])])
    store = fresh(database)
    assert (await store.default()).memories == many
    assert await store.memory(many[4999].uid) == many[4999]

"""Spaces, keys and balances changed by hand, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.emulation.determinism import VirtualClock
from app.spaces.models import ApiKey, Charge
from app.spaces.registry import NoSuch, Registry, Taken
from app.spaces.store import SHARED_LIFE, SpaceStore
from tests.spaces.conftest import World
from tests.spaces.samples import LORE, SlowAnswers, memory, seed, space


async def opened(world: World) -> tuple[SpaceStore, Registry]:
    store = SpaceStore(await world.opened(), clock=VirtualClock())
    await store.seed([seed("a", "ka", default=True, credit=1000), seed("b", "kb", "kb2")])
    return store, Registry(store)


async def test_what_is_made_is_there_with_its_keys_and_all_it_knows(world: World) -> None:
    store, registry = await opened(world)
    new = space("c", credit=5, **LORE)
    made = await registry.create(new, [ApiKey("kc", True), ApiKey("kc2", False)])
    assert made.space == new
    assert made.keys == (ApiKey("kc", True), ApiKey("kc2", False))
    assert await registry.get("c") == made
    assert [one.space.uid for one in await registry.all()] == ["a", "b", "c"]
    assert await store.by_key("kc") == (new, ApiKey("kc", True))
    assert await store.memory(LORE["memories"][0].uid) == LORE["memories"][0]


async def test_a_key_that_was_asked_for_in_vain_is_known_once_it_is_made(world: World) -> None:
    store, registry = await opened(world)
    assert await store.by_key("new") is None
    await registry.add_key("b", ApiKey("new", True))
    found = await store.by_key("new")
    assert found is not None
    assert found[0].uid == "b"


@pytest.mark.parametrize(
    ("made", "keys", "message"),
    [
        (space("a", org_id="other"), (), "uid: there is a space a already"),
        (space("c", org_id="org_b"), (), "org_id: space b has it already"),
        (space("c"), ("kc", "kb"), "api_keys: space b has one of these keys already"),
        (space("c"), ("kc", "kc"), "api_keys: a key is there twice"),
    ],
)
async def test_what_contradicts_what_is_there_is_refused_whole(
    world: World, made: object, keys: tuple[str, ...], message: str
) -> None:
    store, registry = await opened(world)
    before = await registry.all()
    with pytest.raises(Taken, match=message):
        await registry.create(made, [ApiKey(key, True) for key in keys])  # type: ignore[arg-type]
    assert await registry.all() == before
    assert await store.by_key("kc") is None


async def test_a_change_leaves_the_rest_and_is_seen_at_once(world: World) -> None:
    store, registry = await opened(world)
    assert await store.by_key("kb") is not None
    changed = await registry.change("b", {"language": "en", "credit_per_turn": 10, "memories": (memory(4),)})
    assert changed.space == space("b", language="en", credit_per_turn=10, memories=(memory(4),))
    assert await store.by_key("kb") == (changed.space, ApiKey("kb", True))
    again = await registry.change("b", {"name": "새 이름"})
    assert again.space == replace(changed.space, name="새 이름")


async def test_a_change_of_something_else_keeps_a_balance_that_runs(world: World) -> None:
    store, registry = await opened(world)
    charges = [store.charge("a", 7) for _ in range(20)]
    changes = [registry.change("a", {"name": f"n{number}"}) for number in range(20)]
    await asyncio.gather(*(work for pair in zip(charges, changes, strict=True) for work in pair))
    assert (await registry.get("a")).space.credit == 1000 - 20 * 7
    assert await store.charge("a", 0) == Charge(True, 1000 - 20 * 7)


async def test_a_balance_that_is_set_is_what_the_next_charge_finds(world: World) -> None:
    store, registry = await opened(world)
    assert await store.charge("a", 100) == Charge(True, 900)
    assert (await registry.set_credit("a", 130)).space.credit == 130
    assert await store.charge("a", 0) == Charge(True, 130)
    assert await store.charge("a", 100) == Charge(True, 30)
    await registry.set_credit("a", 0)
    assert await store.charge("a", 0) == Charge(False, 0)


async def test_what_was_read_before_a_change_is_not_kept_after_it(world: World) -> None:
    database = await world.opened()
    store = SpaceStore(database, clock=VirtualClock())
    await store.seed([seed("a", "ka", credit=1000)])
    registry = Registry(store)
    slow = SlowAnswers(database)
    reading = asyncio.ensure_future(store.by_key("ka"))
    await slow.read.wait()
    await registry.set_credit("a", 0)
    slow.release.set()
    assert await reading is not None
    assert await store.charge("a", 0) == Charge(False, 0)


async def test_the_default_moves_and_there_is_always_one(world: World) -> None:
    store, registry = await opened(world)
    with pytest.raises(Taken, match="default: this space is the default"):
        await registry.change("a", {"default": False})
    await registry.change("b", {"default": True})
    assert (await store.default()).uid == "b"
    assert [one.space.default for one in await registry.all()] == [False, True]
    await registry.create(space("c", default=True), ())
    assert (await store.default()).uid == "c"


async def test_the_default_space_cannot_be_deleted_and_another_goes_with_its_keys(world: World) -> None:
    store, registry = await opened(world)
    await registry.change("b", {"memories": (memory(9),)})
    with pytest.raises(Taken, match="a is the default space"):
        await registry.delete("a")
    assert await store.by_key("kb") is not None
    await registry.delete("b")
    assert await store.by_key("kb") is None
    assert await store.memory(memory(9).uid) is None
    with pytest.raises(NoSuch, match="there is no space b"):
        await registry.get("b")
    await registry.create(space("b", credit=3), [ApiKey("kb", True)])
    assert await store.charge("b", 0, minimum=1) == Charge(True, 3)


async def test_a_key_is_revoked_given_back_and_taken_away(world: World) -> None:
    store, registry = await opened(world)
    await registry.set_usable("b", "kb", False)
    assert await store.by_key("kb") == (space("b"), ApiKey("kb", False))
    await registry.set_usable("b", "kb", True)
    assert await store.by_key("kb") == (space("b"), ApiKey("kb", True))
    await registry.remove_key("b", "kb")
    assert await store.by_key("kb") is None
    assert (await registry.get("b")).keys == (ApiKey("kb2", True),)


async def test_keys_in_a_change_are_all_the_keys(world: World) -> None:
    store, registry = await opened(world)
    changed = await registry.change("b", {}, [ApiKey("kb2", False), ApiKey("kb3", True)])
    assert changed.keys == (ApiKey("kb2", False), ApiKey("kb3", True))
    assert await store.by_key("kb") is None


async def test_what_is_not_there_is_named(world: World) -> None:
    _, registry = await opened(world)
    for work in (
        registry.get("x\0"),
        registry.change("x", {"name": "n"}),
        registry.delete("x"),
        registry.set_credit("x", 1),
        registry.add_key("x", ApiKey("k", True)),
    ):
        with pytest.raises(NoSuch, match="there is no space x"):
            await work
    for change in (registry.set_usable("b", "ka", False), registry.remove_key("b", "\ud83d")):
        with pytest.raises(NoSuch, match="space b has no such key"):
            await change


async def test_another_process_sees_a_change_within_its_caches_life(postgres: World) -> None:
    store, registry = await opened(postgres)
    clock = VirtualClock()
    other = SpaceStore(await postgres.opened(), clock=clock)
    assert await other.by_key("kb") is not None
    await registry.delete("b")
    await registry.create(space("b", credit=1), [ApiKey("kb", True)])
    await clock.sleep(SHARED_LIFE + 0.1)
    found = await other.by_key("kb")
    assert found is not None
    assert found[0].credit == 1
    assert store is not other

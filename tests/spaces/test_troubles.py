"""Trouble on purpose: the driver raises it, the store tries again, and recovers; and what is changed by hand."""

from __future__ import annotations

from typing import Literal

import pytest

from app.emulation.determinism import VirtualClock
from app.spaces.database import PAUSES, Operation
from app.spaces.failures import TransactionFailed, Trouble
from app.spaces.history import History
from app.spaces.store import SpaceStore
from tests.spaces.conftest import World
from tests.spaces.samples import seed, turn

TOLD = {
    ("sqlite", "locked"): "database is locked",
    ("sqlite", "full"): "database or disk is full",
    ("postgresql", "locked"): "canceling statement due to lock timeout",
    ("postgresql", "full"): "could not extend file: No space left on device",
}


class Once:
    """Trouble for the next operation of a kind, and how often it was asked."""

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        self.asked: list[str] = []

    def __call__(self, operation: Operation) -> Trouble | None:
        self.asked.append(operation)
        trouble, self.trouble = self.trouble, None
        return trouble


@pytest.mark.parametrize("kind", ["locked", "full"])
async def test_the_driver_says_it_and_every_try_is_made(world: World, kind: Literal["locked", "full"]) -> None:
    clock, once = VirtualClock(), Once()
    database = await world.opened(clock=clock, troubles=once)
    history = History(database)
    await history.start()
    once.trouble = Trouble(kind)
    with pytest.raises(TransactionFailed) as failed:
        await history.save("s", "r", turn())
    assert str(failed.value) == f"the store failed: {TOLD[world.kind, kind]}"
    assert clock.elapsed == sum(PAUSES)
    assert once.asked == ["write"], "asked once for each operation, not for each try"
    await history.save("s", "r", turn())
    assert (await history.window("s", "r")).saved == 1
    await history.close()


@pytest.mark.parametrize("tries", [1, 2, 3])
async def test_trouble_that_passes_costs_time_only(world: World, tries: int) -> None:
    clock, once = VirtualClock(), Once()
    database = await world.opened(clock=clock, troubles=once)
    store = SpaceStore(database, clock=clock)
    await store.seed([seed("a", "k1", credit=1000)])
    once.trouble = Trouble("locked", tries)
    assert (await store.charge("a", 100)).balance == 900
    assert clock.elapsed == sum(PAUSES[:tries])


async def test_the_fourth_try_is_the_last(world: World) -> None:
    once = Once()
    database = await world.opened(clock=VirtualClock(), troubles=once)
    once.trouble = Trouble("full", len(PAUSES) + 1)
    with pytest.raises(TransactionFailed):
        await database.read(lambda connection: None)


async def test_whoever_runs_the_server_is_not_held_up(world: World) -> None:
    database = await world.opened(clock=VirtualClock(), troubles=lambda operation: Trouble("full"))
    store = SpaceStore(database, clock=VirtualClock())
    await store.seed([seed("a", "k1", credit=1000)])
    assert await store.set_credit("a", 5)
    assert await store.set_key("k1", usable=False)


async def test_a_balance_is_set_whatever_it_was(world: World) -> None:
    database = await world.opened()
    store, other = (SpaceStore(database, clock=VirtualClock()) for _ in range(2))
    await store.seed([seed("a", "k1", credit=1000)])
    assert (await store.charge("a", 100)).balance == 900
    assert await store.set_credit("a", 150)
    assert (await store.charge("a", 0)).balance == 150
    assert (await store.charge("a", 50)).balance == 100
    assert await store.set_credit("a", 0)
    assert not (await store.charge("a", 0)).ok
    found = await other.by_key("k1")
    assert found is not None
    assert found[0].credit == 0
    assert not await store.set_credit("nowhere", 5)


async def test_a_key_is_made_unusable_usable_and_taken_away(world: World) -> None:
    store = SpaceStore(await world.opened(), clock=VirtualClock())
    await store.seed([seed("a", "k1", "k2")])

    async def usable(key: str) -> bool | None:
        found = await store.by_key(key)
        return None if found is None else found[1].usable

    for wanted in (False, True, None):
        assert await store.set_key("k1", wanted)
        assert (await usable("k1"), await usable("k2")) == (wanted, True)
    assert not await store.set_key("k1", True)
    await store.seed([seed("a", "k1", "k2")])
    assert await usable("k1"), "the files give it back"

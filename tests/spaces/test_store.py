from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.emulation.determinism import RealClock, VirtualClock
from app.spaces.database import Database
from app.spaces.failures import NoSpaces, QueueFull
from app.spaces.models import ApiKey, Charge, SpaceSeed
from app.spaces.store import SpaceStore
from tests.spaces.conftest import World
from tests.spaces.samples import SlowAnswers, at_once, seed, space


async def seeded(database: Database, *seeds: SpaceSeed) -> SpaceStore:
    store = SpaceStore(database, clock=VirtualClock())
    await store.seed(seeds)
    return store


async def test_a_key_opens_its_space(world: World) -> None:
    store = await seeded(await world.opened(), seed("a", "k1", "k2"), seed("b", "k3"))
    assert await store.by_key("k3") == (space("b"), ApiKey("k3", True))
    assert await store.by_key("k2") == (space("a", default=True), ApiKey("k2", True))


async def test_a_key_that_does_not_exist_opens_nothing(world: World) -> None:
    store = await seeded(await world.opened(), seed("a", "k1"))
    for key in ("k", "K1", "", "k1\0", "\ud83d", "가" * 5000):
        assert await store.by_key(key) is None
        assert await store.by_key(key) is None


async def test_an_unusable_key_is_found_and_says_so(world: World) -> None:
    store = await seeded(await world.opened(), SpaceSeed(space("a"), (ApiKey("e1", False),)))
    found = await store.by_key("e1")
    assert found is not None
    assert found[1] == ApiKey("e1", False)


def test_a_key_is_kept_out_of_its_repr() -> None:
    assert "d4a3653a" not in repr(seed("a", "d4a3653a4ba72d6e04a293"))


async def test_an_organisation_names_its_space_the_default_one_first(world: World) -> None:
    store = await seeded(
        await world.opened(), seed("a", org_id="org"), seed("b", org_id="org", default=True), seed("c", org_id="other")
    )
    named = await store.by_org("org")
    assert named is not None
    assert named.uid == "b"
    assert await store.by_org("org_unknown") is None


async def test_seeding_twice_keeps_the_balance_and_takes_the_new_declaration(world: World) -> None:
    store = await seeded(await world.opened(), seed("a", "k1", credit=500))
    await store.charge("a", 200)
    await store.seed([SpaceSeed(space("a", credit=9999, name="새 이름", language="en"), (ApiKey("k1", False),))])
    assert await store.by_key("k1") == (
        space("a", credit=300, name="새 이름", language="en", default=True),
        ApiKey("k1", False),
    )
    again = SpaceStore(await world.opened(), clock=VirtualClock())
    assert await again.default() == space("a", credit=300, name="새 이름", language="en", default=True)


async def test_seeding_leaves_undeclared_spaces_alone_and_adds_new_ones(world: World) -> None:
    store = await seeded(await world.opened(), seed("a", "k1"))
    assert await store.by_key("k2") is None
    await store.seed([seed("b", "k2")])
    assert await store.by_key("k1") is not None
    assert await store.by_key("k2") is not None


async def test_a_key_moves_to_the_space_that_declares_it(world: World) -> None:
    store = await seeded(await world.opened(), seed("a", "k1"), seed("b"))
    await store.seed([seed("a"), seed("b", "k1")])
    found = await store.by_key("k1")
    assert found is not None
    assert found[0].uid == "b"


@pytest.mark.parametrize(
    ("first", "second", "default"),
    [
        ([seed("a"), seed("b")], [], "a"),
        ([seed("a"), seed("b", default=True)], [], "b"),
        ([seed("a"), seed("b", default=True)], [seed("a"), seed("b")], "b"),
        ([seed("a"), seed("b", default=True)], [seed("c", default=True)], "c"),
        ([seed("a", default=True), seed("b")], [seed("a"), seed("b", default=True)], "b"),
    ],
)
async def test_exactly_one_space_is_the_default(
    world: World, first: list[SpaceSeed], second: list[SpaceSeed], default: str
) -> None:
    database = await world.opened()
    store = await seeded(database, *first)
    await store.seed(second)
    assert (await store.default()).uid == default
    fresh = SpaceStore(database, clock=VirtualClock())
    spaces = [await fresh.by_org(f"org_{uid}") for uid in "abc"]
    assert [found.uid for found in spaces if found and found.default] == [default]


async def test_without_a_seed_there_is_no_default(world: World) -> None:
    store = SpaceStore(await world.opened(), clock=VirtualClock())
    with pytest.raises(NoSpaces):
        await store.default()
    await store.seed([seed("a")])
    assert (await store.default()).uid == "a"


@pytest.mark.parametrize(
    "seeds",
    [
        [seed("a"), seed("a")],
        [seed("a", "k1"), seed("b", "k1")],
        [seed("a", default=True), seed("b", default=True)],
    ],
)
async def test_seeds_that_contradict_each_other_are_refused(world: World, seeds: list[SpaceSeed]) -> None:
    store = SpaceStore(await world.opened(), clock=VirtualClock())
    with pytest.raises(ValueError, match="space"):
        await store.seed(seeds)


async def test_a_fresh_seed_shows_at_once_although_the_old_one_was_cached(world: World) -> None:
    store = await seeded(await world.opened(), seed("a", "k1"))
    await store.by_key("k1")
    await store.seed([SpaceSeed(space("a"), (ApiKey("k1", False),))])
    found = await store.by_key("k1")
    assert found is not None
    assert not found[1].usable


@pytest.mark.parametrize(
    ("credit", "cost", "charge"),
    [
        (100, 0, Charge(True, 100)),
        (99, 0, Charge(False, 99)),
        (100, 30, Charge(True, 70)),
        (99, 30, Charge(False, 99)),
        (150, 200, Charge(False, 150)),
        (200, 200, Charge(True, 0)),
    ],
)
async def test_a_charge_needs_the_minimum_and_its_cost(world: World, credit: int, cost: int, charge: Charge) -> None:
    store = await seeded(await world.opened(), seed("a", credit=credit))
    assert await store.charge("a", cost) == charge
    assert (await store.default()).credit == charge.balance
    assert (await SpaceStore(await world.opened(), clock=VirtualClock()).default()).credit == charge.balance


async def test_an_unknown_space_has_nothing_to_spend(world: World) -> None:
    store = await seeded(await world.opened(), seed("a"))
    assert await store.charge("ghost", 0) == Charge(False, 0)
    assert await store.charge("ghost", 5) == Charge(False, 0)
    await store.refund("ghost", 5)


async def test_a_refund_gives_back(world: World) -> None:
    store = await seeded(await world.opened(), seed("a", credit=100))
    await store.charge("a", 100)
    await store.refund("a", 40)
    assert await store.charge("a", 0, minimum=40) == Charge(True, 40)


async def test_negative_amounts_are_refused(world: World) -> None:
    store = await seeded(await world.opened(), seed("a"))
    with pytest.raises(ValueError, match="below 0"):
        await store.charge("a", -1)
    with pytest.raises(ValueError, match="below 0"):
        await store.refund("a", -1)


async def test_200_parallel_charges_never_overdraw(world: World) -> None:
    store = await seeded(await world.opened(), seed("a", credit=1050))
    charges = await asyncio.gather(*[store.charge("a", 10) for _ in range(200)])
    # Each needs 100 before it: 96 charges bring 1050 down to 90.
    assert sum(charge.ok for charge in charges) == 96
    assert (await store.charge("a", 0)).balance == 90


async def test_200_parallel_charges_from_two_programs_never_overdraw(world: World) -> None:
    stores = [SpaceStore(await world.opened(), clock=VirtualClock()) for _ in range(2)]
    await stores[0].seed([seed("a", credit=1050), seed("b", credit=500)])
    charges = await asyncio.gather(
        *[stores[turn % 2].charge("ab"[turn // 2 % 2], 10, minimum=0) for turn in range(400)]
    )
    assert sum(charge.ok for charge in charges) == 155
    fresh = SpaceStore(await world.opened(), clock=VirtualClock())
    assert [(await fresh.charge(uid, 0)).balance for uid in "ab"] == [0, 0]


async def test_charges_of_two_stores_on_one_database_never_overdraw(world: World) -> None:
    database = await world.opened()
    stores = [await seeded(database, seed("a", credit=500)), SpaceStore(database, clock=VirtualClock())]
    charges = await asyncio.gather(*[stores[turn % 2].charge("a", 10, minimum=0) for turn in range(200)])
    assert sum(charge.ok for charge in charges) == 50


async def test_charges_that_wait_share_a_transaction(world: World) -> None:
    database = await world.opened()
    store = await seeded(database, seed("a", credit=100_000))
    before = database.commits
    await asyncio.gather(*[store.charge("a", 1) for _ in range(100)])
    assert database.commits == before + 1


async def test_a_charge_cancelled_before_its_transaction_is_not_made(world: World) -> None:
    database = await world.opened()
    store = await seeded(database, seed("a", credit=1000))
    tasks = [asyncio.create_task(store.charge("a", 10)) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, Charge) for result in results) == 5
    assert (await store.charge("a", 10)).balance == 1000 - 60


async def test_a_charge_cancelled_during_its_transaction_is_given_back(sqlite: World) -> None:
    database = await sqlite.opened()
    store = await seeded(database, seed("a", credit=1000))
    committed = asyncio.Event()
    original = database.write

    async def write(work: Any) -> Any:
        result: Any = await original(work)
        if not committed.is_set():
            task.cancel()
            committed.set()
        return result

    store._orders._transact = write
    task = asyncio.create_task(store.charge("a", 10))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert committed.is_set()
    await database.close()
    fresh = SpaceStore(await sqlite.opened(), clock=VirtualClock())
    assert (await fresh.charge("a", 0)).balance == 1000


async def test_the_queue_of_charges_is_bounded(world: World) -> None:
    database = await world.opened()
    store = SpaceStore(database, clock=VirtualClock(), queue=3)
    await store.seed([seed("a")])
    results = await asyncio.gather(*[store.charge("a", 1) for _ in range(5)], return_exceptions=True)
    assert [type(result) for result in results] == [Charge] * 3 + [QueueFull] * 2


async def test_what_is_known_is_answered_without_a_thread(sqlite: World) -> None:
    store = await seeded(await sqlite.opened(), seed("a", "k1"))
    first = (await store.by_key("k1"), await store.by_key("nobody"), await store.by_org("org_a"), await store.default())
    known = (
        at_once(store.by_key("k1")),
        at_once(store.by_key("nobody")),
        at_once(store.by_org("org_a")),
        at_once(store.default()),
    )
    assert known == first
    assert at_once(store.charge("a", 0)) == Charge(True, 1000)


async def test_a_charge_shows_in_the_cached_space(sqlite: World) -> None:
    store = await seeded(await sqlite.opened(), seed("a", "k1"))
    await store.by_key("k1")
    await store.charge("a", 250)
    found = at_once(store.by_key("k1"))
    assert found is not None
    assert found[0].credit == 750


async def test_a_balance_read_before_a_charge_is_not_remembered_after_it(sqlite: World) -> None:
    database = await sqlite.opened()
    store = await seeded(database, seed("a", "k1"))
    answers = SlowAnswers(database)
    finding = asyncio.create_task(store.by_key("k1"))
    await answers.read.wait()
    await store.charge("a", 250)
    answers.release.set()
    await finding
    assert at_once(store.charge("a", 0)) == Charge(True, 750)


async def test_a_key_read_before_a_seed_is_not_remembered_after_it(sqlite: World) -> None:
    database = await sqlite.opened()
    store = await seeded(database, seed("a", "k1"))
    answers = SlowAnswers(database)
    finding = [asyncio.create_task(store.by_key(key)) for key in ("k1", "k2")]
    await answers.read.wait()
    await store.seed([SpaceSeed(space("a"), (ApiKey("k1", False), ApiKey("k2", True)))])
    answers.release.set()
    await asyncio.gather(*finding)
    found = [await store.by_key(key) for key in ("k1", "k2")]
    assert [one and one[1].usable for one in found] == [False, True]


async def test_programs_that_seed_at_once_do_not_race(world: World) -> None:
    stores = [SpaceStore(await world.opened(), clock=VirtualClock()) for _ in range(4)]
    await asyncio.gather(*[store.seed([seed("a", "k1"), seed("b", "k2", default=True)]) for store in stores])
    for store in stores:
        assert (await store.default()).uid == "b"


async def test_a_shared_database_is_asked_again_after_a_second(postgres: World) -> None:
    clock = VirtualClock()
    mine = SpaceStore(await postgres.opened(), clock=clock)
    await mine.seed([seed("a", "k1")])
    await mine.by_key("k1")
    other = SpaceStore(await postgres.opened(), clock=clock)
    await other.seed([SpaceSeed(space("a"), (ApiKey("k1", False),))])
    await other.charge("a", 100)
    remembered = at_once(mine.by_key("k1"))
    assert remembered is not None
    assert remembered[1].usable
    await clock.sleep(1.01)
    found = await mine.by_key("k1")
    assert found == (space("a", credit=900, default=True), ApiKey("k1", False))


async def test_what_another_program_changed_shows_after_the_next_transaction(sqlite: World) -> None:
    mine = await seeded(await sqlite.opened(), seed("a", "k1"), seed("b"))
    await mine.by_key("k1")
    other = SpaceStore(await sqlite.opened(), clock=RealClock())
    await other.charge("a", 400)
    await other.seed([SpaceSeed(space("a"), (ApiKey("k1", False),))])
    await mine.charge("b", 1)
    found = await mine.by_key("k1")
    assert found == (space("a", credit=600, default=True), ApiKey("k1", False))


async def test_more_spaces_than_the_cache_holds_are_still_found(sqlite: World) -> None:
    store = SpaceStore(await sqlite.opened(), clock=VirtualClock(), bound=3)
    await store.seed([seed(f"s{number}", f"k{number}") for number in range(10)])
    for _ in range(2):
        for number in range(10):
            found = await store.by_key(f"k{number}")
            assert found is not None
            assert found[0].uid == f"s{number}"
    assert len(store._spaces) == len(store._answers) == 3

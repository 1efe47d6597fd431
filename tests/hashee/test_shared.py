"""Two servers on one PostgreSQL are one service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.hashee.people import Person, Town, write_cast
from tests.live import PATIENCE, LiveServer


@pytest.fixture(scope="module")
def servers(
    empty_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LiveServer, LiveServer]]:
    folder = tmp_path_factory.mktemp("shared")
    fixtures, store = write_cast(folder / "fixtures"), {"url": empty_database()}
    with (
        LiveServer(folder / "one", fixtures=fixtures, watch=False, store=store) as one,
        LiveServer(folder / "two", fixtures=fixtures, watch=False, store=store) as two,
    ):
        yield one, two


@pytest.fixture
async def towns(servers: tuple[LiveServer, LiveServer]) -> AsyncIterator[tuple[Town, Town]]:
    made = Town(servers[0]), Town(servers[1])
    yield made
    for town in made:
        for client in town.clients:
            await client.aclose()


def at(town: Town, person: Person) -> Person:
    """The same person, with the same token, at another server."""
    client = town.client()
    client.headers["Authorization"] = f"Bearer {person.token}"
    return Person(town.server, person.id, person.token, client, person.agent)


async def test_what_happens_at_one_is_heard_at_the_other_in_order(towns: tuple[Town, Town]) -> None:
    one, two = towns
    person, other, third = await one.person(1), await two.person(2), await two.person(3)
    group = (await person.call("POST", "/groups", {"name": "G", "member_ids": [other.id, third.id]}))["conversation_id"]
    async with AsyncExitStack() as stack:
        ears = [
            await stack.enter_async_context(who.listening()) for who in (third, at(one, await two.person(3)))
        ]  # a session of the third at each server
        await asyncio.gather(*(who.send(group) for _ in range(40) for who in (person, other)))
        for ear in ears:
            heard = [(await ear.next("message.new"))["conversation_seq"] for _ in range(80)]
            assert heard == list(range(1, 81))


async def test_sockets_are_replaced_and_sessions_ended_across_servers(towns: tuple[Town, Town]) -> None:
    one, two = towns
    person = await one.person(1)
    async with person.listening() as first, at(two, person).listening() as second:
        assert await first.closed() == (4409, "replaced")
        await person.call("POST", f"/_emulator/hashee/users/{person.id}/invalidate")
        assert (await second.next())["type"] == "session.invalidated"
        assert (await second.closed())[0] == 4410


async def test_an_agent_that_moves_to_another_server_is_offline_when_it_leaves_that(towns: tuple[Town, Town]) -> None:
    one, two = towns
    person, agent = await one.person(1), two.agent()
    await person.use(agent)
    async with person.listening() as ear:
        async with at(one, agent).listening() as first:
            assert (await ear.next())["payload"]["status"] == "online"
            async with agent.listening():
                assert await first.closed() == (4409, "replaced")
                assert "offline" not in str(await ear.quiet())
        assert (await ear.next("agent.status"))["payload"] == {"agent_id": agent.id, "status": "offline"}


async def test_a_poll_at_one_server_hears_of_a_message_at_the_other(towns: tuple[Town, Town]) -> None:
    one, two = towns
    owner, person, agent = await one.owner(), await one.person(1), two.agent()
    await owner.call("PATCH", f"/agents/{agent.id}", {"connection_mode": "polling"})
    waiting = asyncio.ensure_future(agent.http.get(f"/agents/{agent.id}/messages/poll?wait=25"))
    await asyncio.sleep(0.2)
    await person.use(agent)
    async with asyncio.timeout(PATIENCE):
        events = (await waiting).json()["data"]
    assert [one["event"]["type"] for one in events] == ["relation.established"]


async def test_a_lost_connection_is_made_up_for(towns: tuple[Town, Town]) -> None:
    from tests.spaces.conftest import command

    one, two = towns
    person, other = await one.person(1), await two.person(2)
    conversation = await person.pair(other)
    url = one.server.settings.store.url
    assert url is not None
    async with other.listening() as ear:
        await person.send(conversation)
        await ear.next("message.new")
        await command(
            url.get_secret_value(),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'",
        )
        for _ in range(5):
            await person.send(conversation)
        heard = [(await ear.next("message.new"))["conversation_seq"] for _ in range(5)]
        assert heard == [2, 3, 4, 5, 6]

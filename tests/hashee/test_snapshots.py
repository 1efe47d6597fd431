"""Snapshots and resets of what people and agents have made, on each kind of store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.hashee.conftest import STORES, store_of
from tests.hashee.people import Person, Town, opened, write_cast
from tests.live import PATIENCE, LiveServer

SCRIPTED = """
  - {email: scripted@example.com, display_name: Slow, script: [{say: at last, pause: 3600}]}
"""
CONTENT = b"what is in it"


@pytest.fixture(scope="module", params=STORES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("snapshots")
    fixtures = write_cast(folder / "fixtures")
    cast = fixtures / "hashee.yaml"
    cast.write_text(cast.read_text().replace("users:\n", f"users:{SCRIPTED}", 1), encoding="utf-8")
    with LiveServer(folder / "data", fixtures=fixtures, watch=False, store=store_of(request)) as running:
        yield running


@pytest.fixture
async def town(server: LiveServer) -> AsyncIterator[Town]:
    made = Town(server)
    yield made
    for client in made.clients:
        await client.aclose()


async def plane(town: Town, method: str, path: str, body: Any = None) -> Any:
    answer = await town.client().request(method, f"/_emulator{path}", json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.01)


async def said_in(person: Person, conversation: str) -> list[tuple[int, str, bool]]:
    found = await person.call("GET", f"/conversations/{conversation}/messages")
    return [(one["conversation_seq"], one["message_id"], one["pinned"]) for one in found]


async def test_conversations_are_put_back_and_go_on_from_there(town: Town) -> None:
    person, other = await town.person(), await town.person()
    group = (await person.call("POST", "/groups", {"name": "before", "member_ids": [other.id]}))["conversation_id"]
    first = await person.send(group, client_message_id="c1")
    await other.call("POST", f"/messages/{first['message_id']}/reactions", {"emoji": "heart"})
    await person.call("POST", f"/messages/{first['message_id']}/pin")
    before = await said_in(other, group), await person.call("GET", f"/conversations/{group}")
    made = await plane(town, "POST", "/snapshots", {"name": "talk"})

    async with other.listening() as ear:
        await person.send(group, client_message_id="c2")
        await person.call("PATCH", f"/groups/{group}", {"name": "after"})
        await other.call("POST", f"/conversations/{group}/read", {"seq": 2})
        later = await town.person()  # a login that the snapshot does not have
        await person.call("PATCH", f"/groups/{group}", {"add_member_ids": [later.id]})
        async with later.listening() as cut, opened(town.server, "/ws/human") as silent:
            assert await plane(town, "POST", "/snapshots/talk/restore") == made
            assert await cut.closed() == (4410, "restore")
            # A socket that has not said who it is may still do so.
            await silent.say({"type": "auth", "token": later.token})
            assert (await silent.next())["reason"] == "invalid_token"
        assert await later.refused("GET", "/users/me") == (401, "INVALID_TOKEN")

        assert (await said_in(other, group), await person.call("GET", f"/conversations/{group}")) == before
        await ear.quiet()
        again = await person.send(group, client_message_id="c2")
        assert again["conversation_seq"] == 2
        assert (await ear.next("message.new"))["message_id"] == again["message_id"]
    assert await person.send(group, client_message_id="c1") == first


async def test_what_waits_for_an_agent_waits_again(town: Town) -> None:
    owner, person, agent = await town.owner(), await town.person(), town.agent()
    await owner.call("PATCH", f"/agents/{agent.id}", {"connection_mode": "polling"})
    conversation = await person.use(agent)
    sent = await person.send(conversation)

    async def poll(**query: int) -> tuple[list[str], str]:
        path = f"/agents/{agent.id}/messages/poll"
        answer = (await agent.http.get(path, params={"wait": 0, **query}, timeout=PATIENCE)).json()
        return [one["event"].get("message_id", "") for one in answer["data"]], answer["next_cursor"]

    await plane(town, "POST", "/snapshots", {"name": "waiting"})
    told, cursor = await poll()
    assert told == ["", sent["message_id"]]
    assert (await poll(cursor=int(cursor)))[0] == []
    waiting = asyncio.create_task(poll(cursor=int(cursor), wait=25))
    wire = town.wire
    await until(lambda: town.on_loop(lambda: wire._post is not None and agent.id in wire._post._wakeups))
    await plane(town, "POST", "/snapshots/waiting/restore")
    assert (await waiting)[0] == told, "a poll that waits looks again"


async def polled(agent: Person, **query: object) -> list[tuple[int, str]]:
    """What a poll gives: cursor, and the id of the message ("" for another event)."""
    asked = {"wait": "0", **{name: str(value) for name, value in query.items()}}
    answer = await agent.http.get(f"/agents/{agent.id}/messages/poll", params=asked, timeout=PATIENCE)
    return [(int(one["cursor"]), one["event"].get("message_id", "")) for one in answer.json()["data"]]


@pytest.mark.parametrize("back", ["/snapshots/earlier/restore", "/reset"])
async def test_a_cursor_of_before_takes_no_event_away_that_came_after(town: Town, back: str) -> None:
    """An agent that polls on with its old cursor, after as many new events as it has seen and more."""
    owner, person, agent = await town.owner(), await town.person(7), town.agent()
    await owner.call("PATCH", f"/agents/{agent.id}", {"connection_mode": "polling"})
    conversation = await person.use(agent)
    waiting = [(await person.send(conversation))["message_id"] for _ in range(2)]
    await plane(town, "POST", "/snapshots", {"name": "earlier"})
    for _ in range(3):
        await person.send(conversation)
    old = (await polled(agent))[-1][0]
    assert await polled(agent, cursor=old) == []
    await plane(town, "POST", back)

    if back == "/reset":
        waiting = []
        owner, person = await town.owner(), await town.person(7)
        await owner.call("PATCH", f"/agents/{agent.id}", {"connection_mode": "polling"})
    conversation = await person.use(agent)
    sent = [*waiting, *[(await person.send(conversation))["message_id"] for _ in range(old + 3)]]
    found = await polled(agent, cursor=old)
    assert [message for _, message in found if message] == sent
    assert min(cursor for cursor, _ in found) > old
    assert await polled(agent, cursor=found[-1][0]) == []


@pytest.mark.parametrize("back", ["/snapshots/quiet/restore", "/reset"])
async def test_an_answer_to_what_is_gone_is_not_given(town: Town, back: str) -> None:
    async def place(person: Person) -> str:
        answer = await person.http.get("/users/search", params={"q": "Slow"})
        (slow,) = answer.json()["data"]
        made = await person.call("POST", "/conversations", {"user_id": slow["user_id"]})
        return str(made["conversation_id"])

    person = await town.person()
    conversation = await place(person)
    await plane(town, "POST", "/snapshots", {"name": "quiet"})
    async with person.listening() as ear:
        await person.send(conversation)
        await ear.next("message.status_updated")  # the other has it, and thinks about it
        await plane(town, "POST", back)

        async def over() -> bool:
            await plane(town, "POST", "/clock/advance", {"seconds": 3600})
            return bool((await plane(town, "GET", "/health"))["turns"] == 0)

        await until(over)
    person = await town.person()
    assert await said_in(person, await place(person)) == []


async def test_a_socket_that_has_renewed_stays_through_a_restore(town: Town) -> None:
    person = await town.person()
    async with person.listening() as ear:
        for _ in range(9):
            await plane(town, "POST", "/clock/advance", {"seconds": 28})
            await ear.quiet()
        renewed = (await person.http.post("/auth/refresh")).json()["data"]["access_token"]
        await ear.say({"type": "auth.renew", "access_token": renewed})
        await ear.next("auth.ok")
        await plane(town, "POST", "/snapshots", {"name": "renewed"})
        for _ in range(2):  # the first token is over then
            await plane(town, "POST", "/clock/advance", {"seconds": 28})
            await ear.quiet()
        await plane(town, "POST", "/snapshots/renewed/restore")
        await ear.quiet()


async def test_the_bytes_of_files_go_with_a_reset(town: Town) -> None:
    person, other = await town.person(), await town.person()
    conversation = await person.pair(other)
    about = {"filename": "a.txt", "content_type": "text/plain", "size": len(CONTENT)}
    upload = (await person.call("POST", "/files", {**about, "conversation_id": conversation}))["upload_id"]
    await person.http.put(f"/files/{upload}/upload", content=CONTENT, headers={"content-type": "text/plain"})
    await person.call("POST", "/files/confirm", {"upload_id": upload, "sha256": sha256(CONTENT).hexdigest()})
    await plane(town, "POST", "/snapshots", {"name": "with a file"})
    await plane(town, "POST", "/snapshots/with a file/restore")
    assert (await other.http.get(f"/files/{upload}")).content == CONTENT
    await plane(town, "POST", "/reset")
    assert list((town.server.settings.data / "hashee").iterdir()) == []
    await plane(town, "POST", "/snapshots/with a file/restore")
    assert await other.refused("GET", f"/files/{upload}") == (404, "NOT_FOUND")


async def test_a_snapshot_of_one_kind_of_store_fits_into_another(
    tmp_path: Path, empty_database: Callable[[], str]
) -> None:
    fixtures = write_cast(tmp_path / "fixtures")
    with LiveServer(tmp_path / "data", fixtures=fixtures, watch=False) as server:
        town = Town(server)
        person, other = await town.person(1), await town.person(2)
        conversation = await person.pair(other)
        await person.send(conversation)
        said = await said_in(person, conversation)
        await plane(town, "POST", "/snapshots", {"name": "kept"})
        for client in town.clients:
            await client.aclose()
    with LiveServer(tmp_path / "data", fixtures=fixtures, watch=False, store={"url": empty_database()}) as server:
        town = Town(server)
        await plane(town, "POST", "/snapshots/kept/restore")
        person = await town.person(1)
        assert await said_in(person, conversation) == said
        assert (await person.send(conversation))["conversation_seq"] == 2
        for client in town.clients:
            await client.aclose()

"""What is kept with a time, where the clock is another when it is read: nothing waits for a time that does not come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from app.hashee.accounts import SESSIONS
from app.hashee.files import AT_ONCE, PER_DAY
from app.hashee.ledger import Tx
from app.hashee.tables import files
from tests.hashee.conftest import STORES, store_of
from tests.hashee.people import Town, taken, write_cast
from tests.hashee.test_delivery import attempts, hook, idle, webhook_agent
from tests.hashee.test_snapshots import plane
from tests.live import PATIENCE, LiveServer

YEAR = 365 * 86_400.0
Jump = Callable[[Town], Any]


@pytest.fixture(scope="module", params=STORES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("deadlines")
    fixtures = write_cast(folder / "fixtures")
    with LiveServer(folder / "data", fixtures=fixtures, watch=False, seed=1, store=store_of(request)) as running:
        yield running


@pytest.fixture
async def town(server: LiveServer) -> AsyncIterator[Town]:
    made = Town(server)
    await plane(made, "POST", "/clock/advance", {"seconds": 2 * YEAR})  # so that it can be set back
    yield made
    await plane(made, "POST", "/reset")
    for client in made.clients:
        await client.aclose()


async def set_back(town: Town) -> None:
    now = (await plane(town, "GET", "/clock"))["time"]
    await plane(town, "POST", "/clock/set", {"instant": now - YEAR})


async def put_back(town: Town) -> None:
    """A snapshot, a reset (which sets the clock to its beginning), and the snapshot again."""
    await plane(town, "POST", "/snapshots", {"name": "later"})
    await plane(town, "POST", "/reset")
    await plane(town, "POST", "/snapshots/later/restore")


JUMPS = [set_back, put_back]


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_webhook_is_tried_again_and_holds_up_no_conversation(town: Town, jump: Jump) -> None:
    async with hook(200, 500, 500) as listener:
        person, agent = await town.person(), await webhook_agent(town, listener.url)
        conversation = await person.use(agent)
        await listener.next()
        sent = [await person.send(conversation) for _ in range(2)]
        first, _ = await listener.next()
        await attempts(person, agent.id, 1)
        await plane(town, "POST", "/clock/advance", {"seconds": 1})
        await listener.next()
        await attempts(person, agent.id, 2)
        await jump(town)
        again, body = await listener.next()
        assert again["x-hashee-delivery-id"] == first["x-hashee-delivery-id"]
        assert sent[0]["message_id"] in body.decode()
        assert sent[1]["message_id"] in (await listener.next())[1].decode()
        await idle(town)


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_lock_is_over_and_says_no_fairy_tales(town: Town, jump: Jump) -> None:
    person = await town.person()
    mail = (await person.call("GET", "/users/me"))["email"]

    async def login(password: str) -> tuple[int, str | None]:
        answer = await town.client().post("/auth/login", json={"email": mail, "account_password": password})
        return answer.status_code, answer.headers.get("retry-after")

    for _ in range(4):
        assert await login("wrong") == (401, None)
    assert await login("wrong") == (423, "900")
    await jump(town)
    for _ in range(4):
        assert await login("wrong") == (401, None)
    assert (await login("hashee-demo"))[0] == 200


@pytest.mark.parametrize("jump", JUMPS)
async def test_uploads_of_a_later_time_take_no_place(town: Town, jump: Jump) -> None:
    person, other = await town.person(), await town.person()
    conversation = await person.pair(other)
    about = {"filename": "a", "content_type": "text/plain", "size": 1, "conversation_id": conversation}
    for _ in range(AT_ONCE):
        await person.call("POST", "/files", about)
    assert await person.refused("POST", "/files", about) == (429, "UPLOAD_LIMIT")
    await jump(town)
    await person.call("POST", "/files", about)


async def test_the_bytes_of_a_later_day_do_not_count(town: Town) -> None:
    person, other = await town.person(), await town.person()
    conversation = await person.pair(other)
    about = {"filename": "a", "content_type": "text/plain", "size": PER_DAY // 20}
    post = town.wire._post
    assert post is not None

    def sent(tx: Tx) -> None:
        row = {**about, "owner": f"u:{person.id}", "conversation_id": conversation, "state": "confirmed"}
        tx.run(insert(files), [{**row, "id": tx.ids.uuid4(), "created_at": tx.now} for _ in range(20)])

    await town.server.run(post.ledger.do(sent))
    body = {**about, "conversation_id": conversation}
    assert await person.refused("POST", "/files", body) == (413, "PAYLOAD_TOO_LARGE")
    await set_back(town)
    await person.call("POST", "/files", body)


async def test_an_artifact_ends_though_its_time_does_not_come(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    about = {"expires_in_seconds": 60}
    sent = await agent.send(conversation, content_type="artifact", artifact=about)
    async with person.listening() as ear:
        await set_back(town)
        told = (await ear.next("artifact.expired"))["payload"]
        assert told["artifact_id"] == sent["artifact_id"]
        body = {"ref_action": "submit"}
        path = f"/messages/{sent['message_id']}/artifact-response"
        assert await person.refused("POST", path, body) == (409, "ARTIFACT_EXPIRED")


async def test_a_token_is_good_for_its_life_and_no_longer(town: Town) -> None:
    """Whoever is logged in stays so when the clock is set back, and the token lapses after five minutes."""
    person = await town.person()
    async with person.listening() as ear:
        await set_back(town)
        await person.call("GET", "/users/me")
        await plane(town, "POST", "/clock/advance", {"seconds": 245})
        assert await ear.next() == {"type": "auth.expiring", "expires_in_seconds": 55}
        await person.call("GET", "/users/me")
        await plane(town, "POST", "/clock/advance", {"seconds": 56})
        assert (await ear.next())["payload"]["reason"] == "token_expired"
    assert await person.refused("GET", "/users/me") == (401, "TOKEN_EXPIRED")
    assert (await person.http.post("/auth/refresh")).status_code == 200


async def test_tokens_that_were_lapsed_at_a_later_time_leave_room_for_new_ones(town: Town) -> None:
    person = await town.person()
    await town.client().post(f"/_emulator/hashee/users/{person.id}/expire")
    await set_back(town)
    assert await person.refused("GET", "/users/me") == (401, "TOKEN_EXPIRED")
    renewed = (await person.http.post("/auth/refresh")).json()["data"]["access_token"]
    person.http.headers["Authorization"] = f"Bearer {renewed}"
    await person.call("GET", "/users/me")
    await plane(town, "POST", "/clock/advance", {"seconds": 301})
    assert await person.refused("GET", "/users/me") == (401, "TOKEN_EXPIRED")


async def test_sessions_of_a_later_time_are_the_first_to_end(town: Town) -> None:
    number = taken(town.server, "user")
    for _ in range(SESSIONS):
        await town.person(number)
    await set_back(town)
    fresh = [await town.person(number) for _ in range(3)]
    for person in fresh:
        await person.call("GET", "/users/me")


async def test_a_restart_after_an_advance_tries_webhooks_again(tmp_path: Path) -> None:
    fixtures = write_cast(tmp_path / "fixtures")
    async with hook(500) as listener:
        with LiveServer(tmp_path / "data", fixtures=fixtures, watch=False) as server:
            town = Town(server)
            await plane(town, "POST", "/clock/advance", {"seconds": YEAR})
            person, agent = await town.person(1), await webhook_agent(town, listener.url)
            await person.use(agent)
            first, _ = await listener.next()
            await attempts(person, agent.id, 1)
            for client in town.clients:
                await client.aclose()
        with LiveServer(tmp_path / "data", fixtures=fixtures, watch=False):
            again, _ = await listener.next()
            assert again["x-hashee-delivery-id"] == first["x-hashee-delivery-id"]


async def test_what_a_dead_process_was_trying_is_tried_after_a_restart(tmp_path: Path) -> None:
    """It was killed in mid-try, a year ahead: its claim would hold for that year."""
    fixtures = write_cast(tmp_path / "fixtures")
    held = asyncio.get_running_loop().create_future()
    async with hook(held) as listener:
        with LiveServer(tmp_path / "data", fixtures=fixtures, watch=False) as server:
            town = Town(server)
            await plane(town, "POST", "/clock/advance", {"seconds": YEAR})
            person, agent = await town.person(1), await webhook_agent(town, listener.url)
            await person.use(agent)
            first, _ = await listener.next()
            for client in town.clients:
                await client.aclose()
        with LiveServer(tmp_path / "data", fixtures=fixtures, watch=False):
            async with asyncio.timeout(PATIENCE):
                again, _ = await listener.next()
            assert again["x-hashee-delivery-id"] == first["x-hashee-delivery-id"]
        held.cancel()

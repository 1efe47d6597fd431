"""Rate limits and locks where the emulated time stands still: whoever waits is served again."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from tests.hashee.people import Town

Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Moves the machine's clock on, as limits see it; the emulated time of the server moves by hand only."""
    ahead = [0.0]

    def move(seconds: float) -> None:
        ahead[0] += seconds

    monkeypatch.setattr("app.emulation.limit_clock.machine_monotonic", lambda: time.monotonic() + ahead[0])
    return move


async def call(town: Town, path: str, body: dict[str, str]) -> httpx.Response:
    return await town.client().post(path, json=body)


async def test_an_agent_speaks_again_after_a_second(still: Town, later: Later) -> None:
    person, agent = await still.person(), still.agent()
    conversation = await person.use(agent)
    later(1)
    for _ in range(3):
        for _ in range(5):
            await agent.send(conversation)
        later(1)


async def test_a_socket_is_not_deaf_after_a_hundred_frames(still: Town, later: Later) -> None:
    async with (await still.person()).listening() as ear:
        for _ in range(3):
            for _ in range(101):
                await ear.say({"type": "ping"})
            assert (await ear.next("error"))["payload"]["code"] == "RATE_LIMITED"
            later(3)
            await ear.say({"type": "ping"})
            assert await ear.next("pong") == {"type": "pong"}
            later(3)


async def test_a_flood_ends_a_socket_though_the_time_stands_still(still: Town, later: Later) -> None:
    async with (await still.person()).listening() as ear:
        for _ in range(10):
            for _ in range(101):
                await ear.say({"type": "ping"})
            assert (await ear.next("error"))["payload"]["code"] == "RATE_LIMITED"
            later(1)
        for _ in range(101):
            await ear.say({"type": "ping"})
        assert await ear.closed() == (1008, "rate limit")


async def test_more_than_ten_may_register_in_the_end(still: Town, later: Later) -> None:
    later(600)
    answers = []
    for number in range(12):
        email = f"limits{number}@example.com"
        await call(still, "/auth/send-code", {"email": email, "scene": "register"})
        body = {
            "email": email,
            "code": "123456",
            "display_name": "N",
            "account_password": "a-long-password",
            "protection_password": "another-password",
        }
        answer = await call(still, "/auth/register", body)
        if answer.status_code == 429:
            later(float(answer.json()["error"]["params"]["retry_after"]))
            answer = await call(still, "/auth/register", body)
            answers.append("waited")
        assert answer.is_success, answer.text
    assert answers == ["waited"]


async def test_a_locked_address_opens_after_fifteen_minutes(still: Town, later: Later) -> None:
    person = await still.person()
    mail = (await person.call("GET", "/users/me"))["email"]
    for _ in range(5):
        await call(still, "/auth/login", {"email": mail, "account_password": "wrong"})
    right = {"email": mail, "account_password": "hashee-demo"}
    assert (await call(still, "/auth/login", right)).status_code == 423
    later(901)
    assert (await call(still, "/auth/login", right)).status_code == 200


async def test_uploads_that_were_given_up_make_room_in_the_end(still: Town, later: Later) -> None:
    person, other = await still.person(), await still.person()
    about = {"filename": "f", "content_type": "text/plain", "size": 1, "conversation_id": await person.pair(other)}
    for _ in range(2):
        for _ in range(5):
            await person.call("POST", "/files", about)
        assert (await person.refused("POST", "/files", about))[0] == 429
        later(3601)

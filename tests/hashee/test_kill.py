"""A server that is killed under load, twenty times: every acknowledged message is there once, in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.hashee.fixtures import PASSWORD, uid
from tests.hashee.people import PAYLOAD, agent_token, email, write_cast
from tests.live import Json

ROUNDS = int(os.environ.get("HASHEE_KILLS", "20"))
PER_ROUND = 40
SENDERS = 8


class Served:
    """The server as a process of its own."""

    def __init__(self, data: Path, fixtures: Path, store: str | None) -> None:
        options = ["--port", "0", "--data", str(data), "--fixtures", str(fixtures)]
        self._command = [sys.executable, "-m", "app.cli", "serve", *options]
        self._env = {**os.environ, "CHLDO_HASHEE_AGENT_RATE": "1000", "CHLDO_WATCH": "false"}
        if store is not None:
            self._env["CHLDO_STORE_URL"] = store

    async def start(self) -> str:
        """Starts it; its address, once it is ready."""
        self.process = await asyncio.create_subprocess_exec(
            *self._command, env=self._env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(120), httpx.AsyncClient() as client:
            while (found := re.search(rb"(http://[\d.]+:\d+)", await self.process.stdout.readline())) is None:
                assert self.process.returncode is None
            base = found[1].decode()
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{base}/_emulator/health/ready")).status_code == 200:
                        return base
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


async def logged_in(base: str, number: int) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=base, timeout=30)
    answer = await client.post("/auth/login", json={"email": email(number), "account_password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {answer.json()['data']['access_token']}"
    return client


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_every_acknowledged_message_survives_kill_9(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = None
    if kind == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("empty_database")
        store = make()
    agent = uid("agent", "agent1")
    extra = f"relations:\n  - {{user: {email(1)}, agent: agent1}}\n"
    fixtures = write_cast(tmp_path / "fixtures", extra)
    text = (fixtures / "hashee.yaml").read_text(encoding="utf-8")
    (fixtures / "hashee.yaml").write_text(
        text.replace("{name: agent1,", "{name: agent1, connection_mode: polling,"), encoding="utf-8"
    )
    served = Served(tmp_path / "data", fixtures, store)
    acknowledged: dict[str, int] = {}
    polled: list[int] = []
    cursor = ""
    bearer = {"authorization": f"Bearer {agent_token(1)}"}

    async def fetch(base: str) -> None:
        """What the agent gets by poll, from where it was."""
        nonlocal cursor
        async with httpx.AsyncClient(base_url=base, headers=bearer, timeout=30) as poller:
            while True:
                asked = {"wait": "0", "limit": "200", **({"cursor": cursor} if cursor else {})}
                answer = (await poller.get(f"/agents/{agent}/messages/poll", params=asked)).json()
                if not answer["data"]:
                    return
                cursor = answer["next_cursor"]
                polled.extend(one["event"]["conversation_seq"] for one in answer["data"])

    for number in range(ROUNDS):
        base = await served.start()
        await fetch(base)
        client = await logged_in(base, 1)
        conversation = (await client.get("/conversations")).json()["data"][0]["conversation_id"]
        enough = asyncio.Event()
        got = 0

        async def send(
            sender: int, client: httpx.AsyncClient, conversation: str, round_number: int, enough: asyncio.Event
        ) -> None:
            nonlocal got
            for count in range(10_000):
                name = f"{round_number}-{sender}-{count}"
                body = {"content_type": "text", "encrypted_payload": PAYLOAD, "client_message_id": name}
                try:
                    answer = await client.post(f"/conversations/{conversation}/messages", json=body)
                except httpx.TransportError:
                    return  # killed: whether this one is kept is open
                data: Json = answer.json()["data"]
                acknowledged[name] = data["conversation_seq"]
                got += 1
                if got >= PER_ROUND:
                    enough.set()

        senders = [asyncio.ensure_future(send(one, client, conversation, number, enough)) for one in range(SENDERS)]
        await enough.wait()
        await served.kill()
        await asyncio.gather(*senders)
        await client.aclose()
    base = await served.start()
    try:
        await fetch(base)
        client = await logged_in(base, 1)
        history: list[Json] = []
        after = 0
        while True:
            path = f"/conversations/{conversation}/messages?after_seq={after}&limit=200"
            page = (await client.get(path)).json()["data"]
            if not page:
                break
            history += page
            after = page[-1]["conversation_seq"]
        await client.aclose()
    finally:
        await served.kill()
    assert len(acknowledged) >= ROUNDS * PER_ROUND
    kept = {one["client_message_id"]: one["conversation_seq"] for one in history}
    assert len(kept) == len(history), "a message is there twice"
    assert {name: kept.get(name) for name in acknowledged} == acknowledged
    assert [one["conversation_seq"] for one in history] == list(range(1, len(history) + 1))
    for number in range(ROUNDS):  # each sender's in the order in which it sent them
        for sender in range(SENDERS):
            mine = [seq for name, seq in kept.items() if name.startswith(f"{number}-{sender}-")]
            assert mine == sorted(mine)
    fresh = list(dict.fromkeys(polled))
    assert fresh == [one["conversation_seq"] for one in history], "the agent missed something, or out of order"

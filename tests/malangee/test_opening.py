"""Who may open a socket, and how a refusal looks from outside."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from app.emulation.journal import Query
from tests.live import LiveServer
from tests.malangee.caller import GUEST, MEMBER, call, journal, notes
from tests.malangee.conftest import QUICK

API = "/api/v1"
MINA = {"username": "mina@example.com", "password": "malangee2026"}
JUNHO = {"username": "junho@example.com", "password": "malangee2026"}


async def token(server: LiveServer, who: dict[str, str] = MINA) -> str:
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"{server.http}{API}/auth/login", data=who)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def unsigned(**claims: Any) -> str:
    def part(body: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.mock_signature_for_testing"


async def refused(server: LiveServer, path: str, **options: Any) -> int:
    with pytest.raises(InvalidStatus) as error:
        async with call(server, path, **options):
            pass
    assert error.value.response.body in (b"", None)
    return error.value.response.status_code


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/nowhere",
        f"{API}/chat/ws/guest-chat/",
        f"{API}/chat/ws/guest-chat/a/b",
        f"{GUEST}/x?show_text=maybe",
        f"{MEMBER}/demo-airport",
        f"{MEMBER}/demo-airport?token=nonsense",
        f"{MEMBER}/demo-airport?token={unsigned(sub='mina@example.com', exp=4_000_000_000)}",
        f"{API}/ws/scenario",
        f"{API}/scenarios/ws/scenario?token=a.b.c",
    ],
)
async def test_a_handshake_is_refused_with_403(quick: LiveServer, path: str) -> None:
    assert await refused(quick, path) == 403


@pytest.mark.parametrize("way", ["query", "header", "subprotocol"])
async def test_a_token_comes_in_three_ways(quick: LiveServer, way: str) -> None:
    told = await token(quick)
    path = f"{MEMBER}/demo-airport"
    options: dict[str, Any] = {}
    if way == "query":
        path += f"?token={told}"
    elif way == "header":
        options = {"additional_headers": {"Authorization": f"Bearer {told}"}}
    else:
        options = {"subprotocols": [told]}
    async with call(quick, path, **options) as caller:
        await caller.until("ready")
        assert caller.socket.subprotocol == (told if way == "subprotocol" else None)


async def test_the_token_is_in_no_journal(quick: LiveServer) -> None:
    told = await token(quick)
    async with call(quick, f"{MEMBER}/demo-airport?token={told}") as caller:
        await caller.until("ready")
    assert told not in json.dumps(journal(quick, Query(wire="malangee")))


async def test_somebody_elses_session_is_4003_and_a_deleted_one_4004(quick: LiveServer) -> None:
    async with call(quick, f"{MEMBER}/demo-airport?token={await token(quick, JUNHO)}") as caller:
        assert await caller.gone() == (4003, "Unauthorized access to this session")
    async with call(quick, f"{GUEST}/demo-airport") as caller:
        assert await caller.gone() == (4003, "Unauthorized access to this session")
    async with call(quick, f"{GUEST}/demo-deleted") as caller:
        assert await caller.gone() == (4004, "Session not found")
    assert caller.frames == []


async def test_strict_tokens_expire_and_lax_ones_too(tmp_path: Path) -> None:
    settings = {**QUICK, "tokens": "lax", "strict_paths": True, "strict_sessions": True, "guest_life": 60.0}
    with LiveServer(tmp_path, malangee=settings) as server:
        good = unsigned(sub="mina@example.com", exp=4_000_000_000)
        async with call(server, f"{MEMBER}/demo-airport?token={good}") as caller:
            await caller.until("ready")
        assert await refused(server, f"{MEMBER}/x?token={unsigned(sub='mina@example.com', exp=1)}") == 403
        assert await refused(server, f"{MEMBER}/x?token={unsigned(sub='nobody', exp=4_000_000_000)}") == 403
        assert await refused(server, f"{API}/scenario/ws/guest-scenario") == 403
        async with call(server, f"{GUEST}/unknown") as caller:
            assert await caller.gone() == (4004, "Session not found")
        signed = await token(server)
        server.loop.call_soon_threadsafe(server.program.stage.world.clock.advance, 20_000.0)
        assert await refused(server, f"{MEMBER}/demo-airport?token={signed}") == 403
        async with call(server, f"{GUEST}/demo-guest") as caller:
            assert await caller.gone() == (4004, "Session not found")


async def test_a_guests_session_does_not_expire_while_it_is_talked_in(tmp_path: Path) -> None:
    settings = {**QUICK, "guest_life": 60.0, "pace": "burst"}
    with LiveServer(tmp_path, malangee=settings) as server:
        people = server.program.wires[1]._open.parts.people  # type: ignore[attr-defined]
        async with call(server, f"{GUEST}/demo-guest") as caller:
            await caller.until("audio.done")
            await server.advance(61)
            async with call(server, f"{GUEST}/demo-guest") as again:
                await again.until("ready")
            await server.advance(61)
            await caller.send({"type": "text", "text": "Hello"})
            await caller.until("audio.done", 2)
            row = await server.run(people.session("demo-guest"))
            assert server.program.stage.world.clock.time() - row.updated_at < 30, "used, for a server that starts now"
            await caller.send({"type": "disconnect"})
            await caller.gone()
        await server.advance(59)
        async with call(server, f"{GUEST}/demo-guest") as caller:
            await caller.until("ready")
            await caller.send({"type": "disconnect"})
            await caller.gone()
        await server.advance(61)
        async with call(server, f"{GUEST}/demo-guest") as caller:
            assert await caller.gone() == (4004, "Session not found")


async def test_a_withdrawn_user_talks_until_the_token_expires(quick: LiveServer) -> None:
    who = {"login_id": "leaving@example.com", "nickname": "leaving", "password": "malangee2026"}
    async with httpx.AsyncClient(base_url=f"{quick.http}{API}", timeout=60) as client:
        assert (await client.post("/auth/signup", json=who)).status_code == 200
        told = await token(quick, {"username": who["login_id"], "password": who["password"]})
        gone = await client.delete("/users/me", headers={"Authorization": f"Bearer {told}"})
        assert gone.json()["is_active"] is False
    async with call(quick, f"{MEMBER}/leaving?token={told}") as caller:
        await caller.until("ready")


async def test_a_wrong_spelling_works_and_is_noted(quick: LiveServer) -> None:
    async with call(quick, f"{API}/scenario/ws/guest-scenario") as caller:
        await caller.until("ready")
    assert notes(quick, "wrong path")


async def test_a_member_takes_over_a_guests_session(quick: LiveServer) -> None:
    async with call(quick, f"{GUEST}/mine-later") as caller:
        await caller.until("ready")
    async with call(quick, f"{MEMBER}/mine-later?token={await token(quick)}") as caller:
        await caller.send({"type": "disconnect"})
        await caller.gone()
    async with call(quick, f"{GUEST}/mine-later") as caller:
        assert (await caller.gone())[0] == 4003

"""How fast the AI's sound comes, sentence by sentence, and who opens a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.malangee.dialects import dialect_of
from tests.live import LiveServer
from tests.malangee.caller import GUEST, call, notes
from tests.malangee.conftest import QUICK

GREETING = "Hi there! Welcome to our cafe. What can I get for you today?"
SCENARIO = "/api/v1/scenarios/ws/guest-scenario"


def test_only_the_backends_chat_comes_in_bursts_unless_a_setting_says_otherwise() -> None:
    factors = {
        (name, purpose): dialect_of(name, purpose).factor
        for name in ("guide", "backend")
        for purpose in ("chat", "scenario")
    }
    assert factors == {
        ("guide", "chat"): 1.0,
        ("guide", "scenario"): 1.0,
        ("backend", "chat"): None,
        ("backend", "scenario"): 1.0,
    }
    assert dialect_of("backend", "chat", pace="realtime").factor == 1.0
    assert dialect_of("guide", "chat", pace="burst").factor is None
    assert dialect_of("backend", "scenario", pace=4.0).factor == 4.0


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose time stands still, with the pace that each dialect has by default."""
    with LiveServer(tmp_path_factory.mktemp("frozen"), malangee=QUICK) as server:
        asyncio.run_coroutine_threadsafe(freeze(server), server.loop).result(20)
        yield server


async def freeze(server: LiveServer) -> None:
    server.program.stage.world.clock.freeze()


async def test_while_time_stands_still_only_a_burst_goes_on(frozen: LiveServer) -> None:
    wire = frozen.program.wires[1]
    wire.revision = "backend"
    try:
        async with call(frozen, f"{GUEST}/burst") as caller:
            told = await caller.until("transcript.done")
            assert told["transcript"] == "Hello! It is nice to talk with you. Shall we start?"
        async with call(frozen, SCENARIO) as caller:
            await caller.until("response.audio.delta")
            await caller.socket.ping()
            assert caller.types == ["ready", "response.audio.delta"]
            assert caller.count("response.audio.delta") == 1
    finally:
        wire.revision = "guide"
    async with call(frozen, f"{GUEST}/demo-guest") as caller:
        await caller.until("audio.delta")
        await caller.settled()
        assert caller.count("audio.delta") == 1


async def test_a_greeting_that_is_cut_is_told_as_far_as_it_came(frozen: LiveServer) -> None:
    async with call(frozen, f"{GUEST}/demo-guest") as caller:
        await caller.until("audio.delta")
        await caller.send({"type": "disconnect"})
        report = (await caller.until("disconnected"))["report"]
    assert [one["content"] for one in report["messages"]] == ["Hi there!"]


async def test_a_new_voice_is_heard_within_the_greeting(quick: LiveServer) -> None:
    sounds = []
    for voice in ("alloy", "echo"):
        async with call(quick, f"{GUEST}/demo-guest") as caller:
            await caller.until("audio.delta")
            await caller.send({"type": "session.update", "config": {"voice": voice}})
            await caller.until("audio.done")
            assert caller.frames[caller.place("transcript.done")]["transcript"] == GREETING
            sounds.append(bytes(caller.audio))
    assert sounds[0][:4_800] == sounds[1][:4_800], "the first sentence in the old voice"
    assert sounds[0][-9_600:] != sounds[1][-9_600:], "the last one in the new voice"


@pytest.mark.parametrize("name", ["quick", "burst"])
async def test_the_ai_opens_once_whatever_is_asked_for(name: str, request: pytest.FixtureRequest) -> None:
    """The front end sends `response.create` half a second after it starts the microphone."""
    server: LiveServer = request.getfixturevalue(name)
    async with call(server, f"{GUEST}/demo-guest") as caller:
        await caller.until("audio.done")
        for _ in range(3):
            await caller.send({"type": "response.create"})
        await caller.settled()
        assert caller.types == ["ready", "audio.delta", "transcript.done", "audio.done", "error"]
        await caller.send({"type": "text", "text": "Hello"})
        await caller.until("audio.done", 2)
        await caller.send({"type": "response.create"})
        await caller.until("audio.done", 3)
    (*_, why) = [one["why"] for one in notes(server, "ignored", "demo-guest") if one.get("type") == "response.create"]
    assert why == "the AI has opened, and the user has said nothing yet"


async def test_without_a_greeting_response_create_opens_once(burst: LiveServer) -> None:
    async with call(burst, f"{GUEST}/nobody-greets") as caller:
        await caller.send({"type": "response.create"})
        await caller.until("audio.done")
        await caller.send({"type": "response.create"})
        await caller.settled()
        assert caller.types == ["ready", "audio.delta", "transcript.done", "audio.done", "error"]


async def test_with_a_seed_and_in_real_time_pauses_cost_none(tmp_path: Path) -> None:
    """The pace is taken on the emulated clock: what a seeded server says in real time is there at once."""
    with LiveServer(tmp_path, seed=3, malangee=QUICK) as server:
        async with call(server, f"{GUEST}/demo-guest") as caller:
            await caller.until("audio.done")
            await caller.send({"type": "response.create"})
            await caller.send({"type": "disconnect"})
            report = (await caller.until("disconnected"))["report"]
    assert [one["content"] for one in report["messages"]] == [GREETING]
    assert report["total_duration_sec"] == pytest.approx(report["messages"][0]["duration_sec"], abs=0.2)

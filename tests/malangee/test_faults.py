"""Faults of the emulator strike on this wire as on any other; a seed gives the same conversation twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.live import LiveServer, write_fixtures
from tests.malangee.caller import GUEST, Sound, call
from tests.malangee.conftest import QUICK

SETTINGS = {**QUICK, "pace": "burst"}


def faulty(folder: Path, *rules: dict[str, Any]) -> LiveServer:
    made = write_fixtures(folder / "f", replies=[])
    (made / "faults.yaml").write_text(json.dumps({"faults": list(rules)}), encoding="utf-8")
    return LiveServer(folder / "data", fixtures=made, malangee=SETTINGS)


WIRE = {"wire": "malangee"}


async def test_frames_are_named_by_their_type(tmp_path: Path) -> None:
    with faulty(
        tmp_path,
        {"fault": "edit", "set": {"transcript": ""}, "when": {**WIRE, "frame": "user.transcript"}},
        {"fault": "swap", "when": {**WIRE, "frame": "transcript.done"}},
        {"fault": "drop", "when": {**WIRE, "frame": "disconnected"}},
    ) as server:
        async with call(server, f"{GUEST}/x") as caller:
            await caller.send({"type": "text", "text": "Hello"})
            await caller.until("transcript.done")
            assert caller.types == ["ready", "audio.delta", "audio.done", "transcript.done"]
            await caller.send({"type": "disconnect"})
            assert await caller.gone() == (1000, "")
        assert caller.count("disconnected") == 0


async def test_handshakes_and_connections_are_broken(tmp_path: Path) -> None:
    with faulty(
        tmp_path,
        {"fault": "flap", "connections": 2, "when": {**WIRE, "room": "flap"}},
        {"fault": "close", "code": 4003, "reason": "x", "after_frames": 2, "when": {**WIRE, "room": "closed"}},
    ) as server:
        for _ in range(2):
            with pytest.raises(InvalidStatus):
                async with call(server, f"{GUEST}/flap"):
                    pass
        async with call(server, f"{GUEST}/flap") as caller:
            await caller.until("ready")
        async with call(server, f"{GUEST}/closed") as caller:
            await caller.send({"type": "text", "text": "Hello"})
            assert await caller.gone() == (4003, "x")


async def test_old_sound_comes_after_an_interruption(tmp_path: Path, spoken: Callable[[str], Sound]) -> None:
    late = {"type": "audio.delta", "delta": "AAAA"}
    with faulty(
        tmp_path, {"fault": "foreign", "text": json.dumps(late), "when": {**WIRE, "frame": "speech.stopped"}}
    ) as server:
        async with call(server, f"{GUEST}/late") as caller:
            await caller.speak(spoken("coffee").pcm, pace=8.0)
            await caller.until("speech.stopped")
            place = caller.place("speech.stopped")
            assert caller.frames[place - 1] == late
            assert caller.place("speech.started") < place - 1


async def test_voices_fail_and_end_early(tmp_path: Path) -> None:
    with faulty(
        tmp_path,
        {"fault": "voice-failed", "when": {**WIRE, "message": "Silence"}},
        {"fault": "voice-truncated", "keep": 0.5, "when": {**WIRE, "message": "Half"}},
    ) as server:
        sizes = {}
        for text in ("Whole", "Half", "Silence"):
            async with call(server, f"{GUEST}/{text}") as caller:
                await caller.send({"type": "text", "text": text})
                await caller.until("audio.done")
                sizes[text] = len(caller.audio)
    assert sizes["Silence"] == 0
    assert sizes["Half"] == pytest.approx(sizes["Whole"] / 2, abs=10)


async def test_a_seed_gives_the_same_frames_twice(tmp_path: Path, spoken: Callable[[str], Sound]) -> None:
    async def talk(folder: Path) -> list[str]:
        with LiveServer(folder, seed=7, malangee=SETTINGS) as server:
            async with call(server, f"{GUEST}/seeded") as caller:
                await caller.speak(spoken("coffee").pcm)
                await caller.until("audio.done")
                await caller.send({"type": "disconnect"})
                await caller.gone()
            async with call(server, "/api/v1/ws/guest-scenario") as other:
                await other.send({"type": "text", "text": "I am at the hotel with the agent and I want to check in."})
                await other.until("scenario.completed")
            return [json.dumps(frame) for frame in (*caller.frames, *other.frames)]

    assert await talk(tmp_path / "a") == await talk(tmp_path / "b")


async def test_a_model_that_fails_is_told_and_the_talk_goes_on(tmp_path: Path) -> None:
    error = {"fault": "llm-error", "status": 500, "after_tokens": 0, "when": {**WIRE, "message": "Fail"}}
    with faulty(tmp_path, error) as server:
        async with call(server, f"{GUEST}/x") as caller:
            await caller.send({"type": "text", "text": "Fail"})
            assert (await caller.until("error"))["code"] == "server_error"
            await caller.send({"type": "text", "text": "Hello"})
            await caller.until("audio.done")


async def test_a_store_that_fails_closes_with_1011(tmp_path: Path) -> None:
    with faulty(tmp_path, {"fault": "store-full", "operation": "read"}) as server:
        async with call(server, f"{GUEST}/x") as caller:
            assert await caller.gone() == (1011, "Internal server error")
        async with httpx.AsyncClient(base_url=server.http, timeout=60) as client:
            answer = await client.get("/api/v1/scenarios")
            assert (answer.status_code, answer.json()) == (503, {"detail": "the store fails, try again"})


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "voice-late", "seconds": 3600},
        {"fault": "delay", "seconds": 3600},
        {"fault": "slow-tokens", "per_second": 0.01},
        {"fault": "hang"},
    ],
    ids=lambda rule: rule["fault"],
)
async def test_what_a_fault_makes_wait_goes_on_when_it_is_deleted(quick: LiveServer, rule: dict[str, Any]) -> None:
    room = f"lifted-{rule['fault']}"
    frame = {"frame": "transcript.done"} if rule["fault"] == "delay" else {}
    async with httpx.AsyncClient(base_url=f"{quick.http}/_emulator", timeout=30) as http:
        made = await http.post("/faults", json={**rule, "when": {"wire": "malangee", "room": room, **frame}})
        async with call(quick, f"{GUEST}/{room}") as caller:
            await caller.send({"type": "text", "text": "Hello"})
            struck = await http.get("/journal/wait", params={"kind": "fault", "room": room, "timeout": 20})
            assert struck.json()["complete"]
            assert caller.count("audio.done") == 0
            assert (await http.delete(f"/faults/{made.json()['faults'][0]['id']}")).is_success
            await caller.until("audio.done")
            assert caller.count("transcript.done") == 1

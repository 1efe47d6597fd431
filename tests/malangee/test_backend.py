"""The backend's dialect on chat sockets, quirks included; and the switches between the two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.live import LiveServer
from tests.malangee.caller import GUEST, Sound, call
from tests.malangee.conftest import QUICK

TURN = ["audio.delta", "audio.done", "transcript.done"]


async def test_the_ai_greets_and_the_answer_comes_before_or_beside_the_transcript(
    backend: LiveServer, spoken: Callable[[str], Sound]
) -> None:
    async with call(backend, f"{GUEST}/one") as caller:
        await caller.until("transcript.done")
        assert caller.types == TURN
        await caller.speak(spoken("coffee").pcm)
        await caller.until("transcript.done", 2)
    assert caller.types[3:] == ["speech.started", "speech.stopped", "audio.delta", "user.transcript", *TURN]


async def test_an_interruption_is_told(backend: LiveServer, spoken: Callable[[str], Sound]) -> None:
    async with call(backend, f"{GUEST}/two") as caller:
        await caller.until("audio.delta", 2)
        await caller.speak(spoken("coffee").pcm, pace=20.0)
        await caller.until("speech.stopped")
    assert caller.types[:5] == ["audio.delta", "speech.started", "audio.done", "transcript.done", "speech.stopped"]


async def test_commit_text_and_response_create(backend: LiveServer, spoken: Callable[[str], Sound]) -> None:
    sound = spoken("airport")
    async with call(backend, f"{GUEST}/three") as caller:
        await caller.until("transcript.done")
        await caller.send({"type": "text", "text": "Hello"})
        await caller.send({"type": "response.create"})
        await caller.speak(sound.pcm[: round(sound.ended * 48_000) // 2 * 2])
        await caller.send({"type": "input_audio_buffer.commit"})
        await caller.until("user.transcript")
        await caller.send({"type": "disconnect"})
        report = (await caller.until("disconnected"))["report"]
    assert caller.types == [*TURN, "speech.started", "user.transcript", "disconnected"]
    assert [one["role"] for one in report["messages"]] == ["assistant", "user"]
    assert report["messages"][0]["duration_sec"] == 0.0


async def test_a_new_voice_greets_again_and_the_same_voice_does_not(backend: LiveServer) -> None:
    async with call(backend, f"{GUEST}/four?voice=echo") as caller:
        await caller.until("transcript.done")
        await caller.send({"type": "session.update", "config": {"voice": "echo"}})
        await caller.send({"type": "session.update", "config": {}})
        await caller.send({"type": "session.update", "config": {"voice": "nova"}})
        await caller.until("transcript.done", 2)
        await caller.send({"type": "disconnect"})
        await caller.until("disconnected")
    assert caller.types == [*TURN, *TURN, "disconnected"]


async def test_the_parts_that_documents_disagree_on_are_switches(tmp_path: Path) -> None:
    settings = {**QUICK, "dialect": "backend", "ready": True, "order": "transcript-first", "pace": "burst"}
    with LiveServer(tmp_path, malangee=settings) as server:
        async with call(server, f"{GUEST}/x") as caller:
            await caller.until("audio.done")
            assert caller.types == ["ready", "audio.delta", "transcript.done", "audio.done"]

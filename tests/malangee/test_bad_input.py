"""Whatever a client sends, there is the documented answer, and nobody else notices."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.live import LiveServer
from tests.malangee.caller import GUEST, Sound, call, notes, quiet

APPEND = "input_audio_buffer.append"
SCENARIO = "/api/v1/scenarios/ws/guest-scenario"


def append(pcm: bytes, **more: Any) -> dict[str, Any]:
    return {"type": APPEND, "audio": base64.b64encode(pcm).decode(), **more}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "invalid_json"),
        ("", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ("[]", "invalid_frame"),
        ("null", "invalid_frame"),
        ('"text"', "invalid_frame"),
        ({"no": "type"}, "invalid_frame"),
        ({"type": 5}, "invalid_frame"),
        (b"\x00\x01", "invalid_frame"),
        ({"type": APPEND}, "invalid_audio"),
        ({"type": APPEND, "audio": 5}, "invalid_audio"),
        ({"type": APPEND, "audio": "@@@@"}, "invalid_audio"),
        ({"type": APPEND, "audio": "AAA"}, "invalid_audio"),
        (append(b"\x00\x01\x02"), "invalid_audio"),
        (append(b"\x00\x01", sample_rate=16_000), "invalid_audio"),
        (append(b"\x00\x01", sample_rate="x"), "invalid_audio"),
        (append(b"\x00\x01", sample_rate="24000"), "invalid_audio"),
        (append(b"\x00\x01", sample_rate=True), "invalid_audio"),
        (append(b"\x00\x01", sample_rate=24_000.5), "invalid_audio"),
        (append(b"\x00\x01", sample_rate=float("inf")), "invalid_audio"),
        (append(b"\x00\x01", sample_rate=float("nan")), "invalid_audio"),
        ({"type": "text"}, "invalid_text"),
        ({"type": "text", "text": "  "}, "invalid_text"),
        ({"type": "text", "text": "x" * 5_000}, "invalid_text"),
        ({"type": "session.update", "config": []}, "invalid_config"),
        ({"type": "session.update", "config": {"voice": 5}}, "invalid_config"),
        ({"type": "session.update", "config": {"turn_detection": {"threshold": 2}}}, "invalid_config"),
        ({"type": "session.update", "config": {"turn_detection": {"silence_duration_ms": True}}}, "invalid_config"),
        ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty"),
    ],
)
async def test_the_guide_answers_with_an_error_and_goes_on(quick: LiveServer, frame: Any, code: str) -> None:
    async with call(quick, f"{GUEST}/bad") as caller:
        await caller.send(frame)
        told = await caller.until("error")
        assert (list(told), told["code"]) == (["type", "code", "message"], code)
        await caller.send({"type": "disconnect"})
        await caller.until("disconnected")
        assert caller.types == ["ready", "error", "disconnected"]


@pytest.mark.parametrize(
    "frame",
    [
        *({"type": "unknown"}, {"type": ""}, {"type": "x" * 10_000}, append(b"")),
        *(append(b"\x00\x01", sample_rate=rate) for rate in (24_000, 24_000.0, None)),
        '{"type": "input_audio_buffer.append", "audio": "AAA=", "sample_rate": 2.4e4}',
    ],
)
async def test_what_means_nothing_is_not_answered(quick: LiveServer, frame: Any) -> None:
    async with call(quick, f"{GUEST}/nothing") as caller:
        await caller.send(frame)
        await caller.settled()
        assert caller.types == ["ready", "error"]


async def test_a_message_of_ten_megabytes_is_refused_and_others_talk_on(quick: LiveServer) -> None:
    async with call(quick, f"{GUEST}/other") as other, call(quick, f"{GUEST}/huge") as caller:
        await other.send({"type": "text", "text": "Tell me a joke"})
        await caller.send(append(bytes(7_500_000)))
        assert (await caller.gone())[0] == 1009
        await other.until("audio.done")
    assert other.types == ["ready", "audio.delta", "transcript.done", "audio.done"]


async def test_a_second_of_sound_in_one_frame_is_taken(quick: LiveServer, spoken: Callable[[str], Sound]) -> None:
    sound = spoken("airport").pcm
    async with call(quick, f"{GUEST}/large") as caller:
        for at in range(0, len(sound), 240_000):
            await caller.send(append(sound[at : at + 240_000]))
        await caller.until("audio.done")


@pytest.mark.parametrize("frame", ["{", "[]", "5", b"\x00"])
async def test_the_backends_chat_ends_the_session(backend: LiveServer, frame: Any) -> None:
    async with call(backend, f"{GUEST}/bad") as caller:
        await caller.until("audio.delta")
        await caller.send(frame)
        told = await caller.until("disconnected")
        assert told["reason"] == "Session ended"
        await caller.send(append(quiet(0.1)))  # the socket stays open, deaf
        await caller.send({"type": "disconnect"})
        await (await caller.socket.ping())
        assert caller.closed is None
        assert caller.types[-1] == "disconnected"


@pytest.mark.parametrize("frame", ["[]", b"\x00", {"type": "response.create"}])
async def test_the_backends_scenario_breaks_the_connection(backend: LiveServer, frame: Any) -> None:
    async with call(backend, SCENARIO) as caller:
        await caller.until("ready")
        await caller.send(frame)
        assert (await caller.gone())[0] == 1006


async def test_the_backends_scenario_ignores_broken_json(backend: LiveServer) -> None:
    async with call(backend, SCENARIO) as caller:
        for frame in ("{", {"type": "input_audio_chunk", "audio": "@"}, {"type": "start_scenario"}):
            await caller.send(frame)
        await caller.until("response.audio_transcript.done")
        assert caller.types == [
            "ready",
            "response.audio.delta",
            "response.audio.done",
            "response.audio_transcript.done",
        ]


async def test_a_flood_after_the_end_does_nothing(quick: LiveServer) -> None:
    async with call(quick, "/api/v1/ws/guest-scenario") as caller:
        await caller.send({"type": "text", "text": "I am at the airport with the agent and I want to check in."})
        await caller.until("scenario.completed")
        for _ in range(200):
            await caller.send(append(quiet(0.17)))
        for late in ({"type": "text", "text": "Hello?"}, {"type": "response.create"}):
            await caller.send(late)
        await caller.settled()
        assert caller.types[-2:] == ["scenario.completed", "error"]
    assert len(notes(quick, "audio after the end")) >= 200


async def test_too_many_turns_are_refused(quick: LiveServer) -> None:
    async with call(quick, f"{GUEST}/many") as caller:
        for number in range(40):
            await caller.send({"type": "text", "text": f"Tell me a story, number {number}"})
        assert (await caller.until("error"))["code"] == "busy"


async def test_a_closed_socket_leaves_nothing_behind(quick: LiveServer, spoken: Callable[[str], Sound]) -> None:
    async def leave_midway(number: int) -> None:
        async with call(quick, f"{GUEST}/gone-{number}") as caller:
            if number % 2:
                await caller.send({"type": "text", "text": "Tell me a story"})
                await caller.until("audio.delta")
            else:
                await caller.speak(spoken("coffee").pcm[:60_000], pace=20.0)

    gateway = quick.program.wires[1].gateway  # type: ignore[attr-defined]

    async def names() -> list[str]:
        tasks = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("malangee")]
        return [*tasks, *gateway.conversations]

    await asyncio.gather(*(leave_midway(number) for number in range(8)))
    async with asyncio.timeout(10):
        while await quick.run(names()):
            await asyncio.sleep(0.05)
    assert len(quick.program.stage.lines) == 0


async def test_a_dead_detector_is_replaced(quick: LiveServer, spoken: Callable[[str], Sound]) -> None:
    import os
    import signal

    async with call(quick, f"{GUEST}/killed") as caller:
        await caller.speak(quiet(0.5), pace=50.0)
        await caller.settled()
        for pid in quick.program.wires[1]._ears.pids:  # type: ignore[attr-defined]
            os.kill(pid, signal.SIGKILL)
        await caller.speak(spoken("coffee").pcm)
        await caller.until("audio.done")


def test_frames_are_json_of_one_shape() -> None:
    from app.malangee.dialects import BACKEND_SCENARIO, GUIDE_CHAT
    from app.malangee.frames import AudioDelta, Bare, TranscriptDone

    assert GUIDE_CHAT.write(AudioDelta("AA==")) == '{"type":"audio.delta","delta":"AA=="}'
    assert BACKEND_SCENARIO.write(AudioDelta("AA==")) == (
        '{"type": "response.audio.delta", "delta": "AA==", "sample_rate": 24000}'
    )
    assert BACKEND_SCENARIO.write(TranscriptDone("어")) == json.dumps(
        {"type": "response.audio_transcript.done", "transcript": "어"}
    )
    assert GUIDE_CHAT.write(TranscriptDone("어")) == '{"type":"transcript.done","transcript":"어"}'
    assert GUIDE_CHAT.write(Bare("x")) is None

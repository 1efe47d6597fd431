"""Spoken turns over a live socket, with real sound: heard at the right places, answered, interrupted."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.live import LiveServer
from tests.malangee.caller import BYTES, GUEST, RATE, Caller, Sound, call, notes, quiet
from tests.malangee.conftest import QUICK

Spoken = Callable[[str], Sound]


def path(name: str) -> str:
    return f"{GUEST}/{name}"


async def greeted(caller: Caller) -> None:
    """Waits until the cafe's greeting is over."""
    await caller.until("audio.done")


@pytest.mark.parametrize("pace", [1.0, 10.0])
async def test_speech_is_heard_where_it_is(quick: LiveServer, spoken: Spoken, pace: float) -> None:
    sound, room = spoken("coffee"), f"marks-{pace}"
    async with call(quick, path(room)) as caller:
        await caller.speak(sound.pcm, pace=pace)
        await caller.until("speech.stopped")
    (told,) = notes(quick, "speech.stopped", room)
    assert abs(told["audio_start_ms"] / 1000 - sound.began) < 0.15
    assert abs(told["audio_end_ms"] / 1000 - sound.ended) < 0.15
    assert abs(told["heard_ms"] / 1000 - (sound.ended + QUICK["silence"])) < 0.15


async def test_at_real_time_the_frames_come_when_it_happens(quick: LiveServer, spoken: Spoken) -> None:
    sound = spoken("ticket")
    async with call(quick, path("realtime")) as caller:
        await caller.settled()
        began = caller.times[-1]
        await caller.speak(sound.pcm, pace=1.0)
        await caller.until("speech.stopped")
        started = caller.times[caller.place("speech.started")] - began
        stopped = caller.times[caller.place("speech.stopped")] - began
    # A frame has 171 ms: what it holds is heard when it is whole.
    assert 0 < started - sound.began < 0.171 + 0.064 + 0.25
    assert 0 < stopped - sound.ended - QUICK["silence"] < 0.171 + 0.25


async def test_silence_and_noise_are_not_speech(quick: LiveServer) -> None:
    dice = Random(5)
    noise = array("h", (dice.randrange(-1_800, 1_800) for _ in range(6 * RATE))).tobytes()
    clicks = bytearray(quiet(3))
    for at in range(0, len(clicks), BYTES // 3):
        clicks[at : at + 40] = array("h", [20_000] * 20).tobytes()
    async with call(quick, path("noise")) as caller:
        await caller.speak(quiet(3) + noise + bytes(clicks), pace=30.0)
        await caller.settled()
        assert caller.types == ["ready", "error"]


async def test_a_turn_has_the_order_of_the_guide(quick: LiveServer, spoken: Spoken) -> None:
    async with call(quick, path("order")) as caller:
        await caller.speak(spoken("coffee").pcm)
        await caller.until("audio.done")
        assert caller.types == [
            *("ready", "speech.started", "speech.stopped", "user.transcript"),
            *("audio.delta", "transcript.done", "audio.done"),
        ]
        assert caller.frames[3] == {"type": "user.transcript", "transcript": "Hello, how are you today?"}
        assert caller.frames[-2]["transcript"].startswith("Hello")


async def test_the_sound_is_as_long_as_announced(quick: LiveServer, spoken: Spoken) -> None:
    async with call(quick, path("length")) as caller:
        await caller.send({"type": "text", "text": "Tell me a joke"})
        await caller.until("audio.done")
        sizes = [len(frame["delta"]) for frame in caller.frames if frame["type"] == "audio.delta"]
        await caller.send({"type": "disconnect"})
        report = (await caller.until("disconnected"))["report"]
    assert max(sizes) == 6_400
    assert len(caller.audio) % 2 == 0
    assert len(caller.audio) / BYTES == pytest.approx(report["messages"][1]["duration_sec"], abs=0.01)
    assert max(abs(sample) for sample in array("h", bytes(caller.audio))) > 3_000
    (told,) = notes(quick, "spoken", "length")
    assert told["bytes"] == len(caller.audio)


@pytest.mark.parametrize("after", [1, 3, 6, 12, 20])
async def test_whoever_begins_to_speak_is_not_talked_over(quick: LiveServer, spoken: Spoken, after: int) -> None:
    room = f"barge-{after}"
    async with call(quick, path(room)) as caller:
        await caller.send({"type": "text", "text": "Tell me a story"})
        while caller.count("audio.delta") < after:
            await caller.until("audio.delta", caller.count("audio.delta") + 1)
        await caller.speak(spoken("ticket").pcm, pace=8.0)
        await caller.until("speech.started")
        await caller.until("speech.stopped")
        await caller.until("audio.done")
        types = caller.types
    start = types.index("speech.started")
    assert types[start:] == [
        *("speech.started", "speech.stopped", "user.transcript", "audio.delta", "transcript.done", "audio.done")
    ]
    (told,) = notes(quick, "barge-in", room)
    assert told["dropped_bytes"] > 0
    sent = sum(
        len(frame["delta"]) * 3 // 4
        for frame in caller.frames[: caller.place("speech.started")]
        if frame["type"] == "audio.delta"
    )
    assert abs(sent - told["sent_bytes"]) <= 4


async def test_what_was_said_before_an_interruption_is_remembered(quick: LiveServer, spoken: Spoken) -> None:
    async with call(quick, path("cut")) as caller:
        await caller.send({"type": "text", "text": "Tell me a story"})
        await caller.until("audio.delta", 3)
        await caller.speak(spoken("hello").pcm, pace=8.0)
        await caller.until("audio.done")
        await caller.send({"type": "disconnect"})
        said = (await caller.until("disconnected"))["report"]["messages"]
    assert [one["role"] for one in said] == ["user", "assistant", "user", "assistant"]
    assert said[1]["content"].startswith("Once there was")
    assert said[1]["duration_sec"] < 3


async def test_a_commit_ends_the_turn_by_hand(quick: LiveServer, spoken: Spoken) -> None:
    sound = spoken("airport")
    async with call(quick, path("commit")) as caller:
        await caller.speak(sound.pcm[: round(sound.ended * BYTES) // 2 * 2])
        await caller.until("speech.started")
        assert caller.count("speech.stopped") == 0
        await caller.send({"type": "input_audio_buffer.commit"})
        await caller.send({"type": "response.create"})
        await caller.until("audio.done")
        await caller.settled()
        assert caller.count("user.transcript") == caller.count("transcript.done") == 1
        await caller.send({"type": "input_audio_buffer.commit"})
        assert (await caller.until("error", 2))["code"] == "input_audio_buffer_commit_empty"


async def test_text_and_response_create(quick: LiveServer) -> None:
    async with call(quick, path("typed")) as caller:
        await caller.send({"type": "text", "text": "Hello"})
        await caller.send({"type": "response.create"})
        await caller.until("audio.done")
        assert caller.types == ["ready", "audio.delta", "transcript.done", "audio.done"]
        await caller.send({"type": "response.create"})
        await caller.until("audio.done", 2)
        assert caller.count("transcript.done") == 2


async def test_answers_may_wait_until_they_are_asked_for(tmp_path: Path) -> None:
    with LiveServer(tmp_path, malangee={**QUICK, "answers": "asked", "pace": "burst"}) as server:
        async with call(server, path("asked")) as caller:
            await caller.send({"type": "text", "text": "Tell me a joke"})
            await caller.settled()
            assert caller.types == ["ready", "error"]
            await caller.send({"type": "response.create"})
            assert "packet" in (await caller.until("transcript.done"))["transcript"]


async def test_a_new_voice_speaks_from_the_next_sentence_on(quick: LiveServer) -> None:
    async with call(quick, path("voice")) as caller:
        await caller.send({"type": "text", "text": "Tell me a joke"})
        await caller.until("audio.done")
        first = bytes(caller.audio)
        caller.audio.clear()
        await caller.send({"type": "text", "text": "Tell me a joke"})
        await caller.until("audio.delta", caller.count("audio.delta") + 1)
        await caller.send({"type": "session.update", "config": {"voice": "echo"}})
        await caller.until("audio.done", 2)
        second = bytes(caller.audio)
    alike = next(at for at in range(min(len(first), len(second))) if first[at] != second[at])
    assert 0.5 * BYTES < alike < len(first) - BYTES, "the first sentence in the old voice, the second in the new one"


async def test_an_unknown_voice_is_taken_and_noted(quick: LiveServer) -> None:
    async with call(quick, path("novoice")) as caller:
        await caller.send({"type": "session.update", "config": {"voice": "nobody", "colour": 1}})
        await caller.send({"type": "text", "text": "Hello"})
        await caller.until("audio.done")
    (told,) = notes(quick, "unknown voice", "novoice")
    assert (told["voice"], told["speaks"]) == ("nobody", "alloy")
    assert notes(quick, "unknown config", "novoice")[0]["keys"] == ["colour"]


async def test_the_silence_window_may_be_changed(quick: LiveServer, spoken: Spoken) -> None:
    sound = spoken("ticket")
    async with call(quick, path("window")) as caller:
        hearing = {"threshold": 0.6, "prefix_padding_ms": 100, "silence_duration_ms": 900}
        await caller.send({"type": "session.update", "config": {"turn_detection": hearing}})
        await caller.speak(sound.pcm)
        await caller.until("speech.stopped")
    (told,) = notes(quick, "speech.stopped", "window")
    assert told["heard_ms"] - told["audio_end_ms"] == pytest.approx(900, abs=40)


async def test_the_report_has_what_was_said_and_the_socket_closes(quick: LiveServer, spoken: Spoken) -> None:
    sound = spoken("coffee")
    async with call(quick, path("report")) as caller:
        await caller.speak(sound.pcm)
        await caller.until("audio.done")
        await caller.send({"type": "disconnect"})
        told = await caller.until("disconnected")
        assert await caller.gone() == (1000, "")
    assert list(told) == ["type", "reason", "report"]
    report = told["report"]
    assert list(report) == [
        *("session_id", "started_at", "ended_at", "total_duration_sec", "user_speech_duration_sec", "messages")
    ]
    assert report["user_speech_duration_sec"] == pytest.approx(sound.ended - sound.began, abs=0.2)
    assert [list(one) for one in report["messages"]] == [["role", "content", "timestamp", "duration_sec"]] * 2
    assert report["total_duration_sec"] > 0
    assert caller.frames[-1] is told


async def test_a_conversation_goes_on_where_it_was(quick: LiveServer) -> None:
    for number in (1, 2):
        async with call(quick, path("again")) as caller:
            await caller.send({"type": "text", "text": f"Hello {number}"})
            await caller.until("audio.done")
            await caller.send({"type": "disconnect"})
            await caller.gone()
    said = await quick.run(quick.program.wires[1].gateway._opened())  # type: ignore[attr-defined]
    kept = await quick.run(said.parts.people.messages("again"))
    assert [one.content for one in kept if one.role == "user"] == ["Hello 1", "Hello 2"]


async def test_a_second_of_frozen_time_lets_a_second_of_speech_through(quick: LiveServer) -> None:
    """Speech comes in pieces of 100 ms; this server speaks four times as fast."""
    clock = quick.program.stage.world.clock

    async def change(work: Callable[[], None]) -> None:
        work()

    async with call(quick, path("steps")) as caller:
        await caller.send({"type": "text", "text": "Tell me a joke"})
        await caller.until("audio.delta")
        await quick.run(change(clock.freeze))
        try:
            await caller.settled()
            before = caller.count("audio.delta")
            await quick.advance(0.25)
            await caller.settled()
            assert caller.count("audio.delta") == before + 10
            await quick.advance(60)
            await caller.settled()
            assert caller.types[-3:] == ["transcript.done", "audio.done", "error"]
        finally:
            await quick.run(change(clock.run))

"""`commit` and `clear` in mid-speech: what was sent before them is heard once, and never again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.live import LiveServer
from tests.malangee.caller import BYTES, GUEST, Sound, call, quiet

Spoken = Callable[[str], Sound]


def in_speech(sound: Sound, part: float) -> bytes:
    """The sound up to somewhere in its speech."""
    return sound.pcm[: 2 * round((sound.began + part * (sound.ended - sound.began)) * BYTES / 2)]


@pytest.mark.parametrize("part", [0.4, 0.9])
async def test_silence_after_a_commit_in_speech_is_no_second_turn(
    quick: LiveServer, spoken: Spoken, part: float
) -> None:
    async with call(quick, f"{GUEST}/commit-{part}") as caller:
        await caller.speak(in_speech(spoken("coffee"), part))
        await caller.until("speech.started")
        await caller.send({"type": "input_audio_buffer.commit"})
        await caller.speak(quiet(3), pace=40.0)
        await caller.until("audio.done")
        await caller.settled()
    assert caller.types == [
        *("ready", "speech.started", "speech.stopped", "user.transcript"),
        *("audio.delta", "transcript.done", "audio.done", "error"),
    ]


@pytest.mark.parametrize("part", [0.25, 0.7])
async def test_silence_after_a_clear_in_speech_is_no_turn(quick: LiveServer, spoken: Spoken, part: float) -> None:
    async with call(quick, f"{GUEST}/clear-{part}") as caller:
        await caller.speak(in_speech(spoken("airport"), part))
        await caller.until("speech.started")
        await caller.send({"type": "input_audio_buffer.clear"})
        await caller.speak(quiet(3), pace=40.0)
        await caller.settled()
    assert caller.types == ["ready", "speech.started", "error"]


async def test_what_is_said_after_a_commit_is_heard_where_it_is(quick: LiveServer, spoken: Spoken) -> None:
    first, second = in_speech(spoken("coffee"), 0.6), spoken("ticket")
    async with call(quick, f"{GUEST}/twice") as caller:
        await caller.speak(first)
        await caller.until("speech.started")
        await caller.send({"type": "input_audio_buffer.commit"})
        await caller.speak(second.pcm)
        await caller.until("speech.stopped", 2)
        await caller.send({"type": "disconnect"})
        report = (await caller.until("disconnected"))["report"]
    mine = [one["duration_sec"] for one in report["messages"] if one["role"] == "user"]
    assert len(mine) == 2
    assert mine[1] == pytest.approx(second.ended - second.began, abs=0.2)

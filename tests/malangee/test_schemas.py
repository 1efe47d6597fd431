"""What goes over the wire is what the schemas say, in both dialects, key by key."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from app.malangee.dialects import BACKEND_SCENARIO, GUIDE_CHAT
from app.malangee.requests import Malformed, Unknown, parse
from tests.contract.judges import judge
from tests.live import LiveServer
from tests.malangee.caller import GUEST, Sound, call


async def test_the_guides_frames_are_as_documented(quick: LiveServer, spoken: Callable[[str], Sound]) -> None:
    async with call(quick, f"{GUEST}/schema") as chat:
        await chat.speak(spoken("coffee").pcm)
        await chat.until("audio.done")
        await chat.send("{")
        await chat.send({"type": "disconnect"})
        await chat.gone()
    async with call(quick, "/api/v1/ws/guest-scenario") as scenario:
        await scenario.send({"type": "text", "text": "I am at the hotel with the agent."})
        await scenario.until("transcript.done", 2)
        for number in (3, 4):
            await scenario.send({"type": "text", "text": "I do not know."})
            if number == 3:
                await scenario.until("transcript.done", 3)
        await scenario.until("scenario.completed")
    assert judge("malangee", "guide", "Frame", chat.frames + scenario.frames) == set(GUIDE_CHAT.names.values())


async def test_the_backends_frames_are_as_documented(backend: LiveServer, spoken: Callable[[str], Sound]) -> None:
    async with call(backend, f"{GUEST}/schema") as chat:
        await chat.until("transcript.done")
        await chat.speak(spoken("coffee").pcm)
        await chat.until("transcript.done", 2)
        await chat.send({"type": "disconnect"})
        await chat.until("disconnected")
    async with call(backend, "/api/v1/scenarios/ws/guest-scenario") as scenario:
        await scenario.until("response.audio_transcript.done")
        await scenario.speak(spoken("coffee").pcm, kind="input_audio_chunk")
        await scenario.until("input_audio.transcript")
        await scenario.send({"type": "text", "text": "I am at the hotel with the agent and I want to check in."})
        await scenario.until("scenario.completed")
    types = judge("malangee", "backend", "Frame", chat.frames + scenario.frames)
    assert types >= set(BACKEND_SCENARIO.names.values()) - {"error", ""}


@pytest.mark.parametrize("edition", ["guide", "backend"])
def test_every_request_that_is_documented_is_understood(edition: str) -> None:
    from app.contract.schema.malangee import editions

    (found,) = (one for one in editions() if one.id == edition)
    for message in found.requests:
        dialect = BACKEND_SCENARIO if message.title == "input_audio_chunk" else GUIDE_CHAT
        for example in message.examples:
            judge("malangee", edition, "Request", [example])
            assert not isinstance(parse(json.dumps(example), dialect), Malformed | Unknown), example

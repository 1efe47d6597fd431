"""What goes over the wire is what the schemas say, in both dialects, key by key."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from app.malangee.dialects import BACKEND_SCENARIO, GUIDE_CHAT
from app.malangee.requests import Malformed, Unknown, parse
from tests.contract.judges import TREE, Strict, compact, load
from tests.live import LiveServer
from tests.malangee.caller import GUEST, Sound, call

Json = dict[str, Any]


def judge(edition: str, kind: str, messages: list[Json]) -> set[str]:
    """The types of the messages, all of which are as the checked-in documents say."""
    folder = TREE / "malangee" / edition
    schema = json.loads((folder / f"{kind.lower()}s.schema.json").read_text(encoding="utf-8"))
    validator = Strict(schema)
    read = getattr(load(folder / f"malangee_{edition}.py"), f"parse_{kind.lower()}")
    for message in messages:
        try:
            validator.validate(message)
        except jsonschema.ValidationError as error:
            raise AssertionError(f"{message}: {error.message}") from error
        if kind == "Frame":
            assert read(compact(message)).encode() == compact(message), "the same keys in the same order"
        else:
            read(compact(message))
    return {message["type"] for message in messages}


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
    assert judge("guide", "Frame", chat.frames + scenario.frames) == set(GUIDE_CHAT.names.values())


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
    types = judge("backend", "Frame", chat.frames + scenario.frames)
    assert types >= set(BACKEND_SCENARIO.names.values()) - {"error", ""}


@pytest.mark.parametrize("edition", ["guide", "backend"])
def test_every_request_that_is_documented_is_understood(edition: str) -> None:
    from app.contract.schema.malangee import editions

    (found,) = (one for one in editions() if one.id == edition)
    for message in found.requests:
        dialect = BACKEND_SCENARIO if message.title == "input_audio_chunk" else GUIDE_CHAT
        for example in message.examples:
            judge(edition, "Request", [example])
            assert not isinstance(parse(json.dumps(example), dialect), Malformed | Unknown), example

"""Servers for the tests of the wire, and sentences spoken once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.emulation.determinism import RealClock
from app.voice.speech import Speaker
from tests.live import LiveServer
from tests.malangee.caller import Sound, padded

SENTENCES = {
    "coffee": "I would like a cup of coffee please.",
    "airport": "We are going to the airport.",
    "ticket": "I want to buy a ticket.",
    "hello": "Good morning, how are you?",
}

QUICK: dict[str, Any] = {"silence": 0.4, "transcription": "script", "token_life": 600.0}
"""Settings that make turns short and what is heard known."""


@pytest.fixture(scope="session")
def spoken() -> Callable[[str], Sound]:
    """Sentences as sound, with silence around them."""

    async def speak() -> dict[str, bytes]:
        speaker = Speaker(engine="pyttsx3", workers=1, timeout=20, clock=RealClock())
        await speaker.start()
        try:
            return {
                name: (await speaker.say(text, "en", voice="en-us", format="pcm")).audio
                for name, text in SENTENCES.items()
            }
        finally:
            await speaker.close()

    made = asyncio.run(speak())
    return lambda name: padded(made[name])


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Shipped fixtures, short silence, scripted transcripts, speech four times as fast."""
    with LiveServer(tmp_path_factory.mktemp("quick"), malangee={**QUICK, "pace": 4.0}) as server:
        yield server


@pytest.fixture(scope="session")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The same, with the backend's dialect on chat sockets."""
    settings = {**QUICK, "pace": 4.0, "dialect": "backend"}
    with LiveServer(tmp_path_factory.mktemp("backend"), malangee=settings) as server:
        yield server


@pytest.fixture(scope="session")
def burst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The same as `quick`, speech as fast as it goes."""
    with LiveServer(tmp_path_factory.mktemp("burst"), malangee={**QUICK, "pace": "burst"}) as server:
        yield server

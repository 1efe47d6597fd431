"""What a speech engine is, and where each is found.

An engine lives in a worker process of its own (`app.voice.worker`), so it may block, crash or exit without harm.
`openai` is not in the table: it is a call over HTTP, made by `app.voice.openai` from the server's event loop.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from app.voice.packets import Head


class SpeechEngine(Protocol):
    """Turns text into sound, one text at a time, on one thread."""

    name: str
    rate: int
    """Samples a second of what `speak` returns."""

    def speak(self, text: str, voice: str) -> bytes:
        """Signed 16-bit little-endian mono PCM of a text of at most 500 characters.

        `voice` is the engine's own name for a voice, or a base language such as `ko`.
        Raises `EngineRefusal` if the text or the voice cannot be had; anything else that escapes ends the worker.
        """
        ...


@runtime_checkable
class NamingEngine(Protocol):
    """A speech engine that can say beforehand which voices it has."""

    def lacks(self, voice: str) -> str | None:
        """Why a voice cannot be had as it is named, in a line; None if it can."""
        ...


@runtime_checkable
class JobEngine(Protocol):
    """An engine with jobs of its own, such as one that listens."""

    name: str

    def perform(self, head: Head, body: bytes) -> bytes:
        """Does one job. Raises `EngineRefusal`; anything else that escapes ends the worker."""
        ...


ENGINES = {
    "pyttsx3": "app.voice.espeak:Pyttsx3Engine",
    "tone": "app.voice.tone:ToneEngine",
}
"""Engines that run in workers: name to `module:class`. The class is called without arguments."""

DEFAULT = "pyttsx3"
REMOTE = "openai"


def locate(name: str) -> str:
    """The `module:class` of an engine; a name of that form is its own place, which is how a user brings another engine.

    Raises `ValueError` for a name that is neither.
    """
    place = ENGINES.get(name, name)
    if place.count(":") != 1:
        raise ValueError(
            f"unknown speech engine {name!r}: expected one of {', '.join([*ENGINES, REMOTE])} or module:class"
        )
    return place


def load(name: str) -> SpeechEngine | JobEngine:
    """Imports and makes an engine. Only a worker does this."""
    module, _, kind = locate(name).partition(":")
    return cast(SpeechEngine | JobEngine, getattr(importlib.import_module(module), kind)())

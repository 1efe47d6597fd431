"""What was spoken lately, kept in memory under a bound of bytes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Speech:
    """One spoken text."""

    audio: bytes
    """MP3 (24 kHz mono MPEG-2 Layer III, constant 48 kbit/s, no header frames) or PCM16 (24 kHz mono), as asked for."""

    seconds: float
    """MP3: frames x 0.024; both rounded to 3 decimals."""

    engine: str
    """Which engine really spoke: `pyttsx3`, `openai`, `tone` or the `module:class` of a user's own."""


def cache_key(engine: str, version: str, voice: str, format: str, text: str) -> str:
    """The same for the same sound, in every process: hexadecimal SHA-256."""
    return sha256("\0".join((engine, version, voice, format, text)).encode()).hexdigest()


class SpeechCache:
    """Forgets what was used longest ago once more than `limit` bytes of audio are held."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[str, Speech] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: str) -> Speech | None:
        """What is held under the key; it counts as used."""
        speech = self._held.get(key)
        if speech is not None:
            self._held.move_to_end(key)
        return speech

    def put(self, key: str, speech: Speech) -> None:
        """Holds it, unless it is larger than the whole cache."""
        if len(speech.audio) > self._limit:
            return
        before = self._held.pop(key, None)
        self.bytes += len(speech.audio) - (len(before.audio) if before else 0)
        self._held[key] = speech
        while self.bytes > self._limit:
            self.bytes -= len(self._held.popitem(last=False)[1].audio)

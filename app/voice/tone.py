"""The engine that always works: two quiet tones in turn, as long as the text would take to say.

Needs no voice, no data file and no numpy; the same text always gives the same bytes.
"""

from __future__ import annotations

import math
import struct

from app.voice.encode import MAX_SECONDS, RATE

_STEP = RATE // 100
"""Samples in 10 ms: whole periods of both tones (400 and 600 Hz), so that changing over does not click."""

_STEPS_PER_TONE = 20
_LOUDNESS = 6_000

_SECONDS_BY_SCRIPT = (
    # first and last character, seconds for each; measured with espeak-ng at 175 words a minute
    ("\u0600", "\u06ff", 0.10),  # Arabic
    ("\u0900", "\u0dff", 0.08),  # Devanagari to Sinhala
    ("\u0e00", "\u0eff", 0.11),  # Thai, Lao
    ("\u1100", "\u11ff", 0.08),  # Hangul letters
    ("\u3040", "\u30ff", 0.13),  # kana
    ("\u3400", "\u9fff", 0.26),  # Chinese characters
    ("\uac00", "\ud7a3", 0.16),  # Hangul syllables
)
_SECONDS_OTHERWISE = 0.065


def seconds_to_say(text: str) -> float:
    """About how long a voice takes for the text, in seconds: 0.3 to 60."""
    return min(max(sum(map(_seconds, text)), 0.3), float(MAX_SECONDS))


def _seconds(character: str) -> float:
    return next((pace for low, high, pace in _SECONDS_BY_SCRIPT if low <= character <= high), _SECONDS_OTHERWISE)


def silence(seconds: float) -> bytes:
    """PCM at 24 kHz."""
    return bytes(2 * round(seconds * RATE))


def _wave(hertz: int) -> bytes:
    turn = 2 * math.pi * hertz / RATE
    return struct.pack(f"<{_STEP}h", *(round(_LOUDNESS * math.sin(turn * n)) for n in range(_STEP)))


class ToneEngine:
    """Speaks every language alike."""

    name = "tone"
    rate = RATE

    def __init__(self) -> None:
        self._pair = (_wave(400) * _STEPS_PER_TONE) + (_wave(600) * _STEPS_PER_TONE)

    def speak(self, text: str, voice: str = "") -> bytes:
        """PCM at 24 kHz; `voice` makes no difference."""
        length = 2 * _STEP * round(seconds_to_say(text) * RATE / _STEP)
        return (self._pair * (length // len(self._pair) + 1))[:length]

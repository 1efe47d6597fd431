"""The engine `pocketsphinx`: English speech to text, with the model that its wheel carries. Runs in a worker only.

It holds the interpreter for about a third of the sound's length; without the narrow search for three quarters, and what
it hears is the same (eight sentences of a speech engine, word for word). Silence that is perfectly digital ruins its
normalisation, so sounds with such silence get a little noise; a microphone's never do.
"""

from __future__ import annotations

from typing import Any

from app.voice.packets import Head

RATE = 24_000
HEARD = 16_000
SILENCE_DB = -75.0
NOISE_DB = -30.0
"""Of the noise, against the sound's own level."""

SHORT_SECONDS = 0.4
"""A single word of less sound than this is imagined."""


SEARCH = {"maxhmmpf": 3_000, "maxwpf": 10}
"""How many models and words it follows at most at a moment of the sound."""


class Sphinx:
    """Transcribes. An engine for a worker."""

    name = "pocketsphinx"
    rate = RATE

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder: Any = Decoder(samprate=HEARD, loglevel="FATAL", **SEARCH)

    def perform(self, head: Head, body: bytes) -> bytes:
        """24 kHz PCM to UTF-8 text, which may be empty."""
        import numpy as np
        import soxr

        if not body:
            return b""
        sound = soxr.resample(np.frombuffer(body, "<i2").astype(np.float32) / 32768, RATE, HEARD, "HQ")
        seconds = len(sound) / HEARD
        sound = _dithered(np, sound)
        decoder = self._decoder
        decoder.start_utt()
        decoder.process_raw((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        guess = decoder.hyp()
        text = guess.hypstr.strip() if guess else ""
        if seconds < SHORT_SECONDS and " " not in text:
            return b""
        return text.encode()


def _dithered(np: Any, sound: Any) -> Any:
    whole = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    if not len(whole):
        return sound
    level = np.sqrt(np.mean(whole**2, 1)) + 1e-9
    if 20 * np.log10(np.percentile(level, 5)) >= SILENCE_DB:
        return sound
    pause = np.zeros(4_800, np.float32)
    padded = np.concatenate([pause, sound, pause])
    noise = np.random.default_rng(0).standard_normal(len(padded)).astype(np.float32)
    return padded + noise * np.sqrt(np.mean(padded**2)) * 10 ** (NOISE_DB / 20)

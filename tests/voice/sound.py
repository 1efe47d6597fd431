"""Measures sound."""

from __future__ import annotations

import array
import io
import math
from typing import Any

import numpy as np
from mutagen.mp3 import MP3

SENTENCE = "오늘 날씨가 참 좋네요 같이 걸어요."


def loudness(pcm: bytes) -> float:
    """Root mean square of 16-bit samples."""
    samples = array.array("h", pcm)
    return math.sqrt(sum(sample * sample for sample in samples) / max(1, len(samples)))


def is_speech(pcm: bytes) -> bool:
    """Whether 24 kHz PCM sounds like a voice: neither silence, nor a few pure tones, nor noise.

    A tone has its energy in a narrow band, noise has it everywhere; what a voice has is in between, and wanders.
    """
    if loudness(pcm) < 300:
        return False
    power = np.abs(np.fft.rfft(np.frombuffer(pcm, "<i2").astype(float))) ** 2
    hertz = np.fft.rfftfreq(len(pcm) // 2, 1 / 24_000)
    rest = power = np.where((hertz > 50) & (hertz < 8_000), power, 0.0)
    for _ in range(2):  # the two strongest tones
        rest = np.where(np.abs(hertz - hertz[rest.argmax()]) <= 10, 0.0, rest)
    tonal = 1 - rest.sum() / power.sum()
    heard = power[power > 0]
    bands = heard[: len(heard) // 50 * 50].reshape(-1, 50).mean(axis=1)
    flat = np.exp(np.log(bands).mean()) / bands.mean()
    return bool(tonal < 0.7 and 0.005 < flat < 0.5)


def walk_frames(mp3: bytes) -> int:
    """Frames of an MP3, each checked against what the wire promises."""
    frames = 0
    while mp3:
        sync = int.from_bytes(mp3[:4], "big")
        assert sync >> 21 == 0x7FF, "no frame here: a tag, or the length of a frame is wrong"
        assert (sync >> 19) & 3 == 2, "MPEG-2"
        assert (sync >> 17) & 3 == 1, "Layer III"
        assert (sync >> 12) & 15 == 6, "48 kbit/s"
        assert (sync >> 10) & 3 == 1, "24 kHz"
        assert (sync >> 6) & 3 == 3, "mono"
        frame, mp3 = mp3[:144], mp3[144:]
        assert len(frame) == 144
        assert b"Xing" not in frame
        assert b"Info" not in frame
        frames += 1
    return frames


def mp3_length(mp3: bytes) -> float:
    """Seconds, as an independent reader sees them."""
    info: Any = MP3(io.BytesIO(mp3)).info  # type: ignore[no-untyped-call]
    length = info.length
    assert isinstance(length, float)
    return length

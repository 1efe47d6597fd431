"""Measures sound."""

from __future__ import annotations

import array
import io
import math
from typing import Any

from mutagen.mp3 import MP3

SENTENCE = "오늘 날씨가 참 좋네요 같이 걸어요."


def loudness(pcm: bytes) -> float:
    """Root mean square of 16-bit samples."""
    samples = array.array("h", pcm)
    return math.sqrt(sum(sample * sample for sample in samples) / max(1, len(samples)))


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

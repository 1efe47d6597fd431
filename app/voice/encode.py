"""PCM to what the wire carries: 24 kHz mono MP3.

PCM is signed 16-bit little-endian mono throughout. The MP3 is MPEG-2 Layer III, constant 48 kbit/s, with neither Xing
nor ID3 header: every frame is 144 bytes and lasts 24 ms, so a length needs no parser and every player agrees on it.
"""

from __future__ import annotations

RATE = 24_000
FRAME_BYTES = 144
FRAME_SECONDS = 0.024
MAX_SECONDS = 60

_KBITS = 48
_QUALITY = 5


def resample(pcm: bytes, rate: int) -> bytes:
    """The same sound at 24 kHz; `rate` is that of `pcm` in Hz."""
    if rate == RATE:
        return pcm
    import numpy as np  # only the engines that need it pay for the import
    import soxr

    return bytes(soxr.resample(np.frombuffer(pcm, "<i2"), rate, RATE, "HQ").astype("<i2").tobytes())


def mp3(pcm: bytes) -> bytes:
    """24 kHz PCM as MP3: ceil(samples / 576) + 2 frames."""
    import lameenc

    encoder = lameenc.Encoder()
    encoder.set_bit_rate(_KBITS)
    encoder.set_in_sample_rate(RATE)
    encoder.set_out_sample_rate(RATE)
    encoder.set_channels(1)
    encoder.set_quality(_QUALITY)
    encoder.silence()
    return bytes(encoder.encode(pcm)) + bytes(encoder.flush())


def mp3_seconds(audio: bytes) -> float:
    """Length in seconds, a multiple of 0.024, rounded to 3 decimals."""
    return round(len(audio) // FRAME_BYTES * FRAME_SECONDS, 3)


def pcm_seconds(audio: bytes) -> float:
    """Length of 24 kHz PCM in seconds, rounded to 3 decimals."""
    return round(len(audio) / (2 * RATE), 3)


def capped(pcm: bytes, rate: int = RATE) -> bytes:
    """At most 60 seconds of it, and whole samples only."""
    return pcm[: min(len(pcm) // 2, MAX_SECONDS * rate) * 2]

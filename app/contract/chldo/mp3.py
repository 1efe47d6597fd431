"""Walks the frames of an MP3 file. PURE.

Only headers are read, which is enough to tell what kind of file it is, how long it plays and whether it is whole: in
Layer III each header says where the next one stands (ISO/IEC 11172-3 section 2.4.1.3, 13818-3 section 2.4.2.3).
"""

from __future__ import annotations

from dataclasses import dataclass

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_VERSIONS = {3: "MPEG-1", 2: "MPEG-2", 0: "MPEG-2.5"}
_KBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_LAYER_III, _MONO = 1, 3


class NotMp3(ValueError):
    """The bytes are no whole Layer III file; the text says where they stop being one."""


@dataclass(frozen=True, slots=True)
class Mp3:
    """What the headers say. `frames` counts those with sound; a leading Xing or Info frame has none."""

    version: str
    rate: int
    channels: int
    frames: int
    told: int
    """Frames with the leading one that has no sound, if there is one."""


def read_mp3(audio: bytes) -> Mp3:
    """Reads a file from its first frame to its end. Raises `NotMp3`."""
    at, end = _past_id3(audio), len(audio) - (128 if audio[-128:-125] == b"TAG" else 0)
    first: tuple[str, int, int] | None = None
    frames = silent = 0
    while at < end:
        version, rate, channels, size = _header(audio, at)
        if first is None:
            first = (version, rate, channels)
            silent = int(any(tag in audio[at : at + min(size, 60)] for tag in (b"Xing", b"Info")))
        elif first[:2] != (version, rate):
            raise NotMp3(f"frame {frames + 1} is {version} at {rate} Hz, unlike the first")
        if at + size > end:
            raise NotMp3(f"frame {frames + 1} is cut off: {end - at} of {size} bytes")
        frames, at = frames + 1, at + size
    if first is None:
        raise NotMp3("it is empty")
    return Mp3(*first, frames=frames - silent, told=frames)


def _past_id3(audio: bytes) -> int:
    if audio[:3] != b"ID3" or len(audio) < 10:
        return 0
    size = 0
    for byte in audio[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if audio[5] & 0x10 else 0)


def _header(audio: bytes, at: int) -> tuple[str, int, int, int]:
    head = int.from_bytes(audio[at : at + 4], "big")
    version, layer = head >> 19 & 3, head >> 17 & 3
    bits, rate, padding = head >> 12 & 15, head >> 10 & 3, head >> 9 & 1
    if len(audio) < at + 4 or head >> 21 != 0x7FF or version == 1 or layer == 0 or bits in (0, 15) or rate == 3:
        raise NotMp3(f"no frame header at byte {at}")
    if layer != _LAYER_III:
        raise NotMp3(f"a frame of Layer {'I' * (4 - layer)} at byte {at}")
    hertz = _RATES[version][rate]
    kbits = (_KBITS_1 if version == 3 else _KBITS_2)[bits - 1]
    size = (144_000 if version == 3 else 72_000) * kbits // hertz + padding
    return _VERSIONS[version], hertz, 1 if head >> 6 & 3 == _MONO else 2, size

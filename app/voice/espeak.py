"""The engine `pyttsx3`, on the espeak-ng library and data that come from PyPI (espeakng-loader); runs in a worker only.

What pyttsx3 2.99 and espeak-ng 1.52 need to be usable on a server:

* The data folder is named relative to the library's own folder, which becomes the working directory: espeak-ng keeps
  the name in 160 bytes and calls exit(1) when it is longer.
* The first `runAndWait()` returns before anything is spoken; a first, thrown-away word absorbs that.
* Parameters are set once. Each setting is queued in espeak-ng, and `runAndWait()` cancels whatever is still queued or
  spoken, which then cuts the sentence that follows: about 1 in 50. So every utterance waits for silence first, too.
* `stop()` is never called: it can hang for ever.
* A refused voice is reported as an event only, and the voice before it goes on speaking.
* The driver polls every 10 ms, which is 2/3 of the time of a sentence; here it polls every millisecond.
* Voices flutter: their pitch wanders through a table whose place survives from sentence to sentence, so one text is
  never twice equally long. The variant `Alex` has no flutter; with it the length depends on the text alone.
"""

from __future__ import annotations

import ctypes
import importlib.util
import io
import os
import re
import sys
import threading
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.voice.failures import EngineRefusal

_WORDS_PER_MINUTE = 175
_VARIANT = "Alex"
_VOICE_NAME = re.compile(r"[A-Za-z0-9_/-]{1,40}(\+[A-Za-z0-9_]{1,20})?")
_LIBRARIES = {"darwin": "libespeak-ng.dylib", "win32": "espeak-ng.dll"}
_POLL_SECONDS = 0.001
_PATIENCE_SECONDS = 30.0
_TRIES = 3


class Pyttsx3Engine:
    """One espeak-ng, driven through pyttsx3. Raises whatever pyttsx3 raises if it cannot be set up."""

    name = "pyttsx3"
    rate = 22_050

    def __init__(self) -> None:
        library = _bundled_library()
        if library is not None:
            os.environ["ESPEAK_DATA_PATH"] = "."
            os.chdir(library.parent)
        self._pause = threading.Event()  # never set: its wait() is a pause
        self._ended = threading.Event()
        self._whole = False
        self._refusal: Exception | None = None
        self._engine, self._espeak = self._open(library)
        self._engine.connect("finished-utterance", self._on_finished)
        self._engine.connect("error", self._on_error)
        self._engine.setProperty("rate", _WORDS_PER_MINUTE)
        self._utter("a")

    def speak(self, text: str, voice: str) -> bytes:
        """PCM at 22,050 Hz. `voice` is an espeak-ng voice such as `ko` or `en-us`, with `+variant` if wanted."""
        self._choose(voice)
        for _ in range(_TRIES):
            pcm = self._utter(text)
            if pcm is not None:
                return pcm
        raise EngineRefusal(f"espeak-ng cut the sentence short {_TRIES} times")

    def lacks(self, voice: str) -> str | None:
        """Why a voice cannot be had as it is named, and what is used instead, in a line; None if it can."""
        try:
            self._choose(voice)
        except EngineRefusal as refusal:
            return f"{refusal}: tones are used"
        _, _, variant = voice.partition("+")
        # espeak-ng takes an unknown variant without a word and speaks without it.
        if variant and not str(self._engine.getProperty("voice")).endswith(f"+{variant.lower()}"):
            return f"espeak-ng has no variant {variant!r}: it is left out"
        return None

    def _open(self, library: Path | None) -> tuple[Any, Any]:
        """The pyttsx3 engine and the ctypes module below it; both are led to the bundled library, if there is one."""
        find = ctypes.cdll.LoadLibrary

        def find_bundled(name: str) -> ctypes.CDLL:
            return ctypes.CDLL(str(library)) if library is not None and "espeak" in name else find(name)

        ctypes.cdll.LoadLibrary = find_bundled  # type: ignore[method-assign]
        try:
            import pyttsx3
            from pyttsx3.drivers import _espeak, espeak
        finally:
            ctypes.cdll.LoadLibrary = find  # type: ignore[method-assign]
        espeak.time = SimpleNamespace(sleep=lambda _: self._pause.wait(_POLL_SECONDS))
        return pyttsx3.init("espeak"), _espeak

    def _choose(self, voice: str) -> None:
        if not _VOICE_NAME.fullmatch(voice):
            raise EngineRefusal(f"{voice[:60]!r} is no name of a voice")
        self._await_silence()
        self._refusal = None
        self._engine.setProperty("voice", voice if "+" in voice else f"{voice}+{_VARIANT}")
        if self._refusal is not None:
            raise EngineRefusal(f"espeak-ng has no voice {voice!r}")

    def _utter(self, text: str) -> bytes | None:
        """One utterance; None if it was cut short."""
        self._await_silence()
        self._ended.clear()
        file = io.BytesIO()
        self._engine.save_to_file(text, file)
        self._engine.runAndWait()
        if not self._ended.wait(_PATIENCE_SECONDS):
            raise RuntimeError("espeak-ng never finished")  # ends the worker, which is then replaced
        if not self._whole:
            return None
        file.seek(0)
        with wave.open(file) as spoken:
            return bytes(spoken.readframes(spoken.getnframes()))

    def _await_silence(self) -> None:
        for _ in range(round(_PATIENCE_SECONDS / _POLL_SECONDS)):
            if not self._espeak.IsPlaying():
                return
            self._pause.wait(_POLL_SECONDS)
        raise RuntimeError("espeak-ng never fell silent")

    def _on_finished(self, *, completed: bool = False, **_: object) -> None:
        self._whole = completed
        self._ended.set()

    def _on_error(self, *, exception: Exception | None = None, **_: object) -> None:
        self._refusal = exception


def _bundled_library() -> Path | None:
    """The library inside espeakng-loader; None leaves pyttsx3 to find the system's own."""
    found = importlib.util.find_spec("espeakng_loader")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).resolve().parent / _LIBRARIES.get(sys.platform, "libespeak-ng.so")

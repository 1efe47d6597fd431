"""The one door to speech for the rest of the program: text in, audio out.

say -> cache -> one flight for equal requests -> engine (worker process, or HTTP) -> tone, if that failed

VoiceFailure is all a caller has to expect, and with the fallback on only for a full queue or a closed speaker.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

from app.emulation.determinism import Clock
from app.voice.cache import Speech, SpeechCache, cache_key
from app.voice.encode import mp3, mp3_seconds, pcm_seconds
from app.voice.engines import REMOTE, locate
from app.voice.failures import EngineDown, EngineFault, VoiceFailure
from app.voice.languages import VOICES, approximation, base_language, unspoken
from app.voice.openai import OpenAISpeech
from app.voice.process import Job
from app.voice.tone import ToneEngine, silence
from app.voice.wording import clean, speakable
from app.voice.workers import Pool

__all__ = ["Format", "OpenAISpeech", "Speaker", "Speech", "VoiceFailure"]

log = logging.getLogger("app.voice")

Format = Literal["mp3", "pcm"]

_AUDIO_VERSION = "1"
"""Part of every cache key: goes up when the same text would sound different."""

_SILENCE_SECONDS = 0.25
_MAX_NOTES = 100


@dataclass(frozen=True, slots=True)
class _Plan:
    """Who is to say what."""

    engine: str
    voice: str
    text: str
    format: Format


@dataclass(eq=False, slots=True)
class _Flight:
    """A plan being carried out, and how many wait for it."""

    task: asyncio.Task[Speech]
    waiters: int = 0


class Speaker:
    """Speaks with one engine; falls back to tones.

    engine: `pyttsx3`, `openai`, `tone`, or the `module:class` of a `SpeechEngine`; an unknown name is a `ValueError`.
    workers: processes. timeout: seconds for one sentence in a worker, each of two tries.
    fallback: whether the tone engine speaks where the engine could not. cache_bytes: of audio held in memory.
    queue_limit: sentences in progress at once; one more is a `VoiceFailure`.
    working: entered for as long as a sentence is being spoken.
    """

    def __init__(
        self,
        *,
        engine: str,
        workers: int,
        timeout: float,
        clock: Clock,
        fallback: bool = True,
        cache_bytes: int = 64 * 1024 * 1024,
        queue_limit: int = 1_000,
        openai: OpenAISpeech | None = None,
        working: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        if engine == REMOTE and openai is None:
            raise ValueError("the speech engine openai needs its address and key")
        # What comes over HTTP is encoded by workers too; they need no voice for that.
        in_workers = "tone" if engine == REMOTE else engine
        locate(in_workers)
        self._engine = engine
        self._openai = openai
        self._fallback = fallback
        self._working = working
        self._queue_limit = queue_limit
        self._pool = Pool(engine=in_workers, size=max(1, workers), timeout=timeout, clock=clock)
        self._cache = SpeechCache(cache_bytes)
        self._flights: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[Speech]] = set()
        self._thread: ThreadPoolExecutor | None = None
        self._tone = ToneEngine()
        self._noted: set[str] = set()
        self._open = False

    @property
    def remote(self) -> bool:
        """Whether an endpoint speaks, which has names of its own for voices."""
        return self._engine == REMOTE

    @property
    def busy(self) -> int:
        """Sentences waiting or being spoken, also those that nobody waits for any more but a worker is still at."""
        return len(self._tasks) + self._pool.abandoned

    @property
    def workers(self) -> tuple[int, ...]:
        """Process ids of the workers that are ready or at work."""
        return self._pool.pids

    @property
    def down(self) -> str | None:
        """Why the engine no longer speaks and tones do, or None."""
        return self._pool.down

    async def start(self) -> None:
        """Begins to start the workers; what is said meanwhile waits for them."""
        self._open = True
        self._pool.start()

    async def close(self) -> None:
        """Fails what is being said and ends every process, task and thread."""
        self._open = False
        await self._pool.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._openai is not None:
            await self._openai.close()
        if self._thread is not None:
            self._thread.shutdown(
                cancel_futures=True
            )  # what may still run is a quarter of a second of encoding at most
            self._thread = None

    async def say(self, text: str, language: str = "ko", *, voice: str | None = None, format: Format = "mp3") -> Speech:
        """The text as sound, at most a minute of it.

        `language` is a code such as `ko` or `ko-KR`; one without a voice is spoken in tones. `voice` is the engine's
        own name for a voice, in place of the language's. Text without a letter or a digit is a quarter of a second
        of silence, which counts as the tone engine's.
        Raises `VoiceFailure`.
        """
        if not self._open:
            raise VoiceFailure("the speaker is closed")
        plan = self._plan(clean(text), language, voice, format)
        version = (
            f"{_AUDIO_VERSION} {self._openai.version}" if self._openai and plan.engine == REMOTE else _AUDIO_VERSION
        )
        key = cache_key(plan.engine, version, plan.voice, plan.format, plan.text)
        held = self._cache.get(key)
        if held is not None:
            return held
        flight = self._flights.get(key) or self._launch(key, plan)
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if flight.task.cancelled() and not self._open:
                raise VoiceFailure("the speaker is closed") from None
            raise
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                self._flights.pop(key, None)  # at once, so that nobody boards a flight that is being called off
                flight.task.cancel()

    def unspoken(self, language: str) -> str | None:
        """That no voice of this speaker speaks a language, if that is known before anything is said."""
        return unspoken(language) if self._engine == "pyttsx3" else None

    async def lacking(self, voices: Iterable[str]) -> dict[str, str]:
        """Which voices of the engine cannot be had, and why; sentences in them are spoken in tones, or without what is
        missing. Empty where that is not known: of an endpoint, of tones, of an engine that does not start.
        """
        wanted = list(dict.fromkeys(voices))
        if self.remote or self._engine == "tone" or not wanted:
            return {}
        try:
            told = json.loads(await self._pool.do(Job({"do": "check"}, json.dumps(wanted).encode())))
        except EngineFault as fault:
            log.debug("voices cannot be checked: %s", fault)
            return {}
        return {str(voice): str(reason) for voice, reason in told.items()}

    def _plan(self, text: str, language: str, voice: str | None, format: Format) -> _Plan:
        if not speakable(text):
            return _Plan("tone", "", "", format)
        if self._engine == "tone":
            return _Plan("tone", "", text, format)
        if self._openai is not None and self._engine == REMOTE:
            return _Plan(REMOTE, voice or self._openai.voice, text, format)
        voice = voice or None
        base = base_language(language)
        if self._engine != "pyttsx3":
            return _Plan(self._engine, voice or base, text, format)
        if voice is None:
            if (why := unspoken(base)) is not None:
                self._note(why)
                return _Plan("tone", "", text, format)
            if note := approximation(base, text):
                self._note(f"language {base} is approximated: {note}")
        return _Plan(self._engine, voice or VOICES[base], text, format)

    def _note(self, text: str) -> None:
        """Logs it the first time. Codes come from clients, so what is remembered has a bound."""
        if text not in self._noted and len(self._noted) < _MAX_NOTES:
            self._noted.add(text)
            log.warning("%s", text)

    def _launch(self, key: str, plan: _Plan) -> _Flight:
        if len(self._tasks) >= self._queue_limit:
            raise VoiceFailure(f"{self._queue_limit} sentences are waiting already")
        task = asyncio.create_task(self._speak(key, plan), name="voice-sentence")
        flight = self._flights[key] = _Flight(task)
        self._tasks.add(task)

        def land(_: asyncio.Task[Speech]) -> None:
            self._tasks.discard(task)
            if self._flights.get(key) is flight:
                del self._flights[key]

        task.add_done_callback(land)
        return flight

    async def _speak(self, key: str, plan: _Plan) -> Speech:
        with self._working():
            return await self._make(key, plan)

    async def _make(self, key: str, plan: _Plan) -> Speech:
        try:
            audio = await self._by_engine(plan)
        except EngineFault as fault:
            if not self._open:
                raise VoiceFailure("the speaker is closed") from fault
            if not self._fallback:
                raise VoiceFailure(f"{plan.engine}: {fault}") from fault
            if not isinstance(fault, EngineDown):  # that was said once, when it happened
                log.warning("tones instead of %s for a sentence: %s", plan.engine, fault)
            return _speech(await self._in_tones(plan), plan.format, "tone")
        speech = _speech(audio, plan.format, plan.engine)
        self._cache.put(key, speech)
        return speech

    async def _by_engine(self, plan: _Plan) -> bytes:
        if plan.engine == REMOTE and self._openai is not None:
            pcm = await self._openai.speak(plan.text, plan.voice)
            return pcm if plan.format == "pcm" else await self._pool.do(Job({"do": "encode", "format": "mp3"}, pcm))
        if (plan.engine == "tone" and self._engine != "tone") or not plan.text:
            return await self._in_tones(plan)
        return await self._pool.do(
            Job({"do": "speak", "text": plan.text, "voice": plan.voice, "format": plan.format}),
        )

    async def _in_tones(self, plan: _Plan) -> bytes:
        """In a thread of the server, so it works without workers: arithmetic, and an encoder that releases the lock."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="voice-tone")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._render, plan)
        except (ImportError, RuntimeError, MemoryError) as error:
            raise VoiceFailure(f"not even tones: {error}") from error

    def _render(self, plan: _Plan) -> bytes:
        pcm = self._tone.speak(plan.text) if plan.text else silence(_SILENCE_SECONDS)
        return mp3(pcm) if plan.format == "mp3" else pcm


def _speech(audio: bytes, format: Format, engine: str) -> Speech:
    return Speech(audio, mp3_seconds(audio) if format == "mp3" else pcm_seconds(audio), engine)

"""Writes down what the user says on one connection: in advance while they pause, by an engine or from the script."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from app.voice.failures import VoiceFailure
from app.voice.listening import Ear, Utterance
from app.voice.transcribing import Transcriber

log = logging.getLogger("app.malangee")

EARLY = 0.5
"""Seconds of quiet after which an utterance is transcribed in advance; thrown away if the user goes on."""


class Scribe:
    """`transcriber`: None where `script` says what was heard, line by line and from the front again. `seconds`: what
    one transcription may take. `note`: tells the journal.
    """

    def __init__(
        self,
        transcriber: Transcriber | None,
        script: tuple[str, ...],
        *,
        language: str,
        seconds: float,
        note: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._transcriber = transcriber
        self._script = script
        self._language = language
        self._seconds = seconds
        self._note = note
        self._heard = 0
        self._early: asyncio.Task[str] | None = None
        self._early_end = -1.0
        self._under_way: dict[float, asyncio.Task[str]] = {}

    def look_ahead(self, ear: Ear) -> None:
        """Transcribes what was said so far once the user pauses, so that it is there when the pause is long enough."""
        if self._transcriber is None or not ear.speaking:
            return
        last, quiet = ear.quiet
        if self._early is not None and last != self._early_end:
            self._early.cancel()
            self._early = None
        if self._early is None and quiet >= EARLY and ear.hearing.silence > EARLY:
            self._early_end = last
            self._early = asyncio.create_task(self._transcribe(ear.so_far()), name="malangee-early")

    async def transcript(self, utterance: Utterance) -> str:
        """The text of an utterance; "" where there is none, or where it cannot be had. Transcribed once: who is
        cancelled here may ask again.
        """
        task = self._under_way.get(utterance.began)
        if task is None:
            if self._early is not None and utterance.ended == self._early_end:
                task, self._early = self._early, None
            else:
                task = asyncio.create_task(self._transcribe(utterance), name="malangee-transcript")
            self._under_way[utterance.began] = task
        text = await asyncio.shield(task)
        self._under_way.pop(utterance.began, None)
        return text

    async def close(self) -> None:
        """Gives up what is not finished."""
        tasks = [*self._under_way.values(), *([] if self._early is None else [self._early])]
        self._under_way.clear()
        self._early = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _transcribe(self, utterance: Utterance) -> str:
        if self._transcriber is None:
            self._heard += 1
            return self._script[(self._heard - 1) % len(self._script)] if self._script else ""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._transcriber.transcribe(utterance.pcm, self._language)
        except (VoiceFailure, TimeoutError) as failure:
            why = str(failure) or "it took too long"
            log.warning("an utterance is not transcribed: %s", why)
            self._note({"what": "not transcribed", "why": why})
            return ""

"""Speaks the sentences of a reply while the reply is still being read.

`voice_ready` comes after the last token of its sentence and before the first of the next (spec section 0, decision
7): steps are read ahead into a bounded queue, each sentence is given to the speaker as soon as it ends, and its place
in the queue waits for its voice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from app.chldo.reply import SentenceEnd
from app.chldo.steps import Caller, Step, VoiceStep
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import take_pauses
from app.voice.flaws import Flaws, flaws_of
from app.voice.library import VoiceLibrary
from app.voice.speech import Speaker, VoiceFailure

log = logging.getLogger("app.chldo.voices")

READ_AHEAD = 512
"""Steps that may be read before the socket has taken them."""


PATIENCE = 60.0
"""Seconds that a finished sentence waits for its voice (the speaker's own time-outs end a hanging engine earlier)."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A voice that can be fetched; `seconds` is a multiple of 0.024."""

    url: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


_END = object()


class Voices:
    """Gives replies their voices. One for the whole program."""

    def __init__(self, speaker: Speaker, library: VoiceLibrary) -> None:
        self._speaker = speaker
        self._library = library

    async def speak(
        self,
        text: str,
        *,
        room_uid: str,
        name: str,
        language: str,
        life: float,
        caller: Caller,
    ) -> Spoken | None:
        """Speaks one text into the voice file `name`; None, and a log line that says why, if it cannot be spoken."""
        now = caller.exchange.strand.clock.time()
        return await self._speak(text, room_uid, name, language, life, now, caller, self._flaws(caller))

    async def _speak(
        self,
        text: str,
        room_uid: str,
        name: str,
        language: str,
        life: float,
        now: float,
        caller: Caller,
        flaws: Flaws,
    ) -> Spoken | None:
        try:
            if flaws.failed:
                raise VoiceFailure("a fault of the emulator")
            speech = await self._speaker.say(text.strip(), language)
            await take_pauses(caller.exchange.strand.aside(), flaws.late)
            audio = flaws.audio(speech.audio)
            if flaws.expired:
                expires = await self._library.put(room_uid, name, audio, life=-1.0)
            else:
                expires = await self._library.put(room_uid, name, audio, life=life, now=now)
            if flaws.missing:
                await self._library.remove(room_uid, name, expires)
            url = await self._library.url(caller.url_base, room_uid, name, expires, forged=flaws.forbidden)
        except (VoiceFailure, OSError) as failure:
            about = {
                "event": "voice_failed",
                "connection_id": caller.connection_id,
                "room_uid": room_uid,
                "sent_uid": name,
                "reason": str(failure),
            }
            log.warning("no voice for sentence %s: %s", name, failure, extra=about)
            return None
        return Spoken(url, flaws.seconds(speech.seconds))

    @staticmethod
    def _flaws(caller: Caller) -> Flaws:
        """What faults make of the next voice; asked in the order of the sentences, whenever they are spoken."""
        return flaws_of(caller.exchange.strike(Place.VOICE))

    async def follow(
        self,
        steps: AsyncGenerator[Step, None],
        *,
        room_uid: str,
        language: str,
        life: float,
        caller: Caller,
    ) -> AsyncGenerator[Step, None]:
        """`steps` with each `SentenceEnd` replaced by the `VoiceStep` of that sentence; one that cannot be spoken is
        left out.

        Closing the iterator stops the reading and the voices.
        """
        queue: asyncio.Queue[object] = asyncio.Queue(READ_AHEAD)
        jobs: set[asyncio.Task[Spoken | None]] = set()

        def speak(sentence: SentenceEnd) -> asyncio.Task[Spoken | None]:
            # The sentence ends now; the task may begin when a virtual clock is further on.
            now, flaws = caller.exchange.strand.clock.time(), self._flaws(caller)
            return asyncio.create_task(
                self._speak(sentence.text, room_uid, sentence.sent_uid, language, life, now, caller, flaws)
            )

        async def read() -> None:
            try:
                async with aclosing(steps):
                    async for step in steps:
                        if isinstance(step, SentenceEnd):
                            job = speak(step)
                            jobs.add(job)
                            await queue.put((step, job))
                        else:
                            await queue.put(step)
                await queue.put(_END)
            except Exception as error:  # noqa: BLE001 - handed to the reader of the queue, which raises it
                await queue.put(_Failure(error))

        reader = asyncio.create_task(read())
        try:
            while (item := await queue.get()) is not _END:
                if isinstance(item, tuple):
                    sentence, job = item
                    done, _ = await asyncio.wait({job}, timeout=PATIENCE)
                    jobs.discard(job)
                    if not done:
                        job.cancel()
                        log.warning("no voice for sentence %s within %g s", sentence.sent_uid, PATIENCE)
                        continue
                    spoken = job.result()
                    if spoken is not None:
                        yield VoiceStep(sentence.text, sentence.sent_uid, spoken.url, spoken.seconds)
                elif isinstance(item, _Failure):
                    raise item.error
                elif isinstance(item, Step):
                    yield item
        finally:
            reader.cancel()
            for job in jobs:
                job.cancel()
            await asyncio.gather(reader, *jobs, return_exceptions=True)

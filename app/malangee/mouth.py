"""The AI's voice on one connection: sentences in, paced pieces of PCM out.

    sentences -> speaker (reads ahead) -> 100 ms pieces -> one every 100 ms of the connection's own time

Cancelling `say` ends it between two pieces: what is not sent by then never is.
"""

from __future__ import annotations

import asyncio
import binascii
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from app.emulation.exchanges import Exchange
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import take_pauses
from app.malangee.frames import CHUNK, RATE, AudioDelta
from app.voice.failures import VoiceFailure
from app.voice.flaws import flaws_of
from app.voice.speech import Speaker

log = logging.getLogger("app.malangee")

AHEAD = 2
"""Sentences that are spoken before their turn has come."""

BEHIND = 0.1
"""Seconds that a piece may be late without those after it being put off."""


@dataclass(slots=True)
class Saying:
    """How far the AI has got with what it says. `texts`: the sentences it has begun; `made`, `sent`: bytes of PCM."""

    texts: list[str] = field(default_factory=list)
    made: int = 0
    sent: int = 0

    @property
    def text(self) -> str:
        """What has been said, the sentence under way whole."""
        return " ".join(self.texts)

    @property
    def seconds(self) -> float:
        """How much of it has been sent."""
        return self.sent / (2 * RATE)


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    voice: str
    pcm: bytes


class AnswerFailed(Exception):
    """What the sentences come from has raised `error`: a graph or a model may raise anything, `OSError` too, which from
    a socket means that the client is gone.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Mouth:
    """Speaks. `voice`: the voice at this moment; `factor`: of real time, None for as fast as it goes."""

    def __init__(
        self,
        speaker: Speaker,
        *,
        language: str,
        voice: Callable[[], str],
        factor: float | None,
        send: Callable[[AudioDelta, Exchange], Awaitable[None]],
    ) -> None:
        self._speaker = speaker
        self._language = language
        self._voice = voice
        self._factor = factor
        self._send = send

    async def say(self, sentences: AsyncGenerator[str, None], exchange: Exchange, saying: Saying) -> None:
        """Says all of it; `saying` tells how far it got. Raises `AnswerFailed` with what `sentences` raises, OSError if
        the client is gone.
        """
        ready: asyncio.Queue[_Sentence | Exception | None] = asyncio.Queue(AHEAD)
        reader = asyncio.create_task(self._read(sentences, exchange, saying, ready), name="malangee-sentences")
        due: float | None = None
        try:
            while (sentence := await ready.get()) is not None:
                if isinstance(sentence, Exception):
                    raise AnswerFailed(sentence) from sentence
                pcm = sentence.pcm
                if sentence.voice != self._voice():
                    saying.made -= len(pcm)
                    pcm = await self._speak(sentence.text, exchange)
                    saying.made += len(pcm)
                if not pcm:
                    saying.texts.append(sentence.text)
                for at in range(0, len(pcm), CHUNK):
                    due = await self._wait(due, exchange)
                    if not at:
                        saying.texts.append(sentence.text)
                    piece = pcm[at : at + CHUNK]
                    await self._send(AudioDelta(binascii.b2a_base64(piece, newline=False).decode()), exchange)
                    saying.sent += len(piece)
                    if self._factor is not None:
                        due += len(piece) / (2 * RATE * self._factor)
            if due is not None:
                await self._wait(due, exchange)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(
        self,
        sentences: AsyncGenerator[str, None],
        exchange: Exchange,
        saying: Saying,
        ready: asyncio.Queue[_Sentence | Exception | None],
    ) -> None:
        try:
            async with aclosing(sentences):
                async for text in sentences:
                    voice = self._voice()
                    pcm = await self._speak(text, exchange)
                    saying.made += len(pcm)
                    await ready.put(_Sentence(text, voice, pcm))
        except Exception as error:  # noqa: BLE001 - a graph or a model may raise anything; whoever speaks tells it
            await ready.put(error)
        else:
            await ready.put(None)

    async def _wait(self, due: float | None, exchange: Exchange) -> float:
        """Waits until a piece is due; when that is."""
        clock = exchange.strand.clock
        now = clock.monotonic()
        if due is None or now - due > BEHIND:
            return now
        if self._factor is None:
            await asyncio.sleep(0)
        elif due > now:
            await clock.sleep(due - now)
        return due

    async def _speak(self, text: str, exchange: Exchange) -> bytes:
        """A sentence as PCM; nothing, and a note, if it cannot be spoken."""
        flaws = flaws_of(exchange.strike(Place.VOICE))
        await take_pauses(exchange.strand.clock, flaws.late)
        if flaws.failed or flaws.missing:
            return b""
        try:
            speech = await self._speaker.say(text, self._language, voice=self._voice(), format="pcm")
        except VoiceFailure as failure:
            log.warning("no voice for a sentence: %s", failure)
            exchange.note("note", {"what": "no voice", "why": failure.reason})
            return b""
        audio = flaws.audio(speech.audio)
        return audio[: len(audio) // 2 * 2]

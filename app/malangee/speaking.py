"""The AI's side of a conversation: it says one thing at a time, until it has finished or is interrupted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any

from app.emulation.exchanges import Exchange
from app.emulation.lines import Line
from app.malangee.dialects import Dialect
from app.malangee.frames import UNHEARD, AudioDelta, AudioDone, Bare, ErrorFrame, Frame, TranscriptDone
from app.malangee.mouth import AnswerFailed, Mouth, Saying
from app.malangee.parts import Parts
from app.malangee.records import Record

log = logging.getLogger("app.malangee")

Send = Callable[[Frame, Exchange | None], Awaitable[None]]


class Speaking:
    """What the AI says on one connection. `voice`: the service's voice at this moment; `send` raises OSError if the
    client is gone.
    """

    def __init__(
        self, parts: Parts, dialect: Dialect, line: Line, record: Record, *, voice: Callable[[], str], send: Send
    ) -> None:
        self._parts = parts
        self._dialect = dialect
        self._line = line
        self._record = record
        self._send = send
        self._mouth = Mouth(
            parts.speaker,
            language="en",
            voice=lambda: parts.voices(voice()),
            factor=dialect.factor,
            send=self._send_delta,
        )
        self._task: asyncio.Task[None] | None = None
        self._saying = Saying()
        self._exchange: Exchange | None = None

    @property
    def active(self) -> bool:
        """Whether the AI speaks or thinks."""
        return self._task is not None

    async def say(self, sentences: AsyncGenerator[str, None], exchange: Exchange) -> None:
        """Says all of it, the frames at its end included, or as much as it gets to say. OSError if the client is
        gone.
        """
        await self._aloud(self._say(sentences, exchange))

    async def hush(self, why: str) -> list[Frame]:
        """The AI falls silent: when this returns, nothing of what it was saying is sent any more. What a dialect has to
        say of that.
        """
        task = self._task
        if task is None or task.done():
            return []
        saying, exchange = self._saying, self._exchange
        task.cancel()
        await asyncio.wait({task})
        if exchange is not None:
            dropped = max(0, saying.made - saying.sent)
            exchange.note("note", {"what": why, "sent_bytes": saying.sent, "dropped_bytes": dropped})
        told = self._dialect.cut_is_told and saying.sent
        return [AudioDone(), TranscriptDone(saying.text)] if told else []

    async def fail(self, error: Exception, exchange: Exchange) -> None:
        """A graph or a model may raise anything; the client is told."""
        told = self._parts.answers.tell(error)
        log.warning("no answer: %s", self._parts.answers.tell_log(error), extra={"connection_id": self._line.id})
        exchange.note("note", {"what": "no answer", "why": told})
        if Bare in self._dialect.names:
            await self._send(Bare(UNHEARD), exchange)
        else:
            await self._send(ErrorFrame("server_error", told), exchange)

    async def _aloud(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._task = asyncio.create_task(work, name="malangee-speaking")
        try:
            await asyncio.wait({task})
        finally:
            self._task = None
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            task.result()

    async def _say(self, sentences: AsyncGenerator[str, None], exchange: Exchange) -> None:
        saying = self._saying = Saying()
        self._exchange = exchange
        at = self._line.strand.clock.time()
        broken = False
        try:
            await self._mouth.say(sentences, exchange, saying)
        except AnswerFailed as failed:
            broken = True
            await self.fail(failed.error, exchange)
        finally:
            if not broken:  # the model would go on from half an answer
                self._record.add("assistant", saying.text, at, saying.seconds)
        if saying.texts:
            await self._done(saying, exchange)

    async def _done(self, saying: Saying, exchange: Exchange) -> None:
        ends: list[Frame] = [TranscriptDone(saying.text), AudioDone()]
        if not saying.sent and self._dialect.half_duplex:
            ends = ends[:1]  # as the backend does where nothing could be spoken
        for frame in reversed(ends) if self._dialect.audio_first else ends:
            await self._send(frame, exchange)
        exchange.note("note", {"what": "spoken", "bytes": saying.sent, "seconds": round(saying.seconds, 3)})

    async def _send_delta(self, frame: AudioDelta, exchange: Exchange) -> None:
        await self._send(frame, exchange)

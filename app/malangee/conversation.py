"""One connection under way: the user is heard, what they say is answered aloud, and either may interrupt.

    receive ─ Audio ─> Ear ─ began ──> the AI falls silent, speech.started
                           └ ended ──> speech.stopped ─> turns ─> transcript ─> Mind.answer ─> Mouth ─> audio.delta
    receive ─ Typed, Commit, Respond ─────────────────────^

Two tasks: one reads the socket and hears, one takes the turns in their order. What the AI says is a third, which an
interruption cancels. All three end with the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import replace
from typing import Any

from app.emulation.exchanges import Exchange
from app.emulation.lines import Line
from app.malangee.dialects import Dialect
from app.malangee.frames import (
    RATE,
    UNHEARD,
    AudioDelta,
    AudioDone,
    Bare,
    Disconnected,
    ErrorFrame,
    Frame,
    Ready,
    SpeechStarted,
    SpeechStopped,
    TranscriptDone,
    UserTranscript,
)
from app.malangee.mouth import Mouth, Saying
from app.malangee.parts import Parts
from app.malangee.records import Record
from app.malangee.requests import (
    BINARY,
    Audio,
    Clear,
    Commit,
    Leave,
    Malformed,
    Request,
    Respond,
    Typed,
    Unknown,
    Update,
    parse,
)
from app.malangee.scribe import Scribe
from app.malangee.script import DEFAULT_VOICE, Script
from app.malangee.turn import Mind, Turn
from app.voice.endpoint import Ended
from app.voice.failures import VoiceFailure
from app.voice.listening import Utterance

log = logging.getLogger("app.malangee")

MOST_TURNS = 16
"""Turns of the user that may wait to be answered."""

RECONNECT = 0.1
"""Seconds that a change of voice takes in the backend's dialect."""

BROKEN = "Internal server error"
BUSY = "too many turns are waiting"
NOTHING_HEARD = "nothing has been heard since the last turn"


class Conversation:
    """One connection. Made when the socket is open; `run` lives as long as it."""

    def __init__(
        self,
        parts: Parts,
        dialect: Dialect,
        line: Line,
        record: Record,
        mind: Mind,
        *,
        script: Script,
        voice: str | None,
    ) -> None:
        self._parts = parts
        self._dialect = dialect
        self._line = line
        self._clock = line.strand.clock
        self.record = record
        self._mind = mind
        self._script = script
        self._voice = voice or DEFAULT_VOICE
        self._ear = parts.ears.open(parts.hearing)
        self._mouth = Mouth(
            parts.speaker,
            language="en",
            voice=lambda: parts.voices(self._voice),
            factor=parts.factor,
            send=self._send,
        )
        self._turns: asyncio.Queue[Turn] = asyncio.Queue(MOST_TURNS)
        self._taking = False
        self._speaking: asyncio.Task[None] | None = None
        self._saying = Saying()
        self._answering: Exchange | None = None
        self._begins = 0
        self._scribe = Scribe(
            parts.transcriber,
            mind.transcripts,
            language="en",
            seconds=parts.settings.transcription_timeout,
            note=line.note,
        )
        self._taker: asyncio.Task[None] | None = None
        self._unsent: str | None = None
        self._over = False
        self.completed = False
        """Whether there is nothing left to talk about: what the user says from now on is ignored."""

    @property
    def speaking(self) -> bool:
        """Whether the AI speaks or thinks."""
        return self._speaking is not None

    @property
    def over(self) -> bool:
        """Whether the report is made: the socket may still be open, but nobody talks any more."""
        return self._over

    @property
    def busy(self) -> int:
        """Turns under way or waiting."""
        return self._turns.qsize() + self._taking

    async def run(self) -> None:
        """From the first frame to the last. OSError if the socket goes away."""
        try:
            await self._send(Ready())
            self._taker = asyncio.create_task(self._take_turns(), name="malangee-turns")
            await self._listen()
        finally:
            await self._stop("closed")
            await self._scribe.close()
            await self._ear.close()
            if not self._over:
                await self._keep()

    async def _stop(self, why: str) -> None:
        """No more turns are taken, and the AI falls silent."""
        if self._taker is not None:
            self._taker.cancel()
        await self._hush(why)
        if self._taker is not None:
            await asyncio.gather(self._taker, return_exceptions=True)

    async def tell(self, frame: Frame, exchange: Exchange | None) -> None:
        """Sends a frame that the mind has to say."""
        await self._send(frame, exchange)

    # -- the socket ----------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            event = await self._line.receive()
            if event["type"] == "websocket.disconnect":
                return
            text = event.get("text")
            request = BINARY if text is None else parse(text, self._dialect)
            if self._over:
                continue  # the backend leaves the socket open, deaf
            if await self._act(request):
                return

    async def _act(self, request: Request) -> bool:
        """Does what is asked; whether the connection is over."""
        match request:
            case Audio() | Commit() | Respond() | Typed() if self.completed and not self._breaks(request):
                self._line.note({"what": f"{type(request).__name__.lower()} after the end"})
            case Audio():
                await self._hear(request)
            case Commit() if self._dialect.purpose == "chat" or self._dialect.assents:
                await self._commit()
            case Clear():
                self._ear.forget()
            case Respond() if self._dialect.assents:
                self._respond()
            case Typed(text) if self._dialect.assents or self._dialect.purpose == "scenario":
                await self._put(Turn("text", text=text, answered=self._answers, began=self._begins))
            case Update():
                await self._update(request)
            case Leave():
                return await self._leave()
            case Malformed():
                return await self._refuse(request)
            case Respond() if self._breaks(request):
                await self._line.drop("response.create")
                return True
            case Unknown(name):
                self._line.note({"what": "ignored", "type": name})
            case _:
                self._line.note({"what": "ignored", "type": type(request).__name__})
        return False

    def _breaks(self, request: Request) -> bool:
        """Whether the backend crashes over it."""
        return isinstance(request, Respond) and "response.create" in self._dialect.fatal

    @property
    def _answers(self) -> bool:
        """Whether turns that end by hand are answered without being asked."""
        return self._parts.settings.answers == "auto"

    async def _refuse(self, malformed: Malformed) -> bool:
        """Answers what cannot be read, each dialect in its way; whether the connection is over."""
        self._line.note({"what": "malformed", "kind": malformed.kind, "why": malformed.message})
        if self._dialect.forgiving:
            await self._send(ErrorFrame(malformed.code, malformed.message))
        elif malformed.kind in self._dialect.fatal:
            await self._line.drop(malformed.kind)
            return True
        elif self._dialect.purpose == "chat" and malformed.kind != "bad value":
            return await self._leave()
        return False

    async def _leave(self) -> bool:
        await self._stop("disconnect")
        self._over = True
        ended = self._clock.time()
        if self._dialect.closes:
            await self._keep(ended)
        await self._send(Disconnected(self.record.report(ended, told=self._dialect.told)))
        if not self._dialect.closes:
            await self._keep(ended)
            return False
        await self._line.asgi_send({"type": "websocket.close", "code": 1000, "reason": ""})
        return True

    async def _keep(self, ended: float | None = None) -> None:
        if not self.record.kept:
            self.record.kept = True
            await self._mind.close(self.record, self._clock.time() if ended is None else ended)

    async def _send(self, frame: Frame, exchange: Exchange | None = None) -> None:
        text = self._dialect.write(frame)
        if text is not None:
            await self._line.reply(text, exchange, self._dialect.ends_turn)
        if self._unsent is not None and isinstance(frame, AudioDelta | AudioDone):
            told, self._unsent = self._unsent, None
            await self._send(UserTranscript(told), exchange)

    # -- hearing -------------------------------------------------------------------------------------------------------

    async def _hear(self, audio: Audio) -> None:
        if audio.rate != RATE:
            self._line.note({"what": "wrong rate", "sample_rate": audio.rate})
            if self._dialect.forgiving:
                await self._send(ErrorFrame("invalid_audio", f"sample_rate must be {RATE}"))
                return
        if audio.odd:
            self._line.note({"what": "odd bytes", "bytes": len(audio.pcm) + 1})
            if self._dialect.forgiving:
                await self._send(ErrorFrame("invalid_audio", "audio has half a sample at its end, which is left out"))
        try:
            points = await self._ear.feed(audio.pcm)
        except VoiceFailure as failure:
            self._line.note({"what": "not heard", "why": failure.reason})
            await self._send(ErrorFrame("server_error", BROKEN))
            return
        for point in points:
            if isinstance(point, tuple):
                await self._stopped(*point, "speech")
            else:
                self._begins += 1
                cut = [] if self._dialect.half_duplex else await self._hush("barge-in")
                self._line.note({"what": "speech.started", "audio_start_ms": round(point.at * 1000)})
                for frame in (SpeechStarted(), *cut):
                    await self._send(frame)
        self._scribe.look_ahead(self._ear)

    async def _stopped(self, ended: Ended, utterance: Utterance, action: str) -> None:
        told = {"audio_start_ms": round(ended.began * 1000), "audio_end_ms": round(ended.ended * 1000)}
        self._line.note({"what": "speech.stopped", **told, "heard_ms": round(ended.at * 1000)})
        by_hand = action != "speech"
        if not by_hand or self._dialect.assents:
            await self._send(SpeechStopped())
        answered = not by_hand or (self._dialect.assents and self._answers)
        await self._put(Turn(action, utterance=utterance, answered=answered, began=self._begins))

    async def _commit(self) -> None:
        if not self._dialect.commit:
            return
        cut = self._ear.cut()
        if cut is not None:
            await self._stopped(*cut, "input_audio_buffer.commit")
        elif self._dialect.forgiving:
            await self._send(ErrorFrame("input_audio_buffer_commit_empty", NOTHING_HEARD))
        else:
            self._line.note({"what": "empty commit"})

    def _respond(self) -> None:
        """One answer at a time: a request for the answer that is on its way anyway asks for nothing new."""
        if self.speaking or self.busy or self._ear.speaking:
            waiting = self._answers or self.speaking
            if waiting:
                self._line.note({"what": "ignored", "type": "response.create", "why": "an answer is on its way"})
                return
        if not self._turns.full():
            self._turns.put_nowait(Turn("response.create", began=self._begins))

    async def _put(self, turn: Turn) -> None:
        try:
            self._turns.put_nowait(turn)
        except asyncio.QueueFull:
            self._line.note({"what": "turn dropped", "why": BUSY})
            await self._send(ErrorFrame("busy", BUSY))

    async def _update(self, update: Update) -> None:
        if update.unknown:
            self._line.note({"what": "unknown config", "keys": list(update.unknown)})
        given = {"threshold": update.threshold, "prefix": update.prefix, "silence": update.silence}
        changes = {name: value for name, value in given.items() if value is not None}
        if changes:
            self._ear.hearing = replace(self._ear.hearing, **changes)
        if update.voice is None or update.voice == self._voice:
            return
        if update.voice not in self._script.voices:
            self._line.note({"what": "unknown voice", "voice": update.voice, "speaks": DEFAULT_VOICE})
        self._voice = update.voice
        if self._dialect.greets:
            await self._hush("session.update")
            await self._put(Turn("session.update", began=self._begins))

    # -- turns ---------------------------------------------------------------------------------------------------------

    async def _take_turns(self) -> None:
        try:
            if (opening := self._mind.opening()) is not None:
                await self._aloud(self._say(None, "greeting", opening))
            while True:
                turn = await self._turns.get()
                self._taking = True
                try:
                    await self._take(turn)
                finally:
                    self._taking = False
        except OSError as gone:
            log.debug("connection %s went away: %s", self._line.id, gone)
        except Exception:
            log.exception("a conversation broke", extra={"connection_id": self._line.id})
            await self._line.drop("broke")

    async def _take(self, turn: Turn) -> None:
        if turn.action == "session.update":
            await self._clock.sleep(RECONNECT)
            await self._aloud(self._say(None, turn.action, self._mind.opening() or self._script.hello))
            return
        text = turn.text
        if turn.utterance is not None:
            text = await self._scribe.transcript(turn.utterance)
        exchange = self._line.exchange(action=turn.action, message=text)
        if turn.utterance is not None:
            now = self._clock.time()
            self.record.add("user", text or "", now, turn.utterance.seconds)
            if self._dialect.late_transcript and turn.answered:
                self._unsent = text or ""
            else:
                await self._send(UserTranscript(text or ""), exchange)
        elif text is not None:
            self.record.add("user", text, self._clock.time())
        if text is not None and text.strip() and await self._taken_in(text, exchange):
            return
        if turn.answered and (turn.began == self._begins or self._dialect.half_duplex):
            await self._aloud(self._say(exchange, turn.action, None, text))
        if self._unsent is not None:  # the answer was cut before its first sound, or there was none
            told, self._unsent = self._unsent, None
            await self._send(UserTranscript(told), exchange)

    async def _taken_in(self, text: str, exchange: Exchange) -> bool:
        """Whether nothing is to be said to it: that was all, or it could not be understood."""
        try:
            return await self._mind.hear(text, exchange)
        except Exception as error:
            if isinstance(error, OSError) and self._line.closed is not None:
                raise
            await self._fail(error, exchange)
            return True

    async def _aloud(self, work: Coroutine[Any, Any, None]) -> None:
        """Lets the AI speak until it has finished or is interrupted."""
        task = self._speaking = asyncio.create_task(work, name="malangee-speaking")
        try:
            await asyncio.wait({task})
        finally:
            self._speaking = None
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            task.result()

    async def _say(self, exchange: Exchange | None, action: str, opening: str | None, text: str | None = None) -> None:
        exchange = exchange or self._line.exchange(action=action)
        saying = self._saying = Saying()
        self._answering = exchange
        at = self._clock.time()
        try:
            sentences = _once(opening) if opening is not None else self._mind.answer(text, exchange)
            await self._mouth.say(sentences, exchange, saying)
        except Exception as error:
            if isinstance(error, OSError) and self._line.closed is not None:
                raise
            await self._fail(error, exchange)
        finally:
            self.record.add("assistant", saying.text, at, saying.seconds)
        if saying.texts:
            await self._done(saying, exchange)

    async def _fail(self, error: Exception, exchange: Exchange) -> None:
        """A graph or a model may raise anything; the client is told."""
        told = self._parts.answers.tell(error)
        log.warning("no answer: %s", told, extra={"connection_id": self._line.id})
        exchange.note("note", {"what": "no answer", "why": told})
        if Bare in self._dialect.names:
            await self._send(Bare(UNHEARD), exchange)
        else:
            await self._send(ErrorFrame("server_error", told), exchange)

    async def _done(self, saying: Saying, exchange: Exchange) -> None:
        ends: list[Frame] = [TranscriptDone(saying.text), AudioDone()]
        if not saying.sent and self._dialect.half_duplex:
            ends = ends[:1]  # as the backend does where nothing could be spoken
        for frame in reversed(ends) if self._dialect.audio_first else ends:
            await self._send(frame, exchange)
        exchange.note("note", {"what": "spoken", "bytes": saying.sent, "seconds": round(saying.seconds, 3)})

    async def _hush(self, why: str) -> list[Frame]:
        """The AI falls silent: when this returns, nothing of what it was saying is sent any more. What a dialect has to
        say of that.
        """
        task = self._speaking
        if task is None or task.done():
            return []
        saying, exchange = self._saying, self._answering
        task.cancel()
        await asyncio.wait({task})
        if exchange is not None:
            dropped = max(0, saying.made - saying.sent)
            exchange.note("note", {"what": why, "sent_bytes": saying.sent, "dropped_bytes": dropped})
        told = self._dialect.cut_is_told and saying.sent
        return [AudioDone(), TranscriptDone(saying.text)] if told else []


async def _once(text: str) -> AsyncGenerator[str, None]:
    yield text

"""One connection under way: the user is heard, what they say is answered aloud, and either may interrupt.

    receive ─ Audio ─> Ear ─ began ──> the AI falls silent, speech.started
                           └ ended ──> speech.stopped ─> turns ─> transcript ─> Mind.answer ─> Speaking ─> audio.delta
    receive ─ Typed, Commit, Respond ─────────────────────^

Two tasks: one reads the socket and hears, one takes the turns in their order. What the AI says is a third, which an
interruption cancels. All three end with the connection.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from app.emulation.determinism import working
from app.emulation.exchanges import Exchange
from app.emulation.lines import Line
from app.malangee.dialects import Dialect
from app.malangee.frames import (
    RATE,
    AudioDelta,
    AudioDone,
    Disconnected,
    ErrorFrame,
    Frame,
    Ready,
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
)
from app.malangee.mouth import AnswerFailed
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
from app.malangee.sentences import spoken
from app.malangee.speaking import Speaking
from app.malangee.turn import Mind, Turn, Turns
from app.voice.endpoint import Ended
from app.voice.failures import VoiceFailure
from app.voice.listening import Utterance

log = logging.getLogger("app.malangee")

RECONNECT = 0.1
"""Seconds that a change of voice takes in the backend's dialect."""

LAST_WORDS = 2.0
"""Seconds that what the user said last may take to be transcribed when they leave."""

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
        self._speaking = Speaking(parts, dialect, line, record, voice=lambda: self._voice, send=self._send)
        self._turns = Turns()
        self._begins = 0
        self._opened = self._user_spoke = False
        self._scribe = Scribe(
            parts.transcriber,
            mind.transcripts,
            language="en",
            seconds=parts.settings.transcription_timeout,
            note=line.note,
        )
        self._taker: asyncio.Task[None] | None = None
        self._unsent: str | None = None
        self._over = self._keeping = False
        self.completed = False
        """Whether there is nothing left to talk about: what the user says from now on is ignored."""

    @property
    def over(self) -> bool:
        """Whether the report is made: the socket may still be open, but nobody talks any more."""
        return self._over

    @property
    def busy(self) -> int:
        """Turns under way or waiting."""
        return self._turns.busy

    async def run(self) -> None:
        """From the first frame to the last. OSError if the socket goes away."""
        try:
            await self._send(Ready())
            opening = self._mind.opening()
            self._opened = opening is not None
            self._taker = asyncio.create_task(self._take_turns(opening), name="malangee-turns")
            await self._listen()
        finally:
            if not self._over:
                await self._stop("closed")
            await self._scribe.close()
            await self._ear.close()
            await self._keep()

    async def _stop(self, why: str) -> None:
        """No more turns are taken, the AI falls silent, and what the user said until now is recorded."""
        if self._taker is not None:
            self._taker.cancel()
        await self._speaking.hush(why)
        if self._taker is not None:
            await asyncio.gather(self._taker, return_exceptions=True)
        await self._record_rest()

    async def _record_rest(self) -> None:
        """Records what the user said and nobody has answered: the turns that wait, and the speech under way."""
        left = self._turns.left()
        if self._ear.speaking:
            utterance = self._ear.so_far()
            seconds = self._ear.heard - utterance.began if self._dialect.silence_counts else utterance.seconds
            left.append(Turn("speech", utterance=utterance, seconds=seconds))
        until = asyncio.get_running_loop().time() + LAST_WORDS
        for turn in left:
            text = ""
            try:
                async with asyncio.timeout_at(until):
                    text = await self._text_of(turn) or ""
            except TimeoutError:
                self._line.note({"what": "not transcribed", "why": "the user has left"})
            self.record.add("user", text, self._clock.time(), turn.seconds)

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
                await self._ear.forget()
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
        if not self._keeping:
            self._keeping = True
            await self._mind.close(self.record, self._clock.time() if ended is None else ended)
            self.record.kept = True

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
                cut = [] if self._dialect.half_duplex else await self._speaking.hush("barge-in")
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
        seconds = ended.at - ended.began if self._dialect.silence_counts else utterance.seconds
        await self._put(Turn(action, utterance, seconds=seconds, answered=answered, began=self._begins))

    async def _commit(self) -> None:
        if not self._dialect.commit:
            return
        cut = await self._ear.cut()
        if cut is not None:
            await self._stopped(*cut, "input_audio_buffer.commit")
        elif self._dialect.forgiving:
            await self._send(ErrorFrame("input_audio_buffer_commit_empty", NOTHING_HEARD))
        else:
            self._line.note({"what": "empty commit"})

    def _respond(self) -> None:
        """One answer at a time: a request for the answer that is on its way anyway asks for nothing new, and neither
        does one after the AI has opened the conversation, until the user says something.
        """
        why = ""
        if self._speaking.active or ((self.busy or self._ear.speaking) and self._answers):
            why = "an answer is on its way"
        elif self._opened and not self._user_spoke:
            why = "the AI has opened, and the user has said nothing yet"
        if why:
            self._line.note({"what": "ignored", "type": "response.create", "why": why})
            return
        self._opened = self._opened or not self._user_spoke
        self._turns.put(Turn("response.create", began=self._begins))

    async def _put(self, turn: Turn) -> None:
        if self._turns.put(turn):
            self._user_spoke = self._user_spoke or turn.said
        else:
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
            await self._speaking.hush("session.update")
            await self._put(Turn("session.update", began=self._begins))

    # -- turns ---------------------------------------------------------------------------------------------------------

    async def _take_turns(self, opening: str | None) -> None:
        try:
            if opening is not None:
                with working(self._clock):
                    await self._speaking.say(spoken(opening), self._line.exchange(action="greeting"))
            while True:
                turn = await self._turns.next()
                with working(self._clock):
                    await self._take(turn)
        except OSError as gone:
            log.debug("connection %s went away: %s", self._line.id, gone)
        except Exception:
            log.exception("a conversation broke", extra={"connection_id": self._line.id})
            await self._line.drop("broke")

    async def _take(self, turn: Turn) -> None:
        if turn.action == "session.update":
            await self._clock.sleep(RECONNECT)
            again = self._mind.opening() or self._script.hello
            await self._speaking.say(spoken(again), self._line.exchange(action=turn.action))
            return
        text = await self._text_of(turn)
        exchange = self._line.exchange(action=turn.action, message=text)
        if text is not None:
            self.record.add("user", text, self._clock.time(), turn.seconds)
            self._turns.recorded()
            if not text.strip() and not self._dialect.blanks:
                exchange.note("note", {"what": "nothing understood"})
                return
        if turn.utterance is not None:
            if self._dialect.late_transcript and turn.answered:
                self._unsent = text
            else:
                await self._send(UserTranscript(text or ""), exchange)
        if text is not None and text.strip() and await self._taken_in(text, exchange):
            return
        if turn.answered and (turn.began == self._begins or self._dialect.half_duplex):
            await self._speaking.say(self._mind.answer(text, exchange), exchange)
        if self._unsent is not None:  # the answer was cut before its first sound, or there was none
            told, self._unsent = self._unsent, None
            await self._send(UserTranscript(told), exchange)

    async def _text_of(self, turn: Turn) -> str | None:
        """What the user said in a turn; None where they said nothing."""
        return turn.text if turn.utterance is None else await self._scribe.transcript(turn.utterance)

    async def _taken_in(self, text: str, exchange: Exchange) -> bool:
        """Whether nothing is to be said to it: that was all, or it could not be understood."""
        try:
            return await self._mind.hear(text, exchange)
        except AnswerFailed as failed:
            await self._speaking.fail(failed.error, exchange)
            return True

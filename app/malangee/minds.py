"""What is said on each kind of socket: chat answers, a scenario asks."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable

from app.emulation.exchanges import Exchange
from app.malangee.builder import Scenario
from app.malangee.dialects import Dialect
from app.malangee.frames import ErrorFrame, Frame, ScenarioCompleted
from app.malangee.mouth import AnswerFailed
from app.malangee.parts import Parts
from app.malangee.records import Record, analytics, reviewed
from app.malangee.script import Conversation, Script
from app.malangee.sentences import spoken
from app.spaces.failures import StoreFailure
from app.spaces.people import SessionRow, User

log = logging.getLogger("app.malangee")

Send = Callable[[Frame, Exchange | None], Awaitable[None]]

TOUCHED = 0.25
"""Part of a guest session's life after which a turn marks it as used again."""


class ChatMind:
    """A talk about a scenario, or about anything, with the agent."""

    def __init__(
        self,
        parts: Parts,
        dialect: Dialect,
        script: Script,
        conversation: Conversation,
        session: SessionRow,
        user: User | None,
        record: Record,
    ) -> None:
        self._parts = parts
        self._dialect = dialect
        self._script = script
        self._conversation = conversation
        self._session = session
        self._user = user
        self._record = record
        self._turn = len(record.earlier) // 2
        self._touched = record.began
        self.transcripts = conversation.transcripts
        self.hints = conversation.hints

    @property
    def prompt(self) -> str:
        """What the model is told of its role."""
        about = (
            ("Place", self._session.place),
            ("You are", self._session.partner),
            ("The learner wants to", self._session.goal),
        )
        return "\n".join([self._script.prompt.strip(), *(f"{name}: {value}" for name, value in about if value)])

    def opening(self) -> str | None:
        return self._conversation.greeting or (self._script.hello if self._dialect.greets else None)

    async def hear(self, text: str, exchange: Exchange) -> bool:
        await self._touch(exchange.strand.clock.time())
        return False

    async def _touch(self, now: float) -> None:
        """A guest's session expires when nobody has used it for a while: that it is used is in the store before."""
        if self._session.user_id is not None or now - self._touched < self._parts.settings.guest_life * TOUCHED:
            return
        self._touched = now
        try:
            await self._parts.people.change_session(self._session.uid, {}, at=now)
        except StoreFailure as failure:
            log.warning("session %s may expire early: %s", self._session.uid, failure)

    def answer(self, text: str | None, exchange: Exchange) -> AsyncGenerator[str, None]:
        past = self._record.past(self._parts.history + 1)
        if text is None and past and past[-1][0] == "user":
            text = past[-1][1]  # what was said before, and not answered
        if text is not None and not text.strip():
            return spoken(self._script.unheard)
        if past and past[-1] == ("user", text):
            past = past[:-1]
        self._turn += 1
        return self._parts.answers.sentences(
            text,
            prompt=self.prompt,
            earlier=past,
            session_id=self._session.uid,
            user="" if self._user is None else self._user.login_id,
            turn=self._turn,
            exchange=exchange,
        )

    async def close(self, record: Record, ended: float) -> None:
        people, uid = self._parts.people, self._session.uid
        said, summary = reviewed(record.said)
        try:
            await people.keep(
                uid,
                said,
                began=record.began,
                ended=ended,
                speech=record.speech,
                owner=None if self._user is None else self._user.id,
            )
            if summary is not None:
                await people.change_session(uid, {"summary": summary}, at=ended)
            if self._user is not None and self._session.analytics is None:
                figures = analytics([*record.earlier, *record.said], ended)
                if figures is not None:
                    await people.change_session(uid, {"analytics": figures}, at=ended)
        except StoreFailure as failure:
            log.error("session %s is not saved: %s", uid, failure)


class ScenarioMind:
    """Place, partner and goal, gathered over at most three questions."""

    def __init__(
        self,
        parts: Parts,
        dialect: Dialect,
        script: Script,
        scenario: Scenario,
        session_id: str,
        user: User | None,
        record: Record,
        send: Send,
        completed: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        self._parts = parts
        self._dialect = dialect
        self._script = script
        self._scenario = scenario
        self._session_id = session_id
        self._user = user
        self._record = record
        self._send = send
        self._completed = completed
        self._now = now
        self._failures = 0
        self.transcripts = scenario.builder.transcripts
        self.hints: tuple[str, ...] = ()

    def opening(self) -> str | None:
        greeting = self._scenario.opening()
        return greeting or (self._scenario.question() if self._dialect.greets else None)

    async def hear(self, text: str, exchange: Exchange) -> bool:
        try:
            extracted = await self._parts.answers.extract(text)
        except Exception as error:
            raise AnswerFailed(error) from error
        self._scenario.hear(text, extracted)
        if not self._scenario.complete:
            return False
        self._completed()
        try:
            if self._scenario.builder.save_fails:
                raise StoreFailure("the fixture says so")
            await self._save()
        except StoreFailure as failure:
            log.warning("scenario %s is not saved: %s", self._session_id, failure)
            await self._send(ErrorFrame("save_failed", "Scenario save failed"), exchange)
        values = self._scenario.values
        completed = ScenarioCompleted(values["place"], values["partner"], values["goal"], self._session_id)
        await self._send(completed, exchange)
        return True

    async def answer(self, text: str | None, exchange: Exchange) -> AsyncGenerator[str, None]:
        if self._scenario.builder.upstream == "unheard":
            self._failures += 1
            if self._failures > 1 or not self._dialect.greets:
                raise UpstreamFailed("the service behind the scenario has failed (a fixture says so)")
        unheard = text is not None and not text.strip()
        async for sentence in spoken(self._script.unheard if unheard else self._scenario.question()):
            yield sentence

    async def close(self, record: Record, ended: float) -> None:
        """The session is saved when it is complete, without what was said to build it."""

    async def _save(self) -> None:
        """The durations of a session are those of its chats: talking the scenario out does not count."""
        now = self._now()
        scenario, values = self._scenario, self._scenario.values
        await self._parts.people.add_session(
            SessionRow(
                uid=self._session_id,
                user_id=None if self._user is None else self._user.id,
                title=scenario.title(),
                started_at=self._record.began,
                ended_at=now,
                created_at=now,
                updated_at=now,
                place=values["place"],
                partner=values["partner"],
                goal=values["goal"],
                state=json.dumps(scenario.state()),
                completed_at=now,
            )
        )


class UpstreamFailed(Exception):
    """The service that the backend would ask has failed."""

"""One sendmsg from START to END, as an async iterator of frames.

    ask -> history, prompt -> agent.runner -> ReplySteps -> voices -> revision.render -> frames

Nothing here knows a socket or a key order. Closing the iterator cancels the graph and the voices; a turn that was
closed or that failed is not saved.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from app.agent.graphs import Graph, GraphError, GraphShelf
from app.agent.models import OPEN_MODEL, ChatModels
from app.agent.prompts import fill
from app.agent.runner import AgentMessageEnd, AgentToken, conversation, run_graph
from app.agent.sentences import SentenceSplitter
from app.chldo.frames import Frame
from app.chldo.reply import ReplySteps
from app.chldo.requests import KEY_UNKNOWN, KEY_UNUSABLE, Refusal, SendMsg
from app.chldo.revisions import Revision
from app.chldo.steps import (
    Caller,
    Ended,
    Failed,
    HistoryReplayed,
    HistorySought,
    MemoryFound,
    MemorySought,
    RunStep,
    Started,
    Step,
    ThinkEnded,
    ThinkStarted,
    TurnFacts,
)
from app.chldo.voices import Voices
from app.emulation.determinism import Clock, Ids
from app.emulation.replies import ReplyAsk
from app.spaces.history import History
from app.spaces.models import RoomWindow, Space, Turn
from app.spaces.store import SpaceStore, StoreFailure

log = logging.getLogger("app.chldo.turn")

SOM, EOM = "<SOM>", "<EOM>"
NO_CREDIT = "현재 크레딧은 {balance} 입니다. 크레딧이 100원 이상 필요합니다."
NOT_SAVED = "The turn could not be saved."
TIMED_OUT = "Request timed out."


REMEMBERED = 4096
"""Earlier turns whose messages are kept ready: making them anew for every turn is a tenth of its time."""


class NoCredit(Exception):
    """The space cannot pay; the text is the wire's own."""


@dataclass(frozen=True, slots=True)
class TurnRules:
    """The settings a turn obeys. Seconds."""

    som_eom: bool = True
    min_sentence: int = 13
    turn_timeout: float = 300.0
    url_life: float | None = None
    history: int = 20


class RunIds(dict[str, str]):
    """LangChain's run ids as UUIDv4 text, made up when first asked for."""

    def __init__(self, ids: Ids) -> None:
        super().__init__()
        self._ids = ids

    def __missing__(self, key: str) -> str:
        made = self[key] = self._ids.uuid4()
        return made


class Turns:
    """Runs turns. One for the whole program; holds no state of a turn."""

    def __init__(
        self,
        *,
        store: SpaceStore,
        history: History,
        graphs: GraphShelf,
        models: ChatModels,
        voices: Voices,
        clock: Clock,
        ids: Ids,
        rules: TurnRules,
    ) -> None:
        self._store = store
        self._history = history
        self._graphs = graphs
        self._models = models
        self._voices = voices
        self._clock = clock
        self._ids = ids
        self._rules = rules
        self._remembered = lru_cache(REMEMBERED)(_as_messages)
        self._threads: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def admit(self, ask: SendMsg, revision: Revision) -> Space | Refusal:
        """The space that answers, or why none does."""
        if revision.account == "api_key":
            found = await self._store.by_key(ask.account)
            if found is None:
                return Refusal(KEY_UNKNOWN)
            space, key = found
            return space if key.usable else Refusal(KEY_UNUSABLE)
        if revision.account == "org_id":
            named = await self._store.by_org(ask.account)
            if named is not None:
                return named
        return await self._store.default()

    async def run(self, ask: SendMsg, space: Space, revision: Revision, caller: Caller) -> AsyncGenerator[Frame, None]:
        """The frames of one turn, in order."""
        now = self._clock.time()
        marked = self._rules.som_eom
        facts = TurnFacts(
            connection_id=caller.connection_id,
            room_uid=ask.room_uid,
            stream_uid=self._ids.base62(25),
            c_at=str(round(now, 6)),
            return_voice=space.return_voice if ask.return_voice is None else ask.return_voice,
            is_stream=ask.stream,
            scene_number=revision.default_scene if ask.scene_number is None else ask.scene_number,
            som=SOM if marked else "",
            eom=EOM if marked else "",
            client_num=caller.client_num,
            run_ids=RunIds(self._ids),
        )
        turn = _Turn(self, ask, space, revision, facts, caller, began=int(now * 1e9))
        shows = revision.renders
        async with aclosing(turn.steps()) as steps:
            async for step in steps:
                show = shows.get(type(step))
                if show is not None:
                    for frame in show(step, facts):
                        yield frame


class _Turn:
    """One turn under way."""

    def __init__(
        self,
        turns: Turns,
        ask: SendMsg,
        space: Space,
        revision: Revision,
        facts: TurnFacts,
        caller: Caller,
        *,
        began: int,
    ) -> None:
        self._in = turns
        self._ask = ask
        self._space = space
        self._revision = revision
        self._facts = facts
        self._caller = caller
        self._began = began
        self._charged = False
        self._language = ask.language or space.language
        splits = space.sentence_mode and (revision.sent_uid_length is not None or not revision.raw_events)
        self._reply = ReplySteps(
            revision,
            sentences=SentenceSplitter(turns._rules.min_sentence) if splits else None,
            stream=ask.stream,
            run_ids=facts.run_ids,
            make_uid=turns._ids.base62,
        )

    async def steps(self) -> AsyncGenerator[Step, None]:
        """Everything that happens, in the order in which it happens."""
        ask, space = self._ask, self._space
        yield Started()
        yield HistorySought()
        try:
            window = await self._in._history.window(space.uid, ask.room_uid)
        except StoreFailure as failure:
            log.error("history of room %s cannot be read: %s", ask.room_uid, failure)
            yield Failed(str(failure))
            yield Ended()
            return
        self._facts.saved_turns = window.saved
        yield HistoryReplayed()
        yield MemorySought()
        yield MemoryFound(0)
        yield ThinkStarted()
        try:
            last: Step | None = None
            async with aclosing(self._answer(window)) as answer:
                async for step in answer:
                    if isinstance(step, RunStep) and step.closes_turn:
                        last = step  # shown once the turn is saved: on R1 it tells the client that the turn is over
                    else:
                        yield step
            await self._settle()
            if last is not None:
                yield last
        except Exception as error:  # noqa: BLE001 - a graph or a model may raise anything; the wire tells it inside the flow
            await self._give_back()
            yield Failed(self._tell(error))
        yield ThinkEnded()
        yield Ended()

    def _answer(self, window: RoomWindow) -> AsyncGenerator[Step, None]:
        said = self._said(window)
        if self._facts.return_voice and self._revision.has_voice:
            life = self._in._rules.url_life or self._revision.voice_life
            return self._in._voices.follow(
                said,
                room_uid=self._ask.room_uid,
                language=self._language,
                url_base=self._caller.url_base,
                life=life,
                connection_id=self._caller.connection_id,
            )
        return said

    async def _said(self, window: RoomWindow) -> AsyncGenerator[Step, None]:
        """What the graph says, as steps. A reader of its own may run ahead of the socket."""
        reply = self._reply
        raw = self._revision.raw_events
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(asyncio.timeout(self._in._rules.turn_timeout))
            graph = self._in._graphs.get(self._space.graph)
            messages, config, options = await self._input(graph, window, stack)
            happenings = await stack.enter_async_context(aclosing(run_graph(graph, messages, config, **options)))
            async for happening in happenings:
                if type(happening) is AgentToken:
                    for step in reply.token(happening.text, happening.run_id, happening.parent_ids, happening.tags):
                        yield step
                elif isinstance(happening, AgentMessageEnd):
                    for step in reply.message_end():
                        yield step
                elif raw and not isinstance(happening, AgentToken):
                    yield reply.event(
                        happening.event, happening.run_id, happening.parent_ids, happening.tags, happening.data
                    )
            for step in reply.end():
                yield step

    async def _input(
        self, graph: Graph, window: RoomWindow, stack: AsyncExitStack
    ) -> tuple[list[Any], RunnableConfig, dict[str, Any]]:
        """The graph's messages, its config and the options of the run."""
        ask, space = self._ask, self._space
        turns = () if ask.no_history else window.turns
        prompt, told = fill(
            space.prompt,
            visitor_name=ask.visitor_name,
            turns=[(turn.msg, turn.reply) for turn in turns],
            language=ask.language,
        )
        configurable: dict[str, Any] = {
            OPEN_MODEL: self._open_model,
            "turn": {
                "room_uid": ask.room_uid,
                "user_id": ask.user_id,
                "visitor_name": ask.visitor_name,
                "questioner": ask.questioner,
                "language": self._language,
                "scene_number": self._facts.scene_number,
                "space": space.uid,
            },
        }
        options: dict[str, Any] = {}
        earlier = () if told else turns
        if self._in._graphs.remembers(graph):
            options["durability"] = "exit"
            thread = f"{space.uid}/{ask.room_uid}"
            if ask.no_save or ask.no_history:
                thread = f"{thread}/{self._in._ids.base62(25)}"
            else:
                earlier = ()
                lock = self._in._threads.setdefault(thread, asyncio.Lock())
                await stack.enter_async_context(lock)
            configurable["thread_id"] = thread
        said = [message for turn in earlier for message in self._in._remembered(turn)]
        return conversation(prompt, said, ask.msg), {"configurable": configurable}, options

    async def _open_model(self) -> BaseChatModel:
        """Called by the graph when it wants its model: the moment the space has to be able to pay."""
        await self._pay()
        ask, space = self._ask, self._space
        return self._in._models.open(
            space.model,
            ask.model,
            ReplyAsk(
                msg=ask.msg,
                space=space.uid,
                room_uid=ask.room_uid,
                user_id=ask.user_id,
                language=self._language,
                model=ask.model or space.model,
                scene_number=self._facts.scene_number,
                filename=ask.filename,
                visitor_name=ask.visitor_name,
                turn=self._facts.saved_turns + 1,
            ),
        )

    async def _pay(self) -> None:
        if self._charged:
            return
        charge = await self._in._store.charge(self._space.uid, self._space.credit_per_turn)
        if not charge.ok:
            raise NoCredit(NO_CREDIT.format(balance=charge.balance))
        self._charged = True

    async def _give_back(self) -> None:
        if self._charged and self._space.credit_per_turn:
            try:
                await self._in._store.refund(self._space.uid, self._space.credit_per_turn)
            except StoreFailure as failure:
                log.error("credit of space %s cannot be given back: %s", self._space.uid, failure)

    async def _settle(self) -> None:
        """Pays, if the graph never asked for the turn's model, and saves the turn."""
        await self._pay()
        ask = self._ask
        if ask.no_save:
            return
        turn = Turn(
            began=self._began,
            user_id=ask.user_id,
            msg=ask.msg,
            reply=self._reply.text,
            visitor_name=ask.visitor_name,
            language=self._language,
            filename=ask.filename,
            scene_number=ask.scene_number,
            revision=self._revision.id,
            cost=self._space.credit_per_turn,
        )
        await self._in._history.save(self._space.uid, ask.room_uid, turn)

    def _tell(self, error: Exception) -> str:
        """The text that the client gets for a failure, and the log line for us."""
        about = {"connection_id": self._caller.connection_id, "room_uid": self._ask.room_uid}
        if isinstance(error, NoCredit):
            log.info("no credit in space %s", self._space.uid, extra=about)
            return str(error)
        if type(error) is TimeoutError:
            log.warning("turn took longer than %s s", self._in._rules.turn_timeout, extra=about)
            return TIMED_OUT
        if isinstance(error, StoreFailure):
            log.error("turn not saved: %s", error, extra=about)
            return NOT_SAVED
        expected = self._in._models.is_upstream_error(error) or isinstance(error, GraphError)
        told = self._in._models.tell(error)
        log.warning("turn failed: %s", told, extra=about, exc_info=not expected)
        return told


def _as_messages(turn: Turn) -> tuple[AnyMessage, ...]:
    """An earlier turn as the model is told it. The ids keep LangGraph from making some up for each run."""
    reply = AIMessage(turn.reply, id=f"{turn.began}-reply")
    return (reply,) if turn.msg is None else (HumanMessage(turn.msg, id=f"{turn.began}-msg"), reply)

"""One sendmsg from START to END, as an async iterator of frames.

    ask -> history, prompt -> agent.runner -> ReplySteps -> voices -> revision.render -> frames

Nothing here knows a socket or a key order. Closing the iterator cancels the graph and the voices; a turn that was
closed or that failed is not saved.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig

from app.agent.choices import from_graph
from app.agent.deadline import TimeUp, within
from app.agent.faults import Happenings, interrupted, struck
from app.agent.graphs import Graph, GraphError, GraphShelf
from app.agent.hotwords import HotwordDetector
from app.agent.inputs import GraphInput, conversation, enter
from app.agent.models import OPEN_MODEL, ChatModels
from app.agent.past import Past
from app.agent.prompts import fill, scene_prompt
from app.agent.runner import AgentEvent, AgentOffer, AgentToken, run_graph
from app.agent.sentences import SentenceSplitter
from app.agent.threads import thread_id
from app.chldo.frames import Frame
from app.chldo.memories import Memories, MemoryShelf
from app.chldo.renders import NO_CREDIT
from app.chldo.reply import ReplySteps, SentenceEnd
from app.chldo.requests import SendMsg
from app.chldo.revisions import Revision
from app.chldo.steps import (
    Caller,
    ChoicesEnded,
    ChoicesStarted,
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
    TurnRules,
    epoch_text,
)
from app.chldo.voices import Voices
from app.emulation.determinism import Ids
from app.emulation.faults.kinds import Place
from app.emulation.replies import Choice, ReplyAsk
from app.spaces.history import History
from app.spaces.models import RoomWindow, Space, Turn
from app.spaces.store import SpaceStore, StoreFailure
from app.spaces.uploads import Image, Uploads

log = logging.getLogger("app.chldo.turn")

NOT_READ = "The history of the room could not be read."
NOT_SAVED = "The turn could not be saved."
TIMED_OUT = "Request timed out."
BROKEN = "Internal server error"

CHOICES_TIMEOUT = 30.0
"""Seconds that a real model may take to suggest choices."""


class NoCredit(Exception):
    """The space cannot pay; the text is the wire's own."""


class RunIds(dict[str, str]):
    """LangChain's run ids as UUIDv4 text, made up when first asked for.

    Those of the hidden pairs (`writer:…`) come from a stream of their own: they are asked for by whoever shows the
    steps, which may be far behind whoever reads the graph.
    """

    def __init__(self, ids: Ids) -> None:
        super().__init__()
        self._graph = ids.branch("runs")
        self._hidden = ids.branch("hidden")

    def __missing__(self, key: str) -> str:
        made = self[key] = (self._hidden if ":" in key else self._graph).uuid4()
        return made


@dataclass(frozen=True, slots=True)
class TurnParts:
    """What turns work with."""

    store: SpaceStore
    history: History
    graphs: GraphShelf
    models: ChatModels
    voices: Voices
    memories: MemoryShelf
    uploads: Uploads
    rules: TurnRules


class Turns:
    """Runs turns. One for the whole program; holds no state of a turn."""

    def __init__(self, parts: TurnParts) -> None:
        self._parts = parts
        self._past = Past()
        self._threads: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(
        self, ask: SendMsg, space: Space, revision: Revision, caller: Caller, *, image: Image | None = None
    ) -> AsyncGenerator[Frame, None]:
        """The frames of one turn, in order. `image` is the upload that the request names."""
        strand = caller.exchange.strand
        now = strand.clock.time()
        facts = TurnFacts(
            connection_id=caller.connection_id,
            room_uid=ask.room_uid,
            stream_uid=strand.ids.base62(25),
            c_at=epoch_text(now),
            return_voice=space.return_voice if ask.return_voice is None else ask.return_voice,
            is_stream=ask.stream,
            scene_number=revision.default_scene if ask.scene_number is None else ask.scene_number,
            som=self._parts.rules.som,
            eom=self._parts.rules.eom,
            client_num=caller.client_num,
            run_ids=RunIds(strand.ids),
        )
        turn = _Turn(
            self._parts,
            self._past,
            self._threads,
            ask,
            space,
            revision,
            facts,
            caller,
            image,
            began=int(now * 1e9) + strand.number,  # a virtual clock may stand still between two turns
        )
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
        parts: TurnParts,
        past: Past,
        threads: WeakValueDictionary[str, asyncio.Lock],
        ask: SendMsg,
        space: Space,
        revision: Revision,
        facts: TurnFacts,
        caller: Caller,
        image: Image | None,
        *,
        began: int,
    ) -> None:
        self._in = parts
        self._past = past
        self._threads = threads
        self._image = image
        self._book = parts.models.book  # for the whole turn, whatever happens to the files meanwhile
        self._ask = ask
        self._space = space
        self._revision = revision
        self._facts = facts
        self._caller = caller
        self._began = began
        self._charged = False
        self._era = parts.store.eras.now  # what a reset ends, this turn with it
        self._language = ask.language or space.language
        splits = space.sentence_mode and (revision.sent_uid_length is not None or not revision.raw_events)
        self._memories: Memories
        self._detector: HotwordDetector | None = None
        self._splitter = SentenceSplitter(parts.rules.min_sentence) if splits else None
        self._said_to_model: list[AnyMessage] = []
        self._offered: list[Choice] | None = None
        self._entry: GraphInput | None = None
        self._paying = asyncio.Lock()

    def _new_reply(self, window: RoomWindow) -> ReplySteps:
        if self._revision.has_hotwords and len(self._memories.book):
            self._detector = self._memories.book.detector(window.fired)
        return ReplySteps(
            self._revision,
            sentences=self._splitter,
            hotwords=self._detector,
            dictionaries=self._memories.dictionaries,
            stream=self._ask.stream,
            run_ids=self._facts.run_ids,
            make_uid=self._caller.exchange.strand.ids.branch("sentences").base62,
        )

    async def steps(self) -> AsyncGenerator[Step, None]:
        """Everything that happens, in the order in which it happens."""
        ask, space = self._ask, self._space
        yield Started()
        yield HistorySought()
        try:
            window = await self._in.history.window(space.uid, ask.room_uid)
        except StoreFailure as failure:
            log.error("history of room %s cannot be read: %s", ask.room_uid, failure)
            yield Failed(NOT_READ)
            yield ThinkEnded()
            yield Ended()
            return
        self._began = window.begin(self._began)
        self._facts.saved_turns = window.saved
        yield HistoryReplayed()
        yield MemorySought()
        self._memories = await self._in.memories.of(space)
        yield MemoryFound(len(self._memories.book))
        self._reply = self._new_reply(window)
        yield ThinkStarted()
        try:
            last: Step | None = None
            graph = self._in.graphs.get(space.graph)
            async with self._alone(graph), aclosing(self._answer(graph, window)) as answer:
                async for step in answer:
                    if isinstance(step, RunStep) and step.closes_turn:
                        last = step  # shown once the turn is saved: on R1 it tells the client that the turn is over
                    else:
                        yield step
                await self._settle()
            if last is not None:
                yield last
        except Exception as error:  # noqa: BLE001 - a graph or a model may raise anything; the wire tells it in the flow
            await self._give_back()
            yield Failed(self._tell(error))
            yield ThinkEnded()
            yield Ended()
            return
        yield ThinkEnded()
        if ask.use_choices:
            yield ChoicesStarted()
            yield ChoicesEnded(await self._choices(), ask.use_choices)
        yield Ended()

    @asynccontextmanager
    async def _alone(self, graph: Graph) -> AsyncIterator[None]:
        """Turns of a room run one after the other, from recall to keep, where the graph keeps the room's memory."""
        if not self._in.graphs.remembers(graph):
            yield
            return
        lock = self._threads.setdefault(self._thread_id, asyncio.Lock())
        try:
            async with asyncio.timeout(self._in.rules.turn_timeout):
                await lock.acquire()
        except TimeoutError:
            raise TimeUp(self._in.rules.turn_timeout) from None
        try:
            yield
        finally:
            lock.release()

    @property
    def _thread_id(self) -> str:
        return thread_id(self._space.uid, self._ask.room_uid)

    def _answer(self, graph: Graph, window: RoomWindow) -> AsyncGenerator[Step, None]:
        said = self._said(graph, window)
        if self._facts.return_voice and self._revision.has_voice:
            life = self._in.rules.url_life or self._revision.voice_life
            return self._in.voices.follow(
                said,
                room_uid=self._ask.room_uid,
                language=self._language,
                life=life,
                caller=self._caller,
            )
        return said

    async def _said(self, graph: Graph, window: RoomWindow) -> AsyncGenerator[Step, None]:
        """What the graph says, as steps. A reader of its own may run ahead of the socket."""
        reply = self._reply
        raw = self._revision.raw_events
        async with AsyncExitStack() as stack:
            entry, config = await self._input(graph, window)
            running = await self._struck(run_graph(entry, config, events=raw))
            running = await stack.enter_async_context(aclosing(running))
            limited = within(self._in.rules.turn_timeout, running)
            happenings = await stack.enter_async_context(aclosing(limited))
            try:
                async for happening in happenings:
                    if type(happening) is AgentToken:
                        for step in reply.token(happening.text, happening.run_id, happening.parent_ids, happening.tags):
                            yield step
                    elif isinstance(happening, AgentEvent):
                        yield reply.event(
                            happening.event, happening.run_id, happening.parent_ids, happening.tags, happening.data
                        )
                    elif isinstance(happening, AgentOffer):
                        self._offered = from_graph(happening.choices)
                    else:
                        for step in reply.message_end():
                            yield step
            except Exception:
                for step in reply.message_end():  # what the splitter held was said before the failure
                    if not isinstance(step, SentenceEnd):
                        yield step
                raise
            for step in reply.end():
                yield step

    async def _struck(self, happenings: Happenings) -> Happenings:
        """The happenings as the faults of this turn will have them."""
        exchange = self._caller.exchange
        happenings = struck(happenings, exchange.strike(Place.TURN), exchange.strand.clock)
        for live in exchange.strike(Place.CREDIT):
            balance, tokens = live.rule["balance"], live.rule["after_tokens"]
            if tokens:
                happenings = interrupted(happenings, tokens, partial(self._impoverish, balance))
            else:
                await self._in.store.set_credit(self._space.uid, balance)  # paying is still to come
        return happenings

    async def _impoverish(self, balance: int) -> None:
        """The space has spent its credit elsewhere, and is asked to pay again."""
        await self._in.store.set_credit(self._space.uid, balance)
        self._charged = False  # what it had paid is gone with the rest
        await self._pay()

    async def _input(self, graph: Graph, window: RoomWindow) -> tuple[GraphInput, RunnableConfig]:
        """How the turn enters the graph (a remembering one on its room's thread), and the graph's config."""
        ask, space = self._ask, self._space
        turns = () if ask.no_history else window.turns
        prompt, told = fill(
            scene_prompt(space, self._facts.scene_number),
            long_term=self._memories.long_term,
            visitor_name=ask.visitor_name,
            turns=[(turn.msg, turn.reply) for turn in turns],
            language=ask.language,
        )
        configurable: dict[str, Any] = {
            OPEN_MODEL: self._open_model,
            "thread_id": self._thread_id,
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
        earlier = [message for turn in (() if told else turns) for message in self._past.messages(turn)]
        picture = None if self._image is None else await self._in.uploads.data_url(self._image)
        entry = await enter(
            self._in.graphs,
            graph,
            self._thread_id,
            prompt=prompt,
            earlier=earlier,
            msg=ask.msg,
            picture=picture,
            recall=not ask.no_history,
        )
        self._said_to_model = [*entry.messages] or conversation(prompt, earlier, ask.msg, picture)
        if not ask.no_save:
            self._entry = entry
        return entry, {"configurable": configurable}

    async def _open_model(self) -> BaseChatModel:
        """Called by the graph when it wants its model: the moment the space has to be able to pay."""
        await self._pay()
        exchange = self._caller.exchange
        return self._in.models.open(
            self._space.model,
            self._ask.model,
            self._reply_ask(),
            book=self._book,
            clock=exchange.strand.clock,
            matched=lambda explain: exchange.note("match", explain),
        )

    def _reply_ask(self) -> ReplyAsk:
        ask, space = self._ask, self._space
        return ReplyAsk(
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
        )

    async def _choices(self) -> list[dict[str, str]]:
        """What the user may say next; none, and a log line, if that fails: the turn itself is done."""
        asked = self._ask.use_choices
        try:
            found: Sequence[Choice] | None = self._offered
            if found is None:
                async with asyncio.timeout(min(CHOICES_TIMEOUT, self._in.rules.turn_timeout)):
                    found = await self._in.models.choices(
                        self._space.model,
                        self._ask.model,
                        self._reply_ask(),
                        [*self._said_to_model, AIMessage(self._reply.text)],
                        asked,
                        book=self._book,
                    )
        except Exception as error:  # noqa: BLE001 - a real model may raise anything
            about = {"connection_id": self._caller.connection_id, "room_uid": self._ask.room_uid}
            log.warning("no choices: %s", self._in.models.tell_log(error), extra=about)
            return []
        return [{"text": choice.text, "tone": choice.tone} for choice in found[:asked]]

    async def _pay(self) -> None:
        async with self._paying:  # a graph may ask for the model in several nodes at once
            if self._charged:
                return
            charge = await self._in.store.charge(self._space.uid, self._space.credit_per_turn, era=self._era)
            if not charge.ok:
                raise NoCredit(NO_CREDIT.format(balance=charge.balance))
            self._charged = True

    async def _give_back(self) -> None:
        if self._charged and self._space.credit_per_turn:
            try:
                await self._in.store.refund(self._space.uid, self._space.credit_per_turn, era=self._era)
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
            hotwords=() if self._detector is None else tuple(self._detector.fired),
        )
        over = self._in.store.eras.is_over(self._era, self._space.uid, ask.room_uid)
        if self._entry is not None and not over:
            try:
                await self._entry.keep()
            except Exception as error:
                raise StoreFailure(f"the graph's memory cannot be written: {error}") from error
        await self._in.history.save(self._space.uid, ask.room_uid, turn, era=self._era)

    def _tell(self, error: Exception) -> str:
        """The text that the client gets for a failure, and the log line for us."""
        about = {"connection_id": self._caller.connection_id, "room_uid": self._ask.room_uid}
        if isinstance(error, NoCredit):
            log.info("no credit in space %s", self._space.uid, extra=about)
            return str(error)
        if isinstance(error, TimeUp):
            log.warning("turn %s", error, extra=about)
            return TIMED_OUT
        if isinstance(error, StoreFailure):
            log.error("turn not saved: %s", error, extra=about)
            return NOT_SAVED
        expected = self._in.models.is_upstream_error(error) or isinstance(error, GraphError)
        log.warning("turn failed: %s", self._in.models.tell_log(error), extra=about, exc_info=not expected)
        if isinstance(error, OSError) and not expected:
            return BROKEN  # its text may name files of this machine
        return self._in.models.tell(error)

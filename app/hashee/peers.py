"""The other side: people and agents of the fixtures that answer by script, and agents that a graph answers for.

They speak through the ledger like everybody else. Payloads are opaque on the wire; here they are read as base64 of
UTF-8, or as the text itself. Imports LangChain, when a graph answers for the first time.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, select

from app.emulation.determinism import Strand
from app.emulation.exchanges import Exchange
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Dice
from app.emulation.occasions import Occasion
from app.emulation.replies import ReplyAsk
from app.hashee.fixtures import Brain, Cast, Line, answering
from app.hashee.folding import fold_name
from app.hashee.frames import AgentTyping, MessageNew, StreamError
from app.hashee.identifiers import AGENT, HUMAN, kind_of, principal, uid_of, ulid
from app.hashee.ledger import Event, Ledger, Tx
from app.hashee.messages import Outgoing, delivered, react_as, send
from app.hashee.refusals import Refused
from app.hashee.rights import ACTIVE, Actor, display_name, place
from app.hashee.streams import Speaker, Stream, Streams
from app.hashee.tables import agents, members, messages

if TYPE_CHECKING:
    from app.agent.runner import Happening
    from app.engine import Engine, Stage

log = logging.getLogger("app.hashee.peers")

MOST_WAITING = 1_000
"""Messages that peers have not answered yet; more are not answered."""

AT_ONCE = 16
"""Answers under way."""

HISTORY = 20
"""Earlier messages that a graph is told."""

LONGEST = 300.0
"""Seconds that an answer may take, pauses of the script apart."""


@dataclass(frozen=True, slots=True)
class _Peer:
    """Somebody who answers."""

    principal: str
    name: str
    script: tuple[Line, ...]
    brain: Brain | None


class Peers:
    """Everybody who answers. `running` counts answers under way."""

    def __init__(
        self, ledger: Ledger, streams: Streams, arrived: Callable[[str, str, int], None], stage: Stage, engine: Engine
    ) -> None:
        """`arrived` hears which message has reached whom: conversation, principal, number."""
        self._ledger = ledger
        self._arrived = arrived
        self._streams = streams
        self._stage = stage
        self._engine = engine
        self._peers: dict[str, _Peer] = {}
        self._waiting: asyncio.Queue[tuple[_Peer, MessageNew]] = asyncio.Queue(MOST_WAITING)
        self._locks: dict[str, asyncio.Lock] = {}
        self.running = 0

    def take(self, cast: Cast) -> None:
        """Who answers from now on."""
        people = [
            _Peer(principal(HUMAN, one.id), one.display_name, one.script, None) for one in cast.users if one.script
        ]
        machines = [
            _Peer(principal(AGENT, one.id), one.display_name, one.script, one.brain)
            for one in cast.agents
            if one.script or one.brain
        ]
        self._peers = {peer.principal: peer for peer in (*people, *machines)}

    def heard(self, event: Event) -> None:
        """A message that concerns somebody who answers, and was taken in by this process."""
        frame = event.frame
        if not isinstance(frame, MessageNew) or not event.own or not self._peers:
            return
        if principal(frame.sender_type, frame.sender_id) in self._peers:
            return  # two who answer each other would never end
        for name in event.to:
            peer = self._peers.get(name)
            if peer is not None:
                self._arrived(frame.conversation_id, name, frame.conversation_seq)
            if peer is None or (frame.conversation_type == "group" and not _means(frame, peer)):
                continue
            try:
                self._waiting.put_nowait((peer, frame))
            except asyncio.QueueFull:
                log.warning("%s does not answer: %d messages wait already", peer.name, MOST_WAITING)

    async def run(self) -> None:
        """Answers until it is cancelled."""
        turn = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                peer, message = await self._waiting.get()
                await turn.acquire()
                task = tasks.create_task(self._answer(peer, message))
                task.add_done_callback(lambda _: turn.release())

    async def _answer(self, peer: _Peer, message: MessageNew) -> None:
        """One answer; those of a conversation come one after the other."""
        key = message.conversation_id
        lock = self._locks.setdefault(key, asyncio.Lock())
        self.running += 1
        try:
            async with lock:
                with self._stage.world.clock.working():
                    await self._reply(peer, message)
        except Refused as refused:
            log.info("%s does not answer: %s", peer.name, refused)
        except Exception as error:
            log.warning("%s could not answer: %s", peer.name, self._engine.models.tell_log(error))
            log.debug("because of", exc_info=True)
        finally:
            self.running -= 1
            if not lock.locked() and self._locks.get(key) is lock:
                del self._locks[key]

    async def _reply(self, peer: _Peer, message: MessageNew) -> None:
        key = message.conversation_id
        await self._ledger.do(lambda tx: delivered(tx, [(key, peer.principal, message.conversation_seq)]))
        strand = self._stage.world.connection("hashee", key).branch(peer.principal, message.conversation_seq)
        if peer.brain is not None:
            await self._think(peer, peer.brain, message, self._exchange(message, strand))
        else:
            await self._recite(peer, message, strand)

    def _exchange(self, message: MessageNew, strand: Strand) -> Exchange:
        """The answer to a message, as an occasion for faults: the request came over REST, so it has no connection."""
        stage, room = self._stage, message.conversation_id
        occasion = Occasion(
            wire="hashee",
            room=room,
            user=message.sender_id,
            message=text_of(message.encrypted_payload),
            action="message",
            turn=stage.world.turn("hashee", room),
        )

        def note(kind: str, exchange: Exchange | None, detail: Any) -> None:
            if stage.journal.enabled:
                stage.journal.write(kind, wire="hashee", room=room, detail=detail, clock=strand.clock)

        return Exchange(occasion, strand, Dice(strand.ids), stage.faults, tell=note)

    async def _recite(self, peer: _Peer, message: MessageNew, strand: Strand) -> None:
        text = text_of(message.encrypted_payload)
        line = answering(peer.script, text)
        if line is None:
            return
        await strand.clock.sleep(line.pause)
        if line.react is not None:
            await self._ledger.do(
                lambda tx: react_as(tx, _actor(tx, peer.principal), message.message_id, line.react or "")
            )
        if line.say is not None or line.payload is not None:
            said = (line.say or "").replace("{{msg}}", text or "")
            payload = line.payload or (message.encrypted_payload if line.say == "{{msg}}" else payload_of(said))
            out = Outgoing("text", payload, f"answer:{message.message_id}"[:64])
            await self._say(peer, message, out)

    async def _say(self, peer: _Peer, message: MessageNew, out: Outgoing) -> None:
        speaker = _answering(peer, message)
        conversation = message.conversation_id
        await self._ledger.do(lambda tx: send(tx, speaker(tx), conversation, out), order=conversation)

    async def _think(self, peer: _Peer, brain: Brain, message: MessageNew, exchange: Exchange) -> None:
        """A graph answers, and its tokens are streamed; where there are no streams, it says all at once."""
        strand, conversation = exchange.strand, message.conversation_id
        history, people = await self._ledger.see(lambda tx: _known(tx, peer.principal, conversation))
        agent_id = uid_of(peer.principal)
        stream_id = ulid(strand.clock.time(), strand.ids.seed_bytes(10))
        speaker = _answering(peer, message)
        said, stream = "", None
        await self._type(people, agent_id, message, True)
        try:
            started = await self._streams.start(speaker, agent_id, stream_id, conversation)
            stream = None if isinstance(started, StreamError) else started
            async with (
                asyncio.timeout(LONGEST),
                aclosing(self._tokens(peer, brain, message, history, exchange)) as tokens,
            ):
                said = await self._speak(tokens, stream)
        finally:
            if stream is not None and not said:
                await self._streams.abort(stream)
            await self._type(people, agent_id, message, False)
        if stream is not None and said:
            out = Outgoing("text", payload_of(said), stream_id, stream_id=stream_id)
            await self._streams.done(speaker, stream, out)
        elif said:
            await self._say(peer, message, Outgoing("text", payload_of(said), stream_id))

    async def _speak(self, tokens: AsyncGenerator[str, None], stream: Stream | None) -> str:
        """All that is said; nothing as soon as the stream is over, for the next token may never come."""

        async def collect() -> str:
            said = ""
            async for text in tokens:
                said += text
                if stream is not None:
                    await self._streams.delta(stream, payload_of(text))
            return said

        if stream is None:
            return await collect()
        speaking, over = asyncio.ensure_future(collect()), asyncio.ensure_future(stream.over.wait())
        try:
            await asyncio.wait({speaking, over}, return_when=asyncio.FIRST_COMPLETED)
            return "" if over.done() else speaking.result()
        finally:
            speaking.cancel()
            over.cancel()
            await asyncio.gather(speaking, over, return_exceptions=True)

    async def _type(self, people: tuple[str, ...], agent_id: str, message: MessageNew, on: bool) -> None:
        """Tells those of the people who are still there that an agent is typing, or stops; nobody, where the message is
        gone.
        """
        conversation = message.conversation_id
        there = await self._ledger.see(
            lambda tx: tuple(
                tx.connection.scalars(
                    select(members.c.principal).where(
                        members.c.conversation_id == conversation,
                        members.c.principal.in_(people),
                        members.c.left_at.is_(None),
                        exists().where(messages.c.id == message.message_id),
                    )
                )
            )
        )
        if there:
            await self._ledger.tell(Event(AgentTyping(agent_id, conversation, on), there))

    async def _tokens(
        self, peer: _Peer, brain: Brain, message: MessageNew, history: list[tuple[bool, str]], exchange: Exchange
    ) -> AsyncGenerator[str, None]:
        """What the graph says, piece by piece."""
        from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

        from app.agent.faults import struck
        from app.agent.inputs import enter
        from app.agent.models import OPEN_MODEL
        from app.agent.runner import AgentToken, run_graph
        from app.agent.threads import thread_id

        models = self._engine.models
        text = text_of(message.encrypted_payload) or ""
        asked = ReplyAsk(
            msg=text,
            space=brain.space,
            room_uid=message.conversation_id,
            user_id=message.sender_id,
            language=brain.language,
            model=brain.model,
            visitor_name=message.sender_display_name or "",
            turn=sum(mine for mine, _ in history) + 1,
        )

        async def open_model() -> Any:
            return models.open(
                brain.model,
                None,
                asked,
                clock=exchange.strand.clock,
                matched=lambda explain: exchange.note("match", explain),
            )

        earlier: list[AnyMessage] = [AIMessage(said) if mine else HumanMessage(said) for mine, said in history]
        graph = await asyncio.to_thread(self._engine.graphs.get, brain.graph)
        turn = {
            "room_uid": message.conversation_id,
            "user_id": message.sender_id,
            "visitor_name": asked.visitor_name,
            "questioner": "",
            "language": brain.language,
            "scene_number": None,
            "space": brain.space,
        }
        thread = thread_id("hashee", f"{message.conversation_id}:{uid_of(peer.principal)}")
        config: Any = {"configurable": {OPEN_MODEL: open_model, "turn": turn, "thread_id": thread}}
        entry = await enter(self._engine.graphs, graph, thread, prompt=brain.prompt, earlier=earlier, msg=text)
        running: AsyncGenerator[Happening, None] = run_graph(entry, config, events=False)
        running = struck(running, exchange.strike(Place.TURN), exchange.strand.clock)
        async with aclosing(running) as happenings:
            async for happening in happenings:
                if isinstance(happening, AgentToken):
                    yield happening.text
        await entry.keep()


def _means(message: MessageNew, peer: _Peer) -> bool:
    """Whether a message of a group is for somebody."""
    said = fold_name(text_of(message.encrypted_payload) or "")
    return uid_of(peer.principal) in (message.mentions or ()) or f"@{fold_name(peer.name)}" in said


def _answering(peer: _Peer, message: MessageNew) -> Speaker:
    """The peer as one who answers a message, unless it is gone with a reset or a restore."""

    def speaker(tx: Tx) -> Actor:
        if tx.value(select(messages.c.id).where(messages.c.id == message.message_id)) is None:
            raise Refused("NOT_FOUND", "The message is gone")
        return _actor(tx, peer.principal)

    return speaker


def _actor(tx: Tx, name: str) -> Actor:
    """A peer that speaks. Raises `Refused` for an agent that may not."""
    if kind_of(name) == AGENT:
        governance = tx.value(select(agents.c.governance).where(agents.c.id == uid_of(name)))
        if governance != ACTIVE:
            raise Refused("AGENT_SUSPENDED")
    return Actor(kind_of(name), uid_of(name), display_name(tx, name))


def _known(tx: Tx, name: str, conversation_id: str) -> tuple[list[tuple[bool, str]], tuple[str, ...]]:
    """What was said before the last message, oldest first (by the peer, or not), and the people who hear."""
    who = _actor(tx, name)
    found = place(tx, who, conversation_id)
    rows = tx.run(
        select(messages.c.sender, messages.c.payload)
        .where(
            messages.c.conversation_id == conversation_id,
            messages.c.seq > found.joined,
            messages.c.recalled_at.is_(None),
        )
        .order_by(messages.c.seq.desc())
        .limit(HISTORY + 1)
    ).fetchall()
    told = [(row.sender == name, text_of(row.payload) or "") for row in reversed(rows[1:])]
    return told, tuple(other for other in found.others if kind_of(other) == HUMAN)


def text_of(payload: str) -> str | None:
    """A payload as text: base64 of UTF-8, or what it is itself; None for base64 of something else."""
    try:
        raw = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        return payload
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def payload_of(text: str) -> str:
    """Text as a payload: base64 of UTF-8."""
    return base64.b64encode(text.encode("utf-8", "replace")).decode()

"""Streams of agents: started, continued and ended over their socket or by a graph, watched for silence and length.

The steps of a stream are told as they come and are not kept; `done` is a message, kept and numbered like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from app.emulation.determinism import RESOLUTION
from app.hashee.access import Credential
from app.hashee.frames import (
    AgentGovernance,
    ErrorFrame,
    Frame,
    MembersLeft,
    MessageAck,
    StreamAbort,
    StreamDelta,
    StreamError,
    StreamStart,
)
from app.hashee.identifiers import AGENT, HUMAN, kind_of, principal
from app.hashee.ledger import Event, Ledger, Tx
from app.hashee.messages import Outgoing, Sent, check_payload, known, send
from app.hashee.refusals import Refused, i18n_key
from app.hashee.requests import StreamFrame
from app.hashee.rights import Actor, agent, speaking

SILENCE = 30.0
"""Seconds without a delta that end a stream."""

LONGEST = 300.0
"""Seconds that a stream may last in all."""

LARGEST_GROUP = 200
"""Members of a group above which there are no streams."""

REFUSED = "refused"
AT_ONCE = 16
"""Streams of one agent."""

Speaker = Callable[[Tx], Actor]
"""Who speaks, asked in the transaction that does it. Raises `Refused` for one that may not."""


@dataclass(slots=True)
class Stream:
    """A stream under way. Times are of the emulated clock. `over` is set as soon as nothing more is taken; `broken`
    says why, where neither the agent nor its message has ended it.
    """

    agent_id: str
    id: str
    conversation: str
    to: set[str]
    began: float
    last: float
    broken: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def break_off(self, reason: str) -> None:
        """Takes nothing more; the next sweep says why."""
        if not self.over.is_set():
            self.broken = reason
            self.over.set()


class Streams:
    """The streams of the agents whose sockets are here, and of those whose graphs run here."""

    def __init__(self, ledger: Ledger, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._now = now
        self._open: dict[tuple[str, str], Stream] = {}

    def __len__(self) -> int:
        return len(self._open)

    # -- over a socket -------------------------------------------------------------------------------------------------

    async def step(self, credential: Credential, agent_id: str, said: StreamFrame) -> Frame | None:
        """Takes what an agent says; gives the frame that answers it, where one does. Raises `Refused`."""

        def speaker(tx: Tx) -> Actor:
            return agent(tx, credential, agent_id)

        stream = self._open.get((agent_id, said.stream_id))
        check_payload(said.encrypted_payload)
        if said.step == "start":
            if stream is not None:
                return None
            started = await self.start(speaker, agent_id, said.stream_id, said.conversation_id)
            return started if isinstance(started, StreamError) else None
        if said.step == "done" and stream is None:
            return await self._again(credential, agent_id, said)
        if stream is None or stream.conversation != said.conversation_id:
            return _unknown()
        if said.step == "delta":
            return None if await self.delta(stream, said.encrypted_payload) else _unknown()
        if said.step == "abort":
            await self.abort(stream)
            return None
        client_id = said.client_message_id or said.stream_id
        out = Outgoing(said.content_type, said.encrypted_payload, client_id, stream_id=said.stream_id)
        sent = await self.done(speaker, stream, out)
        if sent is None:
            return _unknown()
        return MessageAck(client_id, sent.message_id, sent.conversation_seq) if sent.again else None

    async def _again(self, credential: Credential, agent_id: str, said: StreamFrame) -> Frame:
        """The answer to an agent that did not see the ack of what it ended: that ack."""
        client_id = said.client_message_id or said.stream_id
        found = await self._ledger.see(lambda tx: known(tx, credential, agent_id, said.conversation_id, client_id))
        if found is None:
            return _unknown()
        return MessageAck(client_id, found.message_id, found.conversation_seq)

    # -- the steps -----------------------------------------------------------------------------------------------------

    async def start(self, speaker: Speaker, agent_id: str, stream_id: str, conversation: str) -> Stream | StreamError:
        """Begins a stream, or says why there is none. Raises `Refused` for one who may not speak there."""

        def ask(tx: Tx) -> tuple[str, tuple[str, ...]]:
            found = speaking(tx, speaker(tx), conversation)
            return found.kind, found.others

        # Among what is written, not read beside it: whoever leaves after this is heard of after it.
        kind, others = await self._ledger.do(ask, order=conversation)
        if sum(stream.agent_id == agent_id for stream in self._open.values()) >= AT_ONCE:
            return StreamError(stream_id, conversation, "too_many")
        if kind == "group" and len(others) + 1 > LARGEST_GROUP:
            return StreamError(stream_id, conversation, "disabled")
        now = self._now()
        people = {name for name in others if kind_of(name) == HUMAN}
        stream = self._open[agent_id, stream_id] = Stream(agent_id, stream_id, conversation, people, now, now)
        await self._tell(stream, StreamStart(stream.id, conversation, agent_id))
        return stream

    async def delta(self, stream: Stream, payload: str) -> bool:
        """The next piece; whether it was taken."""
        if stream.over.is_set():
            return False
        stream.last = self._now()
        await self._tell(stream, StreamDelta(stream.id, stream.conversation, payload))
        return True

    async def abort(self, stream: Stream) -> None:
        """Ends a stream without a message, unless it has ended."""
        if not self._take(stream):
            return
        if stream.broken:
            await self._report(stream, stream.broken)
        else:
            await self._tell(stream, StreamAbort(stream.id, stream.conversation))

    async def done(self, speaker: Speaker, stream: Stream, out: Outgoing) -> Sent | None:
        """Ends a stream with its message, which is kept; None if it has ended. For people one that was kept before
        ends without. Raises `Refused` where it is not kept, which people hear of.
        """
        if not self._take(stream):
            return None
        if stream.broken:
            await self._report(stream, stream.broken)
            return None
        try:
            sent = await self._ledger.do(
                lambda tx: send(tx, speaker(tx), stream.conversation, out), order=stream.conversation
            )
        except Refused:
            await self._report(stream, REFUSED)
            raise
        if sent.again:
            await self._tell(stream, StreamAbort(stream.id, stream.conversation))
        return sent

    def _take(self, stream: Stream) -> bool:
        """Whether it was under way; it is not any more."""
        if self._open.get((stream.agent_id, stream.id)) is not stream:
            return False
        del self._open[stream.agent_id, stream.id]
        stream.over.set()
        return True

    def forget(self) -> None:
        """Drops all streams: everything is anew, and nobody is there who has heard of them."""
        for stream in list(self._open.values()):
            self._take(stream)

    def break_off(self) -> None:
        """Takes nothing more of any stream: other things are kept now, maybe without their conversations."""
        for stream in self._open.values():
            stream.break_off(REFUSED)

    # -- their ends ----------------------------------------------------------------------------------------------------

    def next_end(self) -> float:
        """When a stream will next be silent or have lasted for too long: a moment of the clock."""
        return min((min(stream.began + LONGEST, stream.last + SILENCE) for stream in self._open.values()), default=inf)

    async def sweep(self) -> None:
        """Ends the streams that are silent, have lasted for too long, or were broken off."""
        now = self._now()
        for stream in list(self._open.values()):
            if now >= stream.began + LONGEST - RESOLUTION:
                stream.break_off("limit")
            elif now >= stream.last + SILENCE - RESOLUTION:
                stream.break_off("timeout")
            if stream.broken and self._take(stream):
                await self._report(stream, stream.broken)

    def heard(self, event: Event) -> None:
        """Those who left a conversation hear no more of its streams; an agent that is cut off says no more."""
        frame = event.frame
        if isinstance(frame, MembersLeft):
            for stream in self._open.values():
                if stream.conversation == frame.conversation_id:
                    stream.to.difference_update(event.to)
                    if principal(AGENT, stream.agent_id) in event.to:
                        stream.break_off(REFUSED)
        elif isinstance(frame, AgentGovernance) and frame.governance_status != "active":
            for stream in self._open.values():
                if principal(AGENT, stream.agent_id) in event.to:
                    stream.break_off(REFUSED)

    async def _report(self, stream: Stream, reason: str) -> None:
        """Everybody hears why a stream is over, its agent too."""
        told = StreamError(stream.id, stream.conversation, reason)
        await self._ledger.tell(Event(told, (principal(AGENT, stream.agent_id), *sorted(stream.to))))

    async def _tell(self, stream: Stream, frame: Frame) -> None:
        if stream.to:
            await self._ledger.tell(Event(frame, tuple(sorted(stream.to))))


def _unknown() -> ErrorFrame:
    return ErrorFrame("UNKNOWN_STREAM", "No such stream is under way", i18n_key("UNKNOWN_STREAM"))

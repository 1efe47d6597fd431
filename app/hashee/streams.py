"""Streams of agents: started, continued and ended over their socket, watched for silence and length.

The steps of a stream are told as they come and are not kept; `done` is a message, kept and numbered like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
from app.hashee.messages import Outgoing, check_payload, known, send_as_agent
from app.hashee.refusals import Refused, i18n_key
from app.hashee.requests import StreamFrame
from app.hashee.rights import agent, speaking

SILENCE = 30.0
"""Seconds without a delta that end a stream."""

LONGEST = 300.0
"""Seconds that a stream may last in all."""

LARGEST_GROUP = 200
"""Members of a group above which there are no streams."""

UNKNOWN = "No such stream is under way"
AT_ONCE = 16
"""Streams of one agent."""


@dataclass(slots=True)
class Stream:
    """A stream under way. Times are of the emulated clock."""

    agent_id: str
    id: str
    conversation: str
    to: set[str]
    began: float
    last: float


class Streams:
    """The streams of the agents whose sockets are here."""

    def __init__(self, ledger: Ledger, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._now = now
        self._open: dict[tuple[str, str], Stream] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def step(self, credential: Credential, agent_id: str, said: StreamFrame) -> Frame | None:
        """Takes what an agent says; gives the frame that answers it, where one does."""
        stream = self._open.get((agent_id, said.stream_id))
        check_payload(said.encrypted_payload)
        if said.step == "start":
            return await self._start(credential, agent_id, said) if stream is None else None
        if said.step == "done" and stream is None:
            return await self._again(credential, agent_id, said)
        if stream is None or stream.conversation != said.conversation_id:
            return _error("UNKNOWN_STREAM", UNKNOWN)
        if said.step == "delta":
            stream.last = self._now()
            await self._tell(stream, StreamDelta(stream.id, stream.conversation, said.encrypted_payload))
            return None
        del self._open[agent_id, stream.id]
        if said.step == "abort":
            await self._tell(stream, StreamAbort(stream.id, stream.conversation))
            return None
        return await self._keep(credential, agent_id, said, stream)

    async def _start(self, credential: Credential, agent_id: str, said: StreamFrame) -> Frame | None:
        if sum(stream.agent_id == agent_id for stream in self._open.values()) >= AT_ONCE:
            return StreamError(said.stream_id, said.conversation_id, "too_many")

        def ask(tx: Tx) -> tuple[str, tuple[str, ...]]:
            found = speaking(tx, agent(tx, credential, agent_id), said.conversation_id)
            return found.kind, found.others

        try:
            kind, others = await self._ledger.see(ask)
        except Refused as refused:
            return _error(refused.code, refused.message)
        if kind == "group" and len(others) + 1 > LARGEST_GROUP:
            return StreamError(said.stream_id, said.conversation_id, "disabled")
        now = self._now()
        people = {name for name in others if kind_of(name) == HUMAN}
        stream = Stream(agent_id, said.stream_id, said.conversation_id, people, now, now)
        self._open[agent_id, stream.id] = stream
        await self._tell(stream, StreamStart(stream.id, stream.conversation, agent_id))
        return None

    async def _again(self, credential: Credential, agent_id: str, said: StreamFrame) -> Frame:
        """The answer to an agent that did not see the ack of what it ended: that ack."""
        client_id = said.client_message_id or said.stream_id
        found = await self._ledger.see(lambda tx: known(tx, credential, agent_id, said.conversation_id, client_id))
        if found is None:
            return _error("UNKNOWN_STREAM", UNKNOWN)
        return MessageAck(client_id, found.message_id, found.conversation_seq)

    async def _keep(self, credential: Credential, agent_id: str, said: StreamFrame, stream: Stream) -> Frame | None:
        out = Outgoing(
            said.content_type,
            said.encrypted_payload,
            said.client_message_id or said.stream_id,
            stream_id=said.stream_id,
        )
        try:
            await self._ledger.do(
                lambda tx: send_as_agent(tx, credential, agent_id, said.conversation_id, out),
                order=said.conversation_id,
            )
        except Refused as refused:
            await self._tell(stream, StreamError(stream.id, stream.conversation, "refused"))
            return _error(refused.code, refused.message)
        return None

    async def sweep(self) -> None:
        """Ends the streams that are silent or have lasted for too long."""
        now = self._now()
        for stream in list(self._open.values()):
            reason = "limit" if now - stream.began >= LONGEST else "timeout" if now - stream.last >= SILENCE else ""
            if reason:
                await self._break(stream, reason)

    async def _break(self, stream: Stream, reason: str) -> None:
        if self._open.pop((stream.agent_id, stream.id), None) is not None:
            told = StreamError(stream.id, stream.conversation, reason)
            await self._ledger.tell(Event(told, (principal(AGENT, stream.agent_id), *sorted(stream.to))))

    def heard(self, event: Event) -> None:
        """Those who left a conversation hear no more of its streams; an agent that is cut off says no more."""
        frame = event.frame
        if isinstance(frame, MembersLeft):
            for stream in list(self._open.values()):
                if stream.conversation == frame.conversation_id:
                    stream.to.difference_update(event.to)
                    if principal(AGENT, stream.agent_id) in event.to:
                        stream.last = float("-inf")  # the next sweep ends it
        elif isinstance(frame, AgentGovernance) and frame.governance_status != "active":
            for stream in self._open.values():
                if principal(AGENT, stream.agent_id) in event.to:
                    stream.last = float("-inf")

    async def _tell(self, stream: Stream, frame: Frame) -> None:
        if stream.to:
            await self._ledger.tell(Event(frame, tuple(sorted(stream.to))))


def _error(code: str, message: str) -> ErrorFrame:
    return ErrorFrame(code, message, i18n_key(code))

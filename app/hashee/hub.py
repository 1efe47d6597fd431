"""Who is connected, and what has to reach them.

A socket has an outbox, bounded in frames and bytes, and a task that empties it, which lives only while there is
something in it. A client that reads too slowly loses its socket, never anybody else's time. For the event loop only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket, WebSocketDisconnect

from app.hashee.access import LIFE, Credential, HumanCredential
from app.hashee.frames import (
    AccessLapsed,
    AgentGovernance,
    Frame,
    MessageNew,
    Replaced,
    SessionInvalidated,
    StreamDone,
)
from app.hashee.identifiers import AGENT, kind_of
from app.hashee.profiles import Profile

if TYPE_CHECKING:
    from app.emulation.exchanges import Exchange
    from app.emulation.lines import Line
    from app.hashee.ledger import Event

log = logging.getLogger("app.hashee")

MOST_FRAMES = 2_000
MOST_BYTES = 4 * 1024 * 1024
"""What an outbox holds; a socket that needs more is closed."""

HELD_BACK = 4
"""Times these that it may hold until it is known whether its client reads."""

PATIENCE = 5.0
"""Seconds for a close frame to be taken."""

BREATH = 0.5
"""Seconds for which what can wait lets sockets catch up."""

AUTH, GOVERNANCE, SILENT, REPLACED, INVALIDATED = 4401, 4403, 4408, 4409, 4410
"""Close codes of the wire (a choice of the emulator)."""
POLICY = 1008

Arrived = Callable[[str, str, int], None]
"""Hears that a message has reached somebody: conversation, principal, number."""

_Waiting = tuple[str, str, int]


class Socket:
    """One open socket. `principal` is "" until somebody has shown who they are; times are of the emulated clock."""

    __slots__ = (
        *(
            "_bytes",
            "_closing",
            "_judging",
            "_outbox",
            "_pump",
            "agent_id",
            "announced",
            "arrived",
            "authenticating",
            "credential",
        ),
        *(
            "exchange",
            "expires",
            "flood",
            "frames",
            "heard_at",
            "line",
            "opened_at",
            "pinged_at",
            "pongs",
            "unanswered",
            "principal",
            "profile",
        ),
        *("second", "session", "user_id", "warned", "websocket"),
    )

    def __init__(
        self, websocket: WebSocket, line: Line, profile: Profile, agent_id: str | None, now: float, arrived: Arrived
    ) -> None:
        self.websocket = websocket
        self.line = line
        self.profile = profile
        self.agent_id = agent_id
        """The agent that the address names; None on /ws/human."""
        self.principal = self.session = self.user_id = ""
        self.expires: float | None = None
        self.warned = self.announced = self.authenticating = False
        self.opened_at = self.heard_at = self.pinged_at = now
        self.pongs = self.unanswered = 0
        self.second = 0.0
        self.flood: float | None = None
        self.frames = 0
        self.credential: Credential | None = None
        self.arrived = arrived
        self.exchange: Exchange | None = None
        self._outbox: deque[_Waiting] = deque()
        self._bytes = 0
        self._judging: asyncio.TimerHandle | None = None
        self._pump: asyncio.Task[None] | None = None
        self._closing: tuple[int, str] | None = None

    @property
    def pump(self) -> asyncio.Task[None] | None:
        """What empties its outbox, while there is something in it."""
        return self._pump

    @property
    def closing(self) -> bool:
        """Whether nothing more is taken."""
        return self._closing is not None or self.line.closed is not None

    def send(self, frame: Frame) -> None:
        """Sends a frame of this socket alone."""
        if self.profile.knows(frame.type):
            self.offer(self.profile.encode(frame), frame.conversation)

    def offer(self, text: str, conversation: str = "", seq: int = 0) -> None:
        """Puts a frame into the outbox; `seq` is a message's number, whose arrival is told."""
        if self.closing:
            return
        if self._is_full() and self._judging is None:
            # Much may be told within one turn of the event loop, in which the pump could not run.
            self._judging = asyncio.get_running_loop().call_later(BREATH, self._judge)
        if self._is_full(HELD_BACK):
            self._drop()
            return
        self._outbox.append((text, conversation, seq))
        self._bytes += len(text)
        self._run()

    def _is_full(self, times: int = 1) -> bool:
        return len(self._outbox) >= times * MOST_FRAMES or self._bytes > times * MOST_BYTES

    def _judge(self) -> None:
        """Closes a socket whose client has not read meanwhile."""
        self._judging = None
        if self._is_full() and not self.closing:
            self._drop()

    def _drop(self) -> None:
        self._outbox.clear()
        self.finish(POLICY, "too slow")

    def finish(self, code: int, reason: str) -> None:
        """Closes, after what is in the outbox."""
        if not self.closing:
            self._closing = (code, reason)
            self._run()

    def left(self, wall: float) -> float:
        """Seconds until its token is over. One of a clock that was ahead is good for its life, from now on."""
        if self.expires is None:
            return inf
        if self.expires > wall + LIFE:
            self.expires, self.warned = wall + LIFE, False
        return self.expires - wall

    def lapses(self, at: float) -> bool:
        """Whether its token was issued until `at`: one that was renewed meanwhile stays open."""
        return isinstance(self.credential, HumanCredential) and self.credential.issued <= at

    def lapse(self) -> None:
        """Says that the token is over, and closes."""
        self.send(SessionInvalidated("token_expired"))
        self.finish(INVALIDATED, "token_expired")

    def _run(self) -> None:
        if self._pump is None:
            self._pump = asyncio.create_task(self._empty())

    async def _empty(self) -> None:
        try:
            while self._outbox:
                text, conversation, seq = self._outbox.popleft()
                self._bytes -= len(text)
                await self.line.reply(text, self._about(conversation))
                if seq:
                    self.arrived(conversation, self.principal, seq)
            if self._closing is not None and self.line.closed is None:
                async with asyncio.timeout(PATIENCE):
                    await self.websocket.close(*self._closing)
        except (RuntimeError, WebSocketDisconnect, OSError, TimeoutError) as error:
            log.debug("connection %s was gone: %s", self.line.id, error)
            self._outbox.clear()
        finally:
            self._pump = None
            if self._outbox and self.line.closed is None:
                self._run()

    def _about(self, conversation: str) -> Exchange | None:
        """What faults and the journal see of a frame: the user, and the conversation as the room."""
        exchange = self.exchange
        if exchange is None or not conversation:
            return exchange
        return replace(exchange, occasion=replace(exchange.occasion, room=conversation))

    async def gone(self) -> None:
        """The socket is closed: nothing of it stays."""
        pump = self._pump
        if self._judging is not None:
            self._judging.cancel()
        self._closing = self._closing or (1006, "")
        self._outbox.clear()
        if pump is not None:
            pump.cancel()
            await asyncio.wait({pump}, timeout=PATIENCE)


class Hub:
    """All sockets of this process, by who is at them. `heard`: told of each event, after the sockets."""

    def __init__(self) -> None:
        self._sockets: dict[str, set[Socket]] = {}
        self.heard: list[Callable[[Event], None]] = []

    def __len__(self) -> int:
        return sum(map(len, self._sockets.values()))

    def add(self, socket: Socket) -> None:
        """From now on the socket hears what concerns its principal."""
        self._sockets.setdefault(socket.principal, set()).add(socket)

    def remove(self, socket: Socket) -> bool:
        """The socket has gone; whether it was here."""
        there = self._sockets.get(socket.principal)
        if there is None or socket not in there:
            return False
        there.discard(socket)
        if not there:
            del self._sockets[socket.principal]
        return True

    def of(self, principal: str) -> tuple[Socket, ...]:
        """The sockets of somebody."""
        return tuple(self._sockets.get(principal, ()))

    async def breathe(self, told: Sequence[Event]) -> None:
        """Waits, for a moment at most, until the sockets that these events concern have got them: much that is told at
        once would fill the outbox of a client that reads as it should.
        """
        sockets = {socket for event in told for name in event.to for socket in self.of(name)}
        busy = {pump for socket in sockets if (pump := socket.pump) is not None}
        if busy:
            await asyncio.wait(busy, timeout=BREATH)

    def dispatch(self, events: Sequence[Event]) -> None:
        """Sends what has happened to whom it concerns, in this order."""
        for event in events:
            try:
                self._tell(event)
            except Exception:
                log.exception("%s could not be told", event.frame.type)  # it must not keep the others from being

    def _tell(self, event: Event) -> None:
        for name in event.to:
            sockets = self._sockets.get(name)
            if sockets is not None:
                for socket in tuple(sockets):
                    self._one(event, name, socket)
        for hear in self.heard:
            hear(event)

    def _one(self, event: Event, name: str, socket: Socket) -> None:
        if event.session and socket.session != event.session:
            return
        frame = event.frame
        if socket.profile.knows(frame.type):
            seq = frame.conversation_seq if isinstance(frame, MessageNew | StreamDone) else 0
            socket.offer(event.text(socket.profile), frame.conversation, seq)
        if isinstance(frame, SessionInvalidated):
            socket.finish(INVALIDATED, frame.reason)
        elif isinstance(frame, AgentGovernance):
            if kind_of(name) == AGENT and frame.governance_status != "active":
                socket.finish(GOVERNANCE, frame.governance_status)
        elif isinstance(frame, Replaced):
            if socket.line.id == frame.by:
                socket.announced = True
            elif not frame.by or socket.announced:
                socket.finish(REPLACED, frame.reason)
        elif isinstance(frame, AccessLapsed) and socket.lapses(frame.at):
            socket.lapse()

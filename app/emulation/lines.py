"""Lines: the open sockets as the emulator sees them, whatever wire they speak.

A line stands between the server and a wire, as ASGI: it writes what passes to the journal and lets handshake,
connection and frame faults strike. A wire reads with `receive`, answers with `reply`, and hands `asgi_send` to whoever
accepts, refuses and closes its sockets. For the event loop's thread only; imports no web framework.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import orjson

from app.emulation.determinism import Ids, Strand, World
from app.emulation.exchanges import Exchange, struck_detail
from app.emulation.faults.connections import ConnectionFaults
from app.emulation.faults.frames import FrameFaults
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Faults
from app.emulation.faults.rules import Rule
from app.emulation.journal import Journal, Reader
from app.emulation.occasions import Occasion

log = logging.getLogger("app.lines")

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

RESET = "emulator.reset"
"""ASGI event that resets the TCP connection; `app.serving` knows it."""

RAW = "emulator.text"
"""ASGI event that sends a text frame of any bytes (`data`)."""

CLOSE_PATIENCE = 5.0
"""Seconds for a close frame to be taken."""


class LineGone(OSError):
    """The socket is closed, or closing."""


def never_last(body: Mapping[str, Any]) -> bool:
    """A turn that has no last frame."""
    return False


class Line:
    """One socket. `id` is the wire's own name for it; `opened` is emulated, `opened_mono` machine time, in seconds."""

    def __init__(
        self,
        lines: Lines,
        *,
        wire: str,
        uid: str,
        room: str,
        user: str,
        path: str,
        strand: Strand,
        reader: Reader,
        receive: Receive,
        send: Send,
    ) -> None:
        self._lines = lines
        self.wire = wire
        self.id = uid
        self.room = room
        self.user = user
        self.path = path
        self.strand = strand
        self.opened = strand.clock.time()
        self.received = self.sent = 0
        self.closed: tuple[int, str] | None = None
        self._receive = receive
        self._send = send
        self._occasion = Occasion(wire=wire, room=room, user=user)
        self._dice = strand.ids.branch("faults")
        self._exchanges = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._frame_faults = FrameFaults(
            out=self._out,
            strike=self._strike,
            start=self._start,
            reader=reader,
            clock=strand.clock,
            dice=self._dice,
        )
        self._faults = ConnectionFaults(
            lines.faults,
            occasion=self._occasion,
            dice=self._dice,
            clock=lines.world.clock,
            sent=lambda: self.sent,
            break_with=self._break_with,
            told=lambda live: self._write("fault", detail=struck_detail(live)),
            start=self._start,
        )

    # -- what a wire uses ----------------------------------------------------------------------------------------------

    async def admit(self) -> bool:
        """Lets handshake faults strike; False if the client has been refused and all is over."""
        faults = self._lines.faults
        for live in faults.strike(Place.HANDSHAKE, self._occasion, self._dice):
            self._write("fault", detail=struck_detail(live))
            if live.rule.kind.name == "handshake-delay":
                await self.strand.clock.sleep(live.rule["seconds"])
                continue
            body = live.rule["body"]
            told = {"message": f"refused by the fault {live.id} of the emulator"} if body is None else body
            await self._deny(live.rule["status"], told)
            return False
        return True

    def exchange(self, **about: Any) -> Exchange:
        """A request that is accepted now; `about` are fields of `Occasion`."""
        self._exchanges += 1
        number = self._exchanges
        room = about.get("room", self.room)
        turn = self._lines.world.turn(self.wire, room)
        strand = self.strand.branch("turn", number, number=turn if self._lines.world.seed is not None else 0)
        return Exchange(
            replace(self._occasion, turn=turn, **about),
            strand,
            strand.ids.branch("faults"),
            self._lines.faults,
            number,
            self._note,
        )

    async def receive(self) -> Event:
        """The next ASGI event from the client."""
        event = await self._receive()
        if event["type"] == "websocket.receive":
            self.received += 1
            text = event.get("text")
            if text is not None:
                self._write("in", text=text)
            else:
                self._write("in", detail={"binary": len(event.get("bytes") or b"")})
        elif event["type"] == "websocket.disconnect":
            self._ended(event.get("code", 1005), event.get("reason") or "", "client")
        return event

    async def reply(
        self,
        text: str,
        exchange: Exchange | None = None,
        last: Callable[[Mapping[str, Any]], bool] = never_last,
    ) -> None:
        """Sends a frame. `last` says of a frame's JSON whether it is the last of the exchange. OSError if the socket is
        gone.
        """
        if self._faults.silent:
            await self._faults.silence()
        if self._lines.faults.on_frames or self._frame_faults.holds:
            await self._frame_faults.send(text, exchange, last)
        else:
            await self._out(text, exchange)
        if self._faults.waiting:
            await self._faults.sent()

    async def asgi_send(self, event: Event) -> None:
        """Takes what is no frame: accept, refusal, close."""
        kind = event["type"]
        if kind == "websocket.accept":
            await self._send(event)
            self._faults.plan()
            return
        if kind == "websocket.close":
            await self._frame_faults.release()
            self._ended(event.get("code", 1000), event.get("reason") or "", "server")
        elif kind == "websocket.http.response.start":
            self._ended(0, "", "server")
            self._write("refused", detail={"status": event["status"]})
        await self._send(event)

    def end(self) -> None:
        """The wire is done with the socket: nothing of the line stays behind."""
        self._ended(1006, "", "client")
        for task in self._tasks:
            task.cancel()
        self._faults.end()
        self._lines.gone(self)

    # -- what the control plane uses -----------------------------------------------------------------------------------

    async def push(self, text: str) -> None:
        """Sends a frame that no request asked for. OSError if the socket is gone."""
        self._write("control", detail={"action": "push"})
        await self._out(text, None)

    async def close(self, code: int, reason: str, by: str = "control") -> None:
        """Closes the socket from outside its wire, which then hears that it is closed. OSError if it is gone."""
        self._ended(code, reason, by)
        try:
            async with asyncio.timeout(CLOSE_PATIENCE):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (RuntimeError, TimeoutError) as error:
            raise LineGone(f"the connection {self.id} is closing already") from error

    def plain(self) -> dict[str, Any]:
        """The line for people and programs."""
        return {
            "id": self.id,
            "wire": self.wire,
            "room": self.room,
            "user": self.user,
            "path": self.path,
            "opened": round(self.opened, 6),
            "frames_in": self.received,
            "frames_out": self.sent,
            "exchanges": self._exchanges,
        }

    def plan(self) -> None:
        """The rules have changed: those that break connections may concern this one."""
        if self.closed is None:
            self._faults.plan()

    # -- faults --------------------------------------------------------------------------------------------------------

    def _strike(self, place: Place, exchange: Exchange | None, frame: str) -> tuple[Rule, ...]:
        if exchange is not None:
            return exchange.strike(place, frame)
        struck = self._lines.faults.strike(place, replace(self._occasion, frame=frame), self._dice)
        for live in struck:
            self._write("fault", detail=struck_detail(live, frame))
        return tuple(live.rule for live in struck)

    async def _break_with(self, rule: Rule) -> None:
        if self.closed is not None:
            return
        try:
            if rule.kind.name == "close":
                await self.close(rule["code"], rule["reason"], "fault")
            else:
                self._ended(1006, "reset", "fault")
                await self._send({"type": RESET})
        except OSError as error:
            log.debug("connection %s was gone: %s", self.id, error)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _out(self, text: str | bytes, exchange: Exchange | None) -> None:
        if isinstance(text, bytes):
            await self._send({"type": RAW, "data": text})
            shown = text.decode("utf-8", "backslashreplace")
        else:
            await self._send({"type": "websocket.send", "text": text})
            shown = text
        self.sent += 1
        journal = self._lines.journal
        if journal.enabled:
            turn, clock = (None, self.strand.clock) if exchange is None else (exchange.number, exchange.strand.clock)
            journal.frame_out(self.wire, self.id, self.room, turn, shown, clock.time())

    async def _deny(self, status: int, body: Any) -> None:
        self._ended(0, "", "fault")
        self._write("refused", detail={"status": status})
        text = orjson.dumps(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
        await self._send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await self._send({"type": "websocket.http.response.body", "body": text, "more_body": False})

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: Awaitable[None]) -> None:
        try:
            await work
        except OSError as error:
            log.debug("connection %s was gone: %s", self.id, error)

    def _ended(self, code: int, reason: str, by: str) -> None:
        if self.closed is not None:
            return
        self.closed = (code, reason)
        if code:
            self._write("close", detail={"code": code, "reason": reason, "by": by})

    def _note(self, kind: str, exchange: Exchange | None, detail: Any) -> None:
        self._write(kind, detail=detail, turn=None if exchange is None else exchange.number)

    def _write(self, kind: str, *, text: str | None = None, detail: Any = None, turn: int | None = None) -> None:
        if self._lines.journal.enabled:
            self._lines.journal.write(
                kind,
                wire=self.wire,
                connection=self.id,
                room=self.room,
                turn=turn,
                text=text,
                detail=detail,
                clock=self.strand.clock,
            )


class Lines:
    """All lines that are open, of every wire."""

    def __init__(self, world: World, journal: Journal, faults: Faults) -> None:
        self.world = world
        self.journal = journal
        self.faults = faults
        self._open: dict[str, Line] = {}
        faults.changed.append(self._plan)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Line]:
        return iter(tuple(self._open.values()))

    def get(self, uid: str) -> Line | None:
        """The open line of that id."""
        return self._open.get(uid)

    def open(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        *,
        wire: str,
        room: str = "",
        user: str = "",
        name: Callable[[Ids], str],
        reader: Reader,
    ) -> Line:
        """A line for a socket that has just come; `name` makes the wire's own id for it. End it with `Line.end`."""
        self.journal.readers[wire] = reader
        strand = self.world.connection(wire, room)
        path = scope["path"]
        line = Line(
            self,
            wire=wire,
            uid=name(strand.ids),
            room=room,
            user=user,
            path=path,
            strand=strand,
            reader=reader,
            receive=receive,
            send=send,
        )
        self._open[line.id] = line
        query = scope.get("query_string", b"").decode("ascii", "replace")
        client = scope.get("client")
        line._write(
            "open", detail={"path": path, "query": query, "client": f"{client[0]}:{client[1]}" if client else ""}
        )
        return line

    def gone(self, line: Line) -> None:
        """A line has ended."""
        if self._open.get(line.id) is line:
            del self._open[line.id]

    def _plan(self) -> None:
        for line in self:
            line.plan()

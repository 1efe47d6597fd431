"""Lines: the open sockets as the emulator sees them, whatever wire they speak.

A line stands between the server and a wire, as ASGI: it writes what passes to the journal and lets handshake,
connection and frame faults strike. A wire reads with `receive`, answers with `reply`, and hands `asgi_send` to whoever
accepts, refuses and closes its sockets. For the event loop's thread only; imports no web framework.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from typing import Any

from app.emulation.determinism import Ids, Strand, World
from app.emulation.exchanges import Exchange, struck_detail
from app.emulation.faults.connections import ConnectionFaults
from app.emulation.faults.frames import FrameFaults
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Dice, Faults, LiveRule
from app.emulation.faults.rules import Rule
from app.emulation.journal import Journal, Reader
from app.emulation.occasions import Occasion
from app.emulation.presence import GONE, Event, LineGone, Presence, Receive
from app.json_text import dumps, loads

__all__ = ["RAW", "RESET", "Event", "Line", "LineGone", "Lines", "Receive", "Send", "never_last"]

log = logging.getLogger("app.lines")

Send = Callable[[Event], Awaitable[None]]
App = Callable[[Event, Receive, Send], Awaitable[None]]

RESET = "emulator.reset"
"""ASGI event that resets the TCP connection; `app.serving` knows it."""

RAW = "emulator.text"
"""ASGI event that sends a text frame of any bytes (`data`)."""

LIMIT = "emulator.limit"
"""ASGI event before the handshake: the largest message of this socket (`bytes`), in place of the server's limits."""

PING = "emulator.ping"
"""ASGI event that sends a control ping."""

PONGS = "emulator.pongs"
"""Extension of an ASGI scope: a dict whose `count` says how many control pongs have come."""

CLOSE_PATIENCE = 5.0
"""Seconds for a close frame to be taken."""


def may_close_with(code: int) -> bool:
    """Whether a close frame may carry this code (RFC 6455 section 7.4, and the codes registered since)."""
    return (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) or 3000 <= code <= 4999


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
        self.accepted = False
        self.closed: tuple[int, str] | None = None
        self._reader = reader
        self._send = send
        self._occasion = Occasion(wire=wire, room=room, user=user)
        self._dice = Dice(strand.ids)
        self._exchanges = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = Presence(receive, self._heard)
        self._rules = lines.faults
        self._frame_faults = FrameFaults(
            out=self._out_unless_silent, pause=self._client.outlast, start=self._start, strand=strand, dice=self._dice
        )
        self._faults = ConnectionFaults(
            lines.faults,
            occasion=self._occasion,
            dice=self._dice,
            strand=strand,
            clock=lines.world.clock,
            break_with=self._break_with,
            told=self._tell_strike,
            start=self._start,
        )

    # -- what a wire uses ----------------------------------------------------------------------------------------------

    async def admit(self) -> bool:
        """Lets handshake faults strike; False if the client has been refused, or has gone, and all is over."""
        for live in self._rules.strike(Place.HANDSHAKE, self._occasion, self._dice.at(Place.HANDSHAKE)):
            self._tell_strike(live, None)
            try:
                if live.rule.kind.name == "handshake-delay":
                    await self._client.outlast(live.pause(self.strand.clock, live.rule["seconds"]))
                    continue
                body = live.rule["body"]
                told = {"message": f"refused by the fault {live.id} of the emulator"} if body is None else body
                await self._deny(live.rule["status"], told)
            except OSError as error:
                log.debug("connection %s was gone: %s", self.id, error)
            return False
        return True

    def identify(self, user: str) -> None:
        """The client has said who it is: rules for that user may concern the connection."""
        self.user = user
        self._occasion = replace(self._occasion, user=user)
        self._faults.identify(self._occasion)

    def exchange(self, **about: Any) -> Exchange:
        """A request that is accepted now; `about` are fields of `Occasion`."""
        self._exchanges += 1
        number = self._exchanges
        room = about.get("room", self.room)
        turn = self._lines.world.turn(self.wire, room)
        strand = self.strand.branch("turn", number, number=turn if self._lines.world.seed is not None else 0)
        occasion = replace(self._occasion, turn=turn, **about)
        made = Exchange(occasion, strand, Dice(strand.ids), self._rules, number, self._note)
        if self._rules.on_sockets:
            self._faults.begin(made)
        return made

    async def receive(self) -> Event:
        """The next ASGI event from the client."""
        return await self._client.next()

    async def reply(
        self,
        text: str,
        exchange: Exchange | None = None,
        last: Callable[[Mapping[str, Any]], bool] = never_last,
    ) -> None:
        """Sends a frame. `last` says of a frame's JSON whether it is the last of the exchange. OSError if the socket is
        gone.
        """
        if self._rules.on_sockets:
            await self._reply_under_faults(text, exchange, last)
        else:
            await self._out(text, exchange)

    async def asgi_send(self, event: Event) -> None:
        """Takes accept, refusal and close; and frames, from an application that knows nothing of lines."""
        kind = event["type"]
        if kind == "websocket.send" and (text := event.get("text")) is not None:
            await self.reply(text)
            return
        if kind == "websocket.accept":
            await self._send(event)
            self.accepted = True
            self._faults.plan()
            return
        if kind == "websocket.close":
            await self._release()
            self._ended(event.get("code", 1000), event.get("reason") or "", "server")
        elif kind == "websocket.http.response.start":
            self._ended(0, "", "server")
            self._write("refused", detail={"status": event["status"]})
        await self._send(event)

    def note(self, detail: Mapping[str, Any]) -> None:
        """Writes to the journal what the wire has to say."""
        self._write("note", detail=detail)

    async def limit(self, size: int) -> None:
        """Takes messages of at most `size` bytes from the client; before the handshake."""
        await self._send({"type": LIMIT, "bytes": size})

    async def drop(self, why: str) -> None:
        """Breaks the TCP connection without a close frame, as a crash does."""
        if self.closed is None:
            self._ended(1006, why, "server")
            await self._send({"type": RESET})

    def end(self) -> None:
        """The wire is done with the socket: nothing of the line stays behind."""
        self._ended(1006, "", "client")
        self._faults.end()
        for task in self._tasks:
            task.cancel()
        self._lines.gone(self)

    # -- what the control plane uses -----------------------------------------------------------------------------------

    async def push(self, text: str) -> None:
        """Sends a frame that no request asked for. OSError if the socket is not open."""
        self._must_be_open()
        self._write("control", detail={"action": "push"})
        await self._out(text, None)

    async def close(self, code: int, reason: str, by: str = "control") -> None:
        """Closes the socket from outside its wire, which then hears that it is closed. OSError if it is not open."""
        self._must_be_open()
        try:
            async with asyncio.timeout(CLOSE_PATIENCE):
                await self._release()
                self._ended(code, reason, by)
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (RuntimeError, TimeoutError) as error:
            raise LineGone(f"the connection {self.id} is closing already") from error

    def _must_be_open(self) -> None:
        if not self.accepted or self.closed is not None:
            raise LineGone(f"the connection {self.id} is not open")

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
        if self.accepted and self.closed is None:
            self._faults.plan()
            if self._frame_faults.holds_in_vain:
                self._start(self._release)

    # -- faults --------------------------------------------------------------------------------------------------------

    async def _reply_under_faults(
        self, text: str, exchange: Exchange | None, last: Callable[[Mapping[str, Any]], bool]
    ) -> None:
        """Sends a frame where faults may strike it, or the connection."""
        occasion = self._occasion if exchange is None else exchange.occasion
        rules: tuple[LiveRule, ...] = ()
        ends = False
        if self._rules.on_frames:
            body = _object(text)
            if body is not None:
                occasion = replace(occasion, frame=self._reader(body))
                ends = exchange is not None and last(body)
            rules = self._strike(Place.FRAME, exchange, occasion)
            if ends:
                rules += self._strike(Place.END, exchange, occasion)
        await self._frame_faults.send(text, exchange, rules)
        await self._faults.sent(exchange, occasion, last=ends)

    async def _out_unless_silent(self, text: str | bytes, exchange: Exchange | None) -> None:
        if self._faults.silent:
            await self._client.outlast(self._faults.silence())
        if self.closed is not None:
            raise LineGone(f"the connection {self.id} is closed")
        await self._out(text, exchange)
        self._faults.went(exchange)

    async def _release(self) -> None:
        """Lets a frame go that waits for another; what a stall holds back stays."""
        if not self._faults.silent:
            await self._frame_faults.release()

    def _strike(self, place: Place, exchange: Exchange | None, occasion: Occasion) -> tuple[LiveRule, ...]:
        dice = self._dice if exchange is None else exchange.dice
        struck = self._rules.strike(place, occasion, dice.at(place)) if self._rules.at(place) else ()
        for live in struck:
            self._tell_strike(live, exchange, occasion.frame)
        return struck

    def _tell_strike(self, live: LiveRule, exchange: Exchange | None, frame: str = "") -> None:
        self._note("fault", exchange, struck_detail(live, frame))

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
            if exchange is None:
                room, turn, clock = self.room, None, self.strand.clock
            else:
                room, turn, clock = exchange.occasion.room, exchange.number, exchange.strand.clock
            journal.frame_out(self.wire, self.id, room, turn, shown, clock.time())

    async def _deny(self, status: int, body: Any) -> None:
        self._ended(0, "", "fault")
        self._write("refused", detail={"status": status})
        text = dumps(body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
        await self._send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await self._send({"type": "websocket.http.response.body", "body": text, "more_body": False})

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _quietly(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except OSError as error:
            log.debug("connection %s was gone: %s", self.id, error)

    def _heard(self, event: Event) -> None:
        """Something has come from the client."""
        if event["type"] == "websocket.receive":
            self.received += 1
            text = event.get("text")
            if text is not None:
                self._write("in", text=text)
            else:
                self._write("in", detail={"binary": len(event.get("bytes") or b"")})
        elif event["type"] == GONE:
            self._ended(event.get("code", 1005), event.get("reason") or "", "client")

    def _ended(self, code: int, reason: str, by: str) -> None:
        if self.closed is not None:
            return
        self._client.leave()
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


def _object(text: str) -> dict[str, Any] | None:
    try:
        body = loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


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

    def around(self, app: App, *, wire: str, reader: Reader, about: Callable[[Event], tuple[str, str]]) -> App:
        """An ASGI application for sockets with a line around each of them. `about`: room and user of a scope."""

        async def lined(scope: Event, receive: Receive, send: Send) -> None:
            room, user = about(scope)
            line = self.open(
                scope,
                receive,
                send,
                wire=wire,
                room=room,
                user=user,
                name=lambda ids: ids.base62(16),
                reader=reader,
            )
            try:
                if await line.admit():
                    await app(scope, line.receive, line.asgi_send)
            finally:
                line.end()

        return lined

    def gone(self, line: Line) -> None:
        """A line has ended."""
        if self._open.get(line.id) is line:
            del self._open[line.id]

    def _plan(self) -> None:
        for line in self:
            line.plan()

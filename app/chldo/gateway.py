"""The WebSocket route of the chldo wire: connect, actions, turns, lifetimes, disconnect.

Nothing is pushed on connect. Requests of a socket are judged in the order they come in; each accepted sendmsg runs as
a task of its connection, so turns may overlap. A socket that goes away takes its turns with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from math import inf
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.chldo.frames import ErrorFrame, Frame, StatusFrame
from app.chldo.reading import frame_type
from app.chldo.requests import Forbidden, Greet, Refusal, SendMsg, Status, parse
from app.chldo.revisions import REVISIONS, V1, Revision, with_msg
from app.chldo.steps import Caller
from app.emulation.determinism import RESOLUTION, Ids, working
from app.emulation.exchanges import Exchange
from app.emulation.lines import Line
from app.forwarding import base_url

if TYPE_CHECKING:
    from app.chldo.actions import Actions
    from app.engine import Stage
    from app.settings import V3Settings

log = logging.getLogger("app.chldo")

PATIENCE = 5.0
"""Seconds for turns to end and for a close frame to be taken."""

GOING_AWAY = 1001
UNSUPPORTED = 1003
STARTING = "The server is still starting, try again."
BROKEN = "Internal server error"


class Connection:
    """One open socket."""

    __slots__ = ("active_at", "line", "opened_at", "requests", "revision", "turns", "url_base", "websocket")

    def __init__(self, websocket: WebSocket, line: Line, revision: Revision) -> None:
        self.websocket = websocket
        self.line = line
        self.revision = revision
        self.opened_at = self.active_at = self.now
        self.requests = line.strand.ids.branch("requests")
        self.turns: set[asyncio.Task[None]] = set()
        self.url_base = ""

    @property
    def id(self) -> str:
        return self.line.id

    @property
    def now(self) -> float:
        """Seconds on the connection's own time line."""
        return self.line.strand.clock.monotonic()

    async def send(self, frame: Frame, exchange: Exchange | None = None) -> None:
        """Sends a frame; OSError if the socket is gone. This runs for every token."""
        await self.line.reply(frame.encode(), exchange, self.revision.closes)


class Gateway:
    """All sockets of the chldo wire. `actions` is what answers; it may take a moment after start to be there."""

    def __init__(
        self,
        *,
        revision: str,
        settings: V3Settings,
        stage: Stage,
        actions: Callable[[], Awaitable[Actions | None]],
    ) -> None:
        self._settings = settings
        self._lines = stage.lines
        self._clock = stage.world.clock
        self._actions = actions
        self.revision = revision
        self._revisions = {name: with_msg(entry, settings.require_msg) for name, entry in REVISIONS.items()}
        self.connections: set[Connection] = set()
        self._rooms: Counter[str] = Counter()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """Turns under way."""
        return sum(len(connection.turns) for connection in self.connections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One socket from handshake to close (an ASGI application)."""
        websocket = WebSocket(scope, receive, send)
        asked = websocket.query_params.get("revision")
        name = asked or (V1 if websocket.url.path.startswith("/v1") else self.revision)
        revision = self._revisions.get(name)
        if revision is None:
            known = ", ".join(self._revisions)
            await websocket.send_denial_response(
                JSONResponse({"message": f"unknown revision {name!r}; known: {known}"}, status_code=400)
            )
            return
        room_uid = websocket.query_params.get("room_uid", "")
        line = self._lines.open(
            scope,
            receive,
            send,
            wire="chldo",
            room=room_uid,
            user=websocket.query_params.get("user_uid", ""),
            name=Ids.connection_id,
            reader=frame_type,
        )
        try:
            if await line.admit():
                await self._serve(Connection(WebSocket(scope, line.receive, line.asgi_send), line, revision))
        finally:
            line.end()

    async def _serve(self, connection: Connection) -> None:
        line = connection.line
        connection.url_base = self._settings.url_base or base_url(connection.websocket.scope)
        self.connections.add(connection)
        self._rooms[line.room] += 1
        about = {"connection_id": line.id, "room_uid": line.room, "revision": connection.revision.id}
        log.info("connect %s", line.id, extra=about)
        try:
            await connection.websocket.accept()
            await self._listen(connection)
        except (WebSocketDisconnect, OSError):
            log.debug("connection %s went away", line.id)
        finally:
            self.connections.discard(connection)
            self._rooms[line.room] -= 1
            if self._rooms[line.room] <= 0:
                del self._rooms[line.room]
            await self._end_turns(connection)
            log.info("disconnect %s", line.id, extra=about)

    async def _listen(self, connection: Connection) -> None:
        while True:
            message = await connection.line.receive()
            if message["type"] == "websocket.disconnect":
                return
            connection.active_at = connection.now
            text = message.get("text")
            if text is None:
                await connection.websocket.close(UNSUPPORTED, "binary frames are not supported")
                return
            answer = await self._act(connection, text)
            if answer is not None:
                await connection.send(answer)

    async def _act(self, connection: Connection, text: str) -> Frame | None:
        """Does what a message asks; the frame that answers it at once, None if a turn will."""
        request = parse(text, connection.revision)
        if isinstance(request, Status):
            return StatusFrame.of(connection.id)
        if isinstance(request, Forbidden):
            return request.frame(connection.id, connection.requests.uuid4())
        if isinstance(request, Refusal):
            return request.frame(connection.id)
        return await self._begin(connection, request)

    async def _begin(self, connection: Connection, ask: SendMsg | Greet) -> Frame | None:
        limit = self._settings.turns_limit
        if len(connection.turns) >= limit:
            return ErrorFrame.of(connection.id, f"too many messages at once (at most {limit})")
        actions = await self._actions()
        if actions is None:
            return ErrorFrame.of(connection.id, STARTING)
        exchange = connection.line.exchange(
            room=ask.room_uid,
            user=ask.user_id,
            key=ask.account,
            action="greeting" if isinstance(ask, Greet) else connection.revision.action,
            message=ask.msg if isinstance(ask, SendMsg) else None,
        )
        caller = Caller(connection.id, connection.url_base, exchange, self._clients(ask.room_uid))
        try:
            frames = await actions.begin(ask, connection.revision, caller)
        except Exception:
            log.exception("request failed", extra={"connection_id": connection.id})
            return ErrorFrame.of(connection.id, BROKEN)
        if isinstance(frames, Refusal):
            return frames.frame(connection.id)

        async def carry() -> None:
            began = connection.now
            try:
                with working(exchange.strand.clock):
                    async with aclosing(frames):
                        async for frame in frames:
                            await connection.send(frame, exchange)
            except OSError:
                return
            except Exception:
                log.exception("turn broke", extra={"connection_id": connection.id})
                with contextlib.suppress(OSError):  # the socket is gone
                    await connection.send(ErrorFrame.of(connection.id, BROKEN))
            finally:
                connection.active_at = now = connection.now
                about = {"connection_id": connection.id, "room_uid": ask.room_uid, "seconds": round(now - began, 3)}
                log.info("turn in room %s took %.3f s", ask.room_uid, now - began, extra=about)

        task = asyncio.create_task(carry(), name=f"turn {ask.room_uid}")
        connection.turns.add(task)
        task.add_done_callback(connection.turns.discard)
        return None

    def _clients(self, room_uid: str) -> int:
        """How many sockets are open in the room (`client_num` of v1), the asking one included."""
        return max(1, self._rooms.get(room_uid, 0))

    async def watch(self) -> None:
        """Closes sockets that were idle or open for too long; runs until cancelled."""
        idle, age = self._settings.idle_limit, self._settings.age_limit
        pause = min(1.0, idle / 4, age / 4)
        while True:
            await self._clock.look(pause, self._next_end)
            for connection in list(self.connections):
                now = connection.now
                reason = ""
                if now >= connection.opened_at + age - RESOLUTION:
                    reason = "Connection duration limit reached"
                elif not connection.turns and now >= connection.active_at + idle - RESOLUTION:
                    reason = "Idle timeout"
                if reason:
                    self.connections.discard(connection)
                    closing = asyncio.create_task(self._close(connection, reason))
                    self._closing.add(closing)
                    closing.add_done_callback(self._closing.discard)

    def _next_end(self) -> float:
        """When the next socket will have been open or idle for too long, as things stand: a moment of the clock."""
        soonest = inf
        for connection in self.connections:
            left = connection.opened_at + self._settings.age_limit - connection.now
            if not connection.turns:
                left = min(left, connection.active_at + self._settings.idle_limit - connection.now)
            soonest = min(soonest, left)
        return self._clock.monotonic() + soonest

    async def _close(self, connection: Connection, reason: str) -> None:
        """Ends a connection; one that does not take its close frame is dropped by the server's own time-out."""
        for turn in connection.turns:
            turn.cancel()
        try:
            async with asyncio.timeout(PATIENCE):
                await connection.websocket.close(GOING_AWAY, reason)
        except (RuntimeError, WebSocketDisconnect, OSError, TimeoutError):
            log.debug("connection %s was gone already", connection.id)

    async def _end_turns(self, connection: Connection) -> None:
        turns = set(connection.turns)
        for turn in turns:
            turn.cancel()
        if turns:
            _, left = await asyncio.wait(turns, timeout=PATIENCE)
            if left:
                log.error("%d turns do not end", len(left), extra={"connection_id": connection.id})

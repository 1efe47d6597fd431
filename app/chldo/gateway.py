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
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.chldo.frames import ErrorFrame, Frame, StatusFrame
from app.chldo.requests import Forbidden, Greet, Refusal, SendMsg, Status, parse
from app.chldo.revisions import REVISIONS, V1, Revision, with_msg
from app.chldo.steps import Caller
from app.emulation.determinism import Clock, Ids

if TYPE_CHECKING:
    from app.chldo.actions import Actions
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

    __slots__ = ("_send", "active_at", "id", "opened_at", "revision", "room_uid", "turns", "url_base", "websocket")

    def __init__(self, websocket: WebSocket, send: Send, connection_id: str, revision: Revision, now: float) -> None:
        self.websocket = websocket
        self._send = send
        self.id = connection_id
        self.revision = revision
        self.room_uid = websocket.query_params.get("room_uid", "")
        self.opened_at = self.active_at = now
        self.turns: set[asyncio.Task[None]] = set()
        self.url_base = ""

    async def send(self, frame: Frame) -> None:
        """Sends a frame; OSError if the socket is gone. Straight to the server: this runs for every token."""
        await self._send({"type": "websocket.send", "text": frame.encode()})


class Gateway:
    """All sockets of the chldo wire. `actions` is what answers; it may take a moment after start to be there."""

    def __init__(
        self,
        *,
        revision: str,
        settings: V3Settings,
        clock: Clock,
        ids: Ids,
        actions: Callable[[], Awaitable[Actions | None]],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._actions = actions
        self._default = revision
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
        name = asked or (V1 if websocket.url.path.startswith("/v1") else self._default)
        revision = self._revisions.get(name)
        if revision is None:
            known = ", ".join(self._revisions)
            await websocket.send_denial_response(
                JSONResponse({"message": f"unknown revision {name!r}; known: {known}"}, status_code=400)
            )
            return
        connection = Connection(websocket, send, self._ids.connection_id(), revision, self._clock.monotonic())
        connection.url_base = self._settings.url_base or _address(websocket)
        self.connections.add(connection)
        self._rooms[connection.room_uid] += 1
        about = {"connection_id": connection.id, "room_uid": connection.room_uid, "revision": revision.id}
        log.info("connect %s", connection.id, extra=about)
        try:
            await websocket.accept()
            await self._listen(connection)
        except (WebSocketDisconnect, OSError):
            log.debug("connection %s went away", connection.id)
        finally:
            self.connections.discard(connection)
            self._rooms[connection.room_uid] -= 1
            if self._rooms[connection.room_uid] <= 0:
                del self._rooms[connection.room_uid]
            await self._end_turns(connection)
            log.info("disconnect %s", connection.id, extra=about)

    async def _listen(self, connection: Connection) -> None:
        websocket = connection.websocket
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            connection.active_at = self._clock.monotonic()
            text = message.get("text")
            if text is None:
                await websocket.close(UNSUPPORTED, "binary frames are not supported")
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
            return request.frame(connection.id, self._ids.uuid4())
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
        caller = Caller(connection.id, connection.url_base, self._clients(ask.room_uid))
        try:
            frames = await actions.begin(ask, connection.revision, caller)
        except Exception:
            log.exception("request failed", extra={"connection_id": connection.id})
            return ErrorFrame.of(connection.id, BROKEN)
        if isinstance(frames, Refusal):
            return frames.frame(connection.id)

        async def carry() -> None:
            began = self._clock.monotonic()
            try:
                async with aclosing(frames):
                    async for frame in frames:
                        await connection.send(frame)
            except OSError:
                return
            except Exception:
                log.exception("turn broke", extra={"connection_id": connection.id})
                with contextlib.suppress(OSError):  # the socket is gone
                    await connection.send(ErrorFrame.of(connection.id, BROKEN))
            finally:
                connection.active_at = now = self._clock.monotonic()
                about = {"connection_id": connection.id, "room_uid": ask.room_uid, "seconds": round(now - began, 3)}
                log.info("turn in room %s took %.3f s", ask.room_uid, now - began, extra=about)

        task = asyncio.create_task(carry())
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
            await self._clock.sleep(pause)
            now = self._clock.monotonic()
            for connection in list(self.connections):
                reason = ""
                if now - connection.opened_at >= age:
                    reason = "Connection duration limit reached"
                elif not connection.turns and now - connection.active_at >= idle:
                    reason = "Idle timeout"
                if reason:
                    self.connections.discard(connection)
                    closing = asyncio.create_task(self._close(connection, reason))
                    self._closing.add(closing)
                    closing.add_done_callback(self._closing.discard)

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


def _address(websocket: WebSocket) -> str:
    """Where the client reaches this server, as an http(s) base without a slash at its end."""
    scheme = "https" if websocket.url.scheme in ("wss", "https") else "http"
    return f"{scheme}://{websocket.headers.get('host') or websocket.url.netloc}"

"""The WebSocket routes of the wire: the handshake, who it is, what they say, lifetimes, the end.

A socket has to say `auth` within five seconds. What it says is judged in the order it comes in; what it hears comes
from the hub. Names of close codes are in `hub.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from math import ceil, inf
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.emulation.determinism import RESOLUTION, Ids
from app.emulation.keepalive import pongs
from app.emulation.lines import PING
from app.hashee.access import Credential, HumanCredential, agent_credential
from app.hashee.frames import (
    MODE_SWITCHED,
    AuthError,
    AuthExpiring,
    AuthOk,
    ErrorFrame,
    Pong,
    Replaced,
)
from app.hashee.hub import AUTH, POLICY, REPLACED, SILENT, Hub, Socket
from app.hashee.identifiers import AGENT, HUMAN, principal
from app.hashee.profiles import PROFILES, frame_type
from app.hashee.refusals import Refused, i18n_key
from app.hashee.requests import Auth, Invalid, Ping, PongBack, Renew, StreamFrame, Typing, parse

if TYPE_CHECKING:
    from app.engine import Stage
    from app.hashee.post import Post

log = logging.getLogger("app.hashee")

AUTH_LIMIT = 5.0
PING_EACH = 30.0
SILENCE = 90.0
ASKED = 2
"""Pings without an answer that a socket has had before it is silent: as many as come in that time."""

WARNING = 60.0
"""Seconds before its token lapses that a socket hears of it."""

FLOOD = 10.0
"""Seconds over the rate of frames after which a socket is closed."""

LOOK = 0.25
"""Seconds between two looks at all sockets."""

WAIT = 10.0
"""Seconds that the store may take to say who somebody is."""

TRY_AGAIN = 1013
NO_STORE = "the store does not answer"
UNAVAILABLE = "UNAVAILABLE"
HUMAN_PATH = "/ws/human"
AGENT_PATH = "/ws/agent"


class Gateway:
    """All sockets of the wire. `rate`: frames a second that a client may send; `limit`: bytes of one. `post` is what
    answers; it may take a moment after start to be there.
    """

    def __init__(
        self, *, stage: Stage, profile: str, rate: int, limit: int, post: Callable[[], Awaitable[Post | None]]
    ) -> None:
        self._stage = stage
        self._clock = stage.world.clock
        self._post = post
        self._rate = rate
        self._limit = limit
        self.profile = profile
        self.hub = Hub()
        self.sockets: set[Socket] = set()
        self._lasting: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One socket from handshake to close (an ASGI application)."""
        websocket = WebSocket(scope, receive, send)
        name = websocket.query_params.get("profile", self.profile)
        if name not in PROFILES:
            known = ", ".join(PROFILES)
            told = Refused("INVALID_REQUEST", f"unknown profile {name!r}; known: {known}").body()
            await websocket.send_denial_response(JSONResponse(told, status_code=400))
            return
        agent_id = websocket.query_params.get("agent_id", "") if scope["path"] == AGENT_PATH else None
        line = self._stage.lines.open(
            scope, receive, send, wire="hashee", room="", user=agent_id or "", name=Ids.uuid4, reader=frame_type
        )
        try:
            if await line.admit():
                await line.limit(self._limit)
                websocket = WebSocket(scope, line.receive, line.asgi_send)
                post = await self._post()
                arrived = post.receipts.arrived if post else lambda *_: None
                socket = Socket(websocket, line, PROFILES[name], agent_id, self._clock.monotonic(), arrived)
                await self._serve(socket, post)
        finally:
            line.end()

    async def _serve(self, socket: Socket, post: Post | None) -> None:
        about = {"connection_id": socket.line.id, "path": socket.line.path}
        log.info("connect %s", socket.line.id, extra=about)
        self.sockets.add(socket)
        try:
            await socket.websocket.accept()
            if post is None:
                socket.finish(TRY_AGAIN, "the server is still starting")
                await socket.line.receive()
                return
            await self._listen(socket, post)
        except (WebSocketDisconnect, OSError):
            log.debug("connection %s went away", socket.line.id)
        finally:
            self.sockets.discard(socket)
            known = self.hub.remove(socket)
            await socket.gone()
            if known and socket.agent_id is not None and post is not None:
                self._start(post.agent_gone(socket.user_id, socket.line.id))
            log.info("disconnect %s", socket.line.id, extra=about)

    async def _listen(self, socket: Socket, post: Post) -> None:
        while True:
            message = await socket.line.receive()
            if message["type"] == "websocket.disconnect":
                return
            if socket.closing:
                continue
            socket.heard_at, socket.unanswered = self._clock.monotonic(), 0
            if self._floods(socket, self._stage.world.limits.monotonic()):
                continue
            text = message.get("text")
            said = Invalid("binary frames are not understood") if text is None else parse(text)
            if not socket.principal:
                await self._first(socket, post, said)
            else:
                await self._act(socket, post, said)

    # -- who it is -----------------------------------------------------------------------------------------------------

    async def _first(self, socket: Socket, post: Post, said: object) -> None:
        """The first frame has to be `auth`, and right."""
        if not isinstance(said, Auth):
            socket.finish(AUTH, "auth expected")
            return
        socket.authenticating = True
        try:
            async with asyncio.timeout(WAIT):
                refused = await self._authenticate(socket, post, said)
                reached = refused is not None or socket.agent_id is None or await post.has_socket(socket.agent_id)
        except (TimeoutError, Refused):
            socket.finish(TRY_AGAIN, NO_STORE)
            return
        finally:
            socket.authenticating = False
        if refused is not None:
            socket.send(refused)
            socket.finish(AUTH, refused.reason)
            return
        if not reached:
            socket.finish(REPLACED, MODE_SWITCHED)
            return
        session = socket.session
        socket.exchange = socket.line.exchange(user=socket.user_id, action="auth")
        socket.send(AuthOk())
        if socket.closing:
            return
        first = not self.hub.of(socket.principal)
        self.hub.add(socket)
        try:
            if socket.agent_id is not None:
                # Before those that it replaces are closed: their end is not the agent's then.
                await post.agent_came(socket.user_id, socket.line.id, first)
            await post.announce(Replaced(socket.line.id, "replaced"), socket.principal, session)
        except Refused:
            socket.finish(TRY_AGAIN, NO_STORE)

    async def _authenticate(self, socket: Socket, post: Post, said: Auth) -> AuthError | None:
        """Why not, if not. Raises `Refused` where the store fails."""
        if socket.agent_id is not None:
            return await self._as_agent(socket, post, said)
        try:
            credential = post.tokens.read(said.token, self._clock.time())
            who = await post.who(credential)
        except Refused as refused:
            return _auth_error(refused)
        self._is(socket, principal(HUMAN, who.id), who.id, who.session, credential)
        return None

    async def _as_agent(self, socket: Socket, post: Post, said: Auth) -> AuthError | None:
        named = {uid for uid in (socket.agent_id, said.agent_id) if uid}
        try:
            credential = agent_credential(said.token)
            who = await post.who(credential)
        except Refused as refused:
            return _auth_error(refused)
        if named != {who.id}:
            told = "The token is another agent's" if named else "agent_id is missing: in the address, or in auth"
            return AuthError("agent_mismatch", told, "error.auth.agent_mismatch")
        socket.agent_id = who.id
        self._is(socket, principal(AGENT, who.id), who.id, "", credential)
        return None

    def _is(self, socket: Socket, name: str, uid: str, session: str, credential: Credential) -> None:
        socket.principal, socket.user_id, socket.session, socket.credential = name, uid, session, credential
        socket.line.identify(uid)
        socket.expires = credential.expires if isinstance(credential, HumanCredential) else None
        socket.warned = False

    async def _renew(self, socket: Socket, post: Post, said: Renew) -> None:
        try:
            credential = post.tokens.read(said.access_token, self._clock.time())
            if (credential.user_id, credential.session) != (socket.user_id, socket.session):
                raise Refused("INVALID_TOKEN", "The token is not of this session")
            await post.who(credential)
            socket.credential, socket.expires, socket.warned = credential, credential.expires, False
            socket.send(AuthOk())
        except Refused as refused:
            unavailable = ErrorFrame(refused.code, refused.message, refused.i18n_key)
            socket.send(unavailable if refused.code == UNAVAILABLE else _auth_error(refused))

    # -- what they say -------------------------------------------------------------------------------------------------

    async def _act(self, socket: Socket, post: Post, said: object) -> None:
        if isinstance(said, Ping):
            socket.send(Pong())
        elif isinstance(said, Auth):
            told = "The connection is authenticated already"
            socket.send(AuthError("already_authenticated", told, "error.auth.already_authenticated"))
        elif isinstance(said, Renew):
            await self._renew(socket, post, said)
        elif isinstance(said, StreamFrame | Typing) and socket.agent_id is not None:
            await self._speak(socket, post, said)
        elif not isinstance(said, PongBack):
            why = said.why if isinstance(said, Invalid) else "only agents may say this"
            socket.send(ErrorFrame("INVALID_FRAME", why, i18n_key("INVALID_FRAME")))

    async def _speak(self, socket: Socket, post: Post, said: StreamFrame | Typing) -> None:
        credential = socket.credential
        assert credential is not None
        try:
            if isinstance(said, Typing):
                await post.type(credential, socket.user_id, said.conversation_id, said.typing)
                return
            if said.step == "start" and post.limits.agent_messages.take(socket.user_id, post.limit_clock.monotonic()):
                raise Refused("RATE_LIMITED")
            answer = await post.streams.step(credential, socket.user_id, said)
        except Refused as refused:
            answer = ErrorFrame(refused.code, refused.message, refused.i18n_key)
        if answer is not None:
            socket.send(answer)

    def _floods(self, socket: Socket, now: float) -> bool:
        """Whether the frame is one too many; a socket that goes on so is closed. `now` is the time of limits."""
        if now - socket.second >= 1.0:
            if socket.frames <= self._rate or now - socket.second >= 2.0:  # a second with few frames, or with none
                socket.flood = None
            socket.second, socket.frames = now, 0
        socket.frames += 1
        if socket.frames <= self._rate:
            return False
        if socket.flood is None:
            socket.flood = now
        if now - socket.flood >= FLOOD:
            socket.finish(POLICY, "rate limit")
        elif socket.frames == self._rate + 1:
            socket.send(ErrorFrame("RATE_LIMITED", "Too many requests", "error.rate_limited"))
        return True

    # -- lifetimes -----------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Looks after all sockets until it is cancelled."""
        now = self._clock.monotonic()
        while True:
            # From one look to the next, not from its end: the clock may be advanced in between.
            await self._clock.look(now + LOOK - self._clock.monotonic(), self._next_end)
            now, wall = self._clock.monotonic(), self._clock.time()
            for socket in list(self.sockets):
                if not socket.closing:
                    await self._look(socket, now, wall)

    def _next_end(self) -> float:
        """When a socket will next be too late, as things stand: a moment of the clock."""
        now, wall = self._clock.monotonic(), self._clock.time()
        soonest = inf
        for socket in self.sockets:
            if socket.closing:
                continue
            if not socket.principal:
                soonest = min(soonest, inf if socket.authenticating else socket.opened_at + AUTH_LIMIT)
            else:
                soonest = min(soonest, now + socket.left(wall))
        return soonest

    async def _look(self, socket: Socket, now: float, wall: float) -> None:
        answered = pongs(socket.websocket.scope) or 0
        if answered != socket.pongs:
            socket.pongs, socket.heard_at, socket.unanswered = answered, now, 0
        if not socket.principal:
            if now >= socket.opened_at + AUTH_LIMIT - RESOLUTION and not socket.authenticating:
                socket.send(AuthError("auth_timeout", "No auth within 5 seconds", "error.auth.timeout"))
                socket.finish(AUTH, "auth_timeout")
            return
        left = socket.left(wall)
        if left <= RESOLUTION:
            socket.lapse()
            return
        if self._clock.advancing:
            return  # what a client has to answer is asked when time has stopped moving: nobody could answer before
        if left <= WARNING and not socket.warned:
            socket.warned = True
            socket.send(AuthExpiring(ceil(left)))
        # A clock that is advanced by minutes has given nobody the time to answer: silent is who was asked, too.
        if now - socket.heard_at >= SILENCE and socket.unanswered >= ASKED:
            socket.finish(SILENT, "no sign of life")
        elif now - socket.pinged_at >= PING_EACH:
            socket.pinged_at = now
            socket.unanswered += 1
            if pongs(socket.websocket.scope) is not None:
                self._start(socket.line.asgi_send({"type": PING}))

    def _start(self, work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(_quietly(work))
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)


async def _quietly(work: Awaitable[object]) -> None:
    try:
        await work
    except OSError as error:
        log.debug("a connection was gone: %s", error)
    except Refused as refused:
        log.warning("not told: %s", refused)


def _auth_error(refused: Refused) -> AuthError:
    """Why a token is not taken, in the words of the socket. Raises what says nothing about the token."""
    if refused.code == UNAVAILABLE:
        raise refused
    if refused.code == "TOKEN_EXPIRED":
        return AuthError("expired_token", "Token expired", "error.auth.expired")
    return AuthError("invalid_token", refused.message, f"error.auth.{refused.code.lower()}")

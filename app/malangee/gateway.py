"""The sockets of the wire: where they lead, who may open them, which session they belong to.

What is refused, and how a browser sees it:
    403 on the handshake (close 1006)   unknown path, bad query, no or bad token, unknown user
    4004 / 4003 after it                unknown or deleted session / somebody else's
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from app.emulation.determinism import Ids, RealClock
from app.emulation.keepalive import keep_alive
from app.emulation.lines import Line
from app.malangee.dialects import GUIDE, Dialect, dialect_of
from app.malangee.frames import UNHEARD, Bare, ErrorFrame, Frame, frame_type
from app.malangee.requests import Route, bearer, route, switch
from app.spaces.failures import StoreFailure

if TYPE_CHECKING:
    from app.emulation.exchanges import Exchange
    from app.engine import Stage
    from app.malangee.conversation import Conversation
    from app.malangee.minds import ChatMind
    from app.malangee.parts import Parts
    from app.malangee.tokens import Tokens
    from app.settings import MalangeeSettings
    from app.spaces.people import SessionRow, User

log = logging.getLogger("app.malangee")

WIRE = "malangee"
NOT_FOUND = (4004, "Session not found")
UNAUTHORIZED = (4003, "Unauthorized access to this session")
BROKEN = (1011, "Internal server error")
TIMEOUT = "Realtime connection timeout"
UNHEARD_AFTER = 0.9
TIMEOUT_AFTER = 10.4
"""Seconds, as the backend shows them when the service behind it is not there."""


@dataclass(frozen=True, slots=True)
class Open:
    """What sockets are opened with."""

    parts: Parts
    tokens: Tokens


class Gateway:
    """All sockets of the wire."""

    def __init__(
        self,
        *,
        settings: MalangeeSettings,
        stage: Stage,
        opened: Callable[[], Awaitable[Open | None]],
        dialect: str,
    ) -> None:
        self._settings = settings
        self._lines = stage.lines
        self._opened = opened
        self._machine = RealClock()
        self.dialect = dialect
        self.conversations: dict[str, tuple[Conversation, ChatMind | None]] = {}

    @property
    def running(self) -> int:
        """Turns under way."""
        return sum(one.busy for one, _ in self.conversations.values())

    def live(self, session_id: str) -> tuple[Conversation, ChatMind] | None:
        """Who talks in a session."""
        for conversation, mind in self.conversations.values():
            if mind is not None and not conversation.over and conversation.record.session_id == session_id:
                return conversation, mind
        return None

    def talked_in(self, session_id: str) -> bool:
        """Whether a session is open here: what is said in it now is not in the store yet."""
        return any(
            mind is not None and not conversation.record.kept and conversation.record.session_id == session_id
            for conversation, mind in self.conversations.values()
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One socket from handshake to close (an ASGI application)."""
        found = route(scope["path"])
        opened = await self._opened()
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
        headers = Headers(scope=scope)
        user: User | None = None
        why = ""
        if found is None:
            why = f"no socket at {scope['path']}"
        elif found.wrong and self._settings.strict_paths:
            why = "a spelling of the path that never worked"
        elif "show_text" in query and found.purpose == "chat" and switch(query["show_text"]) is None:
            why = "show_text is no switch"
        elif opened is not None and found.member:
            token = bearer(headers, query)
            login = opened.tokens.read(token) if token else None
            try:
                user = await opened.parts.people.user(login) if login is not None else None
            except StoreFailure as failure:
                log.error("a user cannot be looked up: %s", failure)
                opened = None
            why = "" if user is not None else "Invalid token or user not found" if token else "Missing token"
        login_id = "" if user is None else user.login_id
        line = self._lines.open(
            scope,
            receive,
            send,
            wire=WIRE,
            room=found.session_id if found is not None and found.session_id else f"scenario:{login_id}",
            user=login_id,
            name=Ids.uuid4,
            reader=frame_type,
        )
        try:
            if not await line.admit():
                return
            if opened is None:
                await _deny(line, 503, "the server is still starting, or its store fails")
            elif found is None or why:
                await _deny(line, 403, why)
            else:
                await self._serve(line, scope, found, query, headers, user, opened.parts)
        except OSError as gone:
            log.debug("connection %s went away: %s", line.id, gone)
        finally:
            line.end()

    async def _serve(
        self,
        line: Line,
        scope: Scope,
        found: Route,
        query: Mapping[str, str],
        headers: Headers,
        user: User | None,
        parts: Parts,
    ) -> None:
        settings = self._settings
        dialect = dialect_of(
            found.dialect or self.dialect,
            found.purpose,
            ready=settings.ready,
            order=settings.order,
            transcript=settings.transcript,
            pace=settings.pace,
        )
        if found.wrong:
            line.note({"what": "wrong path", "path": line.path})
        await line.limit(settings.frame_limit)
        about = {"connection_id": line.id, "dialect": dialect.name, "user": line.user}
        log.info("connect %s", line.id, extra=about)
        protocol = headers.get("sec-websocket-protocol", "").partition(",")[0].strip()
        # The backend does not name the protocol it took the token from; a browser then gives up.
        chosen = protocol if protocol and dialect.name == GUIDE else None
        handshake = await line.receive()
        if handshake["type"] != "websocket.connect":
            return
        await line.asgi_send({"type": "websocket.accept", "subprotocol": chosen, "headers": []})
        try:
            if found.purpose == "chat":
                made = await self._chat(line, dialect, found, query, user, parts)
            else:
                made = await self._scenario(line, dialect, user, parts)
        except StoreFailure as failure:
            log.error("a session cannot be opened: %s", failure)
            code, reason = BROKEN
            await line.asgi_send({"type": "websocket.close", "code": code, "reason": reason})
            return
        if made is None:
            return
        self.conversations[line.id] = made
        pings = keep_alive(
            line, scope, self._machine, interval=settings.ping_interval, answer_within=settings.ping_timeout
        )
        pinging = asyncio.create_task(pings, name="malangee-pings")
        try:
            await made[0].run()
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
            self.conversations.pop(line.id, None)
            log.info("disconnect %s", line.id, extra=about)

    async def _chat(
        self,
        line: Line,
        dialect: Dialect,
        found: Route,
        query: Mapping[str, str],
        user: User | None,
        parts: Parts,
    ) -> tuple[Conversation, ChatMind | None] | None:
        from app.malangee.conversation import Conversation
        from app.malangee.minds import ChatMind
        from app.malangee.records import Record

        now = line.strand.clock.time()
        session = await self._session(found.session_id, user, now, parts)
        if isinstance(session, tuple):
            code, reason = session
            await line.asgi_send({"type": "websocket.close", "code": code, "reason": reason})
            return None
        told = {"voice": query.get("voice") or None, "show_text": switch(query.get("show_text", ""))}
        changes = {name: value for name, value in told.items() if value is not None}
        await parts.people.change_session(session.uid, changes, at=now)
        script = parts.script()
        voice = changes.get("voice") or session.voice
        if isinstance(voice, str) and voice not in script.voices:
            line.note({"what": "unknown voice", "voice": voice})
        earlier = await parts.people.messages(session.uid, parts.history)
        record = Record(session.uid, now, earlier)
        talk = script.conversation(session.uid, session.scenario_id or "", line.user)
        mind = ChatMind(parts, dialect, script, talk, session, user, record)
        conversation = Conversation(
            parts, dialect, line, record, mind, script=script, voice=voice if isinstance(voice, str) else None
        )
        return conversation, mind

    async def _session(self, uid: str, user: User | None, now: float, parts: Parts) -> SessionRow | tuple[int, str]:
        """The session to talk in, or the code and reason to close with."""
        from app.spaces.people import SessionRow

        session = await parts.people.session(uid)
        if session is None:
            if self._settings.strict_sessions:
                return NOT_FOUND
            made = SessionRow(
                uid=uid,
                user_id=None if user is None else user.id,
                title="Conversation",
                started_at=now,
                ended_at=now,
                created_at=now,
                updated_at=now,
            )
            return await parts.people.add_session(made, most_guests=self._settings.guest_sessions)
        if session.deleted:
            return NOT_FOUND
        idle = now - session.updated_at > self._settings.guest_life
        if session.user_id is None and idle and not self.talked_in(uid):
            await parts.people.change_session(uid, {"deleted": True}, at=now)
            return NOT_FOUND
        if session.user_id is not None and (user is None or user.id != session.user_id):
            return UNAUTHORIZED
        return session

    async def _scenario(
        self, line: Line, dialect: Dialect, user: User | None, parts: Parts
    ) -> tuple[Conversation, ChatMind | None] | None:
        from app.malangee.builder import Scenario
        from app.malangee.conversation import Conversation
        from app.malangee.minds import ScenarioMind
        from app.malangee.records import Record

        script = parts.script()
        builder = script.builder(line.user)
        if builder.upstream == "timeout":
            await _absent(line, dialect)
            return None
        record = Record(line.strand.ids.uuid4(), line.strand.clock.time())
        made: list[Conversation] = []

        async def tell(frame: Frame, exchange: Exchange | None) -> None:
            await made[0].tell(frame, exchange)

        def completed() -> None:
            made[0].completed = True

        mind = ScenarioMind(
            parts,
            dialect,
            script,
            Scenario(builder),
            record.session_id,
            user,
            record,
            tell,
            completed,
            line.strand.clock.time,
        )
        made.append(Conversation(parts, dialect, line, record, mind, script=script, voice=None))
        return made[0], None


async def _deny(line: Line, status: int, why: str) -> None:
    """Refuses the handshake as the service does: no body, no reason."""
    line.note({"what": "refused", "why": why})
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"0"), (b"connection", b"close")]
    start = {"type": "websocket.http.response.start", "status": status, "headers": headers, "reason": why}
    await line.asgi_send(start)
    await line.asgi_send({"type": "websocket.http.response.body", "body": b"", "more_body": False})


async def _absent(line: Line, dialect: Dialect) -> None:
    """The service behind the scenario is never there: that is told, and the socket stays open until the client goes."""
    clock = line.strand.clock

    async def tell() -> None:
        await clock.sleep(UNHEARD_AFTER)
        frames: list[Frame] = [Bare(UNHEARD), ErrorFrame("server_error", TIMEOUT)]
        for frame in frames:
            if (text := dialect.write(frame)) is not None:
                await line.reply(text)
            if isinstance(frame, Bare):
                await clock.sleep(TIMEOUT_AFTER - UNHEARD_AFTER)

    telling = asyncio.create_task(tell(), name="malangee-absent")
    try:
        while (await line.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)

"""Tapes in place of a wire: an ASGI application that answers as the recorded server did.

    client's message -> matching: which recorded request is it? -> renewal: new ids and times -> paced, sent

Each answer runs as a task of its connection, so that answers may overlap as they did; what no tape answers gets the
wire's refusal, and the log names the requests that came nearest.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from app.emulation.determinism import Clock, Ids
from app.emulation.lines import LIMIT
from app.emulation.placeholders import PLACEHOLDER, Placeholders
from app.emulation.replay.files import serve_file
from app.emulation.replay.library import Opened, Reel, TapeLibrary, Wire, path_of, query_of
from app.emulation.replay.matching import Asked, Conversation, Thread, asked
from app.emulation.replay.renewal import Cutter, Known, Line, values_of
from app.emulation.replay.streams import PAUSE, StreamPosition
from app.emulation.tapes import ABNORMAL, NO_STATUS, Refused
from app.forwarding import base_url
from app.json_text import dumps

log = logging.getLogger("app.replay")

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
T = TypeVar("T")
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_CONVERSATIONS = 10_000
"""Conversations whose requests are counted; the one that was quiet for longest is forgotten."""

MOST_VOICES = 10_000
MOST_RUNNING = 64
"""Answers under way on one connection; what it asks beyond that waits."""

SHORTEST_PAUSE = 0.001
"""Seconds below which a message does not wait for its time."""

LAST_WORDS = 0.05
"""Seconds that a connection gets to send what was written before it is lost, as the recorded one was."""

NOT_ON_TAPE = "no tape answers this request"


class TapeServer:
    """Serves the tapes of a library.

    `speed`: 1 as recorded, 2 twice as fast, 0 at once. `url_base`: where clients reach this server; by default, where
    they say they do.
    """

    def __init__(
        self, library: TapeLibrary, *, clock: Clock, ids: Ids, speed: float = 1.0, url_base: str | None = None
    ) -> None:
        self.library = library
        self.clock = clock
        self.ids = ids
        self.speed = speed
        self._url_base = url_base
        self._conversations: OrderedDict[tuple[object, ...], Conversation] = OrderedDict()
        self._opened: OrderedDict[tuple[object, ...], Opened] = OrderedDict()
        self._voices: OrderedDict[str, Path] = OrderedDict()

    def takes(self, scope: Scope) -> bool:
        """Whether a connection or a request is for the tapes: every WebSocket is, and whoever asks for a voice that
        they named.
        """
        if scope["type"] == "http":
            return scope["path"] in self._voices and scope["method"] in ("GET", "HEAD")
        return bool(scope["type"] == "websocket")

    def about(self, scope: Scope) -> tuple[str, str]:
        """The room and the user of a connection, as its URL names them."""
        asked_for = _asked_for(scope)
        wire = self.library.wire_at(path_of(asked_for))
        given = query_of(asked_for) | wire.named_in(path_of(asked_for))
        room = next((given[name] for name in wire.conversation if name in given), "")
        return room, given.get(wire.user, "")

    def reset(self) -> None:
        """Counts from the beginning again: the next request gets the first recorded answer."""
        self._conversations.clear()
        self._opened.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await serve_file(scope, send, self._voices.get(scope["path"]))
            return
        await receive()  # websocket.connect
        asked_for = _asked_for(scope)
        path = path_of(asked_for)
        wire = self.library.wire_at(path)
        query = query_of(asked_for) | wire.named_in(path)
        reel = self.library.opening(path, query, self._openings(wire, query))
        if reel is None:
            known = ", ".join(self.library.paths)
            log.warning("no tape has a connection to %s", path)
            message = f"no tape has a connection to {path}; there are: {known}"
            await _refuse(send, Refused(404, dumps({"message": message}), "application/json"))
        elif reel.tape.refused is not None:
            await _refuse(send, reel.tape.refused)
        else:
            known_here = Known(dict(query), here=self._url_base or base_url(scope))
            offered = scope.get("subprotocols") or ()
            if wire.limit is not None:
                await send({"type": LIMIT, "bytes": wire.limit})
            subprotocol = _subprotocol(reel.tape.subprotocol, offered)
            await send({"type": "websocket.accept", "subprotocol": subprotocol})
            await Playing(self, reel, query, known_here, send).run(receive)

    def conversation(self, wire: Wire, asks: Asked, query: Mapping[str, str], connection: object) -> Conversation:
        """The conversation that a request belongs to."""
        values = [asks.named(name) or query.get(name) for name in wire.conversation]
        key = tuple(values) if any(values) else (id(connection),)
        return _recalled(self._conversations, key, Conversation)

    def _openings(self, wire: Wire, query: Mapping[str, str]) -> Opened:
        return _recalled(self._opened, tuple(query.get(name) for name in wire.conversation), Opened)

    def forget(self, connection: object) -> None:
        """Drops what was counted for a connection."""
        self._conversations.pop((id(connection),), None)

    def keep_voice(self, url: str, file: Path) -> None:
        """From now on `url` leads to `file` here."""
        path = unquote(urlsplit(url).path)
        self._voices[path] = file
        self._voices.move_to_end(path)
        if len(self._voices) > MOST_VOICES:
            self._voices.popitem(last=False)


class Playing:
    """One connection."""

    def __init__(self, server: TapeServer, reel: Reel, query: Mapping[str, str], known: Known, send: Send) -> None:
        self._server = server
        self._reel = reel
        self._wire = reel.wire
        self._query = query
        self._known = known
        self._send = send
        self._thread = Thread(reel.number, 0)
        self._running: set[asyncio.Task[None]] = set()
        self._lost = asyncio.Event()
        self._stream = StreamPosition(reel.marks)
        self._pause: asyncio.TimerHandle | None = None

    async def run(self, receive: Receive) -> None:
        """Plays the opening and answers what comes, until one side closes or the recorded connection was lost."""
        self._begin(self._reel.cutter, 0, Asked("", {}, {}))
        listening = asyncio.create_task(self._listen(receive))
        lost = asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait({listening, lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hear_no_pause()
            tasks = (listening, lost, *self._running)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            self._server.forget(self)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, OSError):
                raise result

    async def _listen(self, receive: Receive) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            while len(self._running) >= MOST_RUNNING:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            said = message.get("text")
            await self._answer(message.get("bytes") or b"" if said is None else said)

    async def _answer(self, said: str | bytes) -> None:
        server, reading = self._server, self._wire.stream
        if reading is not None and isinstance(said, str) and (size := reading.size(said)) is not None:
            self._come(size)
            return
        asks = asked(said, server.library.identities(self._wire))
        self._known.given.update(
            {path[-1]: value for path, value in asks.identity.items() if isinstance(path[-1], str)}
        )
        conversation = server.conversation(self._wire, asks, self._query, self)
        found = server.library.requests(self._wire).find(asks, conversation, self._thread)
        if found is None:
            await self._refuse(asks)
            return
        log.debug("a request is answered by %s", found.exchange.source)
        reel = server.library.reels[found.tape]
        await self._leave_stream(reel, found.exchange.number)
        self._begin(reel.cutter, found.exchange.number, asks)

    def _come(self, size: int) -> None:
        """A piece of a stream has come."""
        self._hear_no_pause()
        self._stream.come(size)
        self._pause = asyncio.get_running_loop().call_later(PAUSE, self._stop_stream)
        self._go_on()

    def _stop_stream(self) -> None:
        """No piece has come for a while."""
        self._stream.stopped()
        self._go_on()

    async def _leave_stream(self, reel: Reel, number: int) -> None:
        """A request is answered: what the stream has reached comes before, and it goes on behind it."""
        self._hear_no_pause()
        self._stream.stopped()
        noticed = False
        while self._notice():
            noticed = True
        if noticed and not self._server.speed:
            await asyncio.wait(set(self._running))  # without pauses nothing else keeps the order
        if reel.number != self._reel.number:
            self._reel, self._stream = reel, StreamPosition(reel.marks)
        self._stream.asked(number)

    def _go_on(self) -> None:
        """What the stream has reached comes once the answers under way have been given, as it did on the tape."""
        if not self._running:
            self._notice()

    def _notice(self) -> bool:
        number = self._stream.take()
        if number is None:
            return False
        self._thread.tape, self._thread.place = self._reel.number, number
        self._begin(self._reel.cutter, number, Asked("", {}, {}))
        return True

    def _hear_no_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    async def _refuse(self, asks: Asked) -> None:
        """Tells the client that no tape answers, and the log what came nearest."""
        server = self._server
        near = server.library.requests(self._wire).nearest(asks)
        reason = NOT_ON_TAPE + (f"; nearest: {', '.join(map(str, near))}" if near else ": the tapes have no requests")
        log.warning("%s", reason)
        connection = server.library.connection(self._wire, self._known, server.ids)
        await self._send({"type": "websocket.send", "text": self._wire.refusal(connection, reason, server.ids)})

    def _begin(self, cutter: Cutter, number: int, asks: Asked) -> None:
        task = asyncio.create_task(self._play(cutter, number, asks), name="answer")
        self._running.add(task)
        task.add_done_callback(self._played)

    def _played(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, OSError):
            log.error("an answer broke off", exc_info=error)  # OSError: the client is gone
        if not task.cancelled():
            self._go_on()

    async def _play(self, cutter: Cutter, number: int, asks: Asked) -> None:
        server = self._server
        send = self._send
        began = server.clock.monotonic()
        script = cutter.ready(number)
        if script is None:
            made = cutter.script
            script = await asyncio.to_thread(made, number) if cutter.long(number) else made(number)
        values = values_of(script, asks.identity, self._known, server.ids, server.clock.time())
        for line in script.lines:
            if server.speed:
                await self._until(began + line.after / server.speed)
            message = line.message
            if isinstance(message, bytes):
                await send({"type": "websocket.send", "bytes": message})
                continue
            if not isinstance(message, str):
                message = "".join([values[piece] if type(piece) is int else piece for piece in message])  # type: ignore[misc]
            if line.voice is not None:
                self._keep_voice(message, line)
            await send({"type": "websocket.send", "text": message})
        if script.close is not None:
            if server.speed:
                await self._until(began + script.close_after / server.speed)
            await self._close(*script.close)

    async def _until(self, moment: float) -> None:
        pause = moment - self._server.clock.monotonic()
        if pause > SHORTEST_PAUSE:
            await self._server.clock.sleep(pause)

    async def _close(self, code: int, reason: str) -> None:
        if code == ABNORMAL:
            await self._server.clock.sleep(LAST_WORDS)
            self._lost.set()
            return
        for task in self._running - {asyncio.current_task()}:
            task.cancel()
        # ASGI cannot close without a code.
        await self._send({"type": "websocket.close", "code": 1000 if code == NO_STATUS else code, "reason": reason})

    def _keep_voice(self, message: str, line: Line) -> None:
        """Serves the voice that a message names under its new address."""
        assert line.voice is not None
        path, file = line.voice
        value: Any = json.loads(message)
        for step in path:
            value = value[step]
        self._server.keep_voice(value, Path(file))


def _recalled(shelf: OrderedDict[tuple[object, ...], T], key: tuple[object, ...], make: Callable[[], T]) -> T:
    """What is remembered under a key, made when it is new; of too many the oldest is forgotten."""
    found = shelf.get(key)
    if found is None:
        found = shelf[key] = make()
        if len(shelf) > MOST_CONVERSATIONS:
            shelf.popitem(last=False)
    shelf.move_to_end(key)
    return found


def _subprotocol(recorded: str | None, offered: Sequence[str]) -> str | None:
    """The subprotocol to answer with: the recorded one. Where that was a token, which is not on the tape, the first of
    the client's own that is one, else the first.
    """
    if recorded in offered or recorded is None or not PLACEHOLDER.search(recorded):
        return recorded if recorded in offered else None
    hide = Placeholders()
    return next((name for name in offered if hide.subprotocol(name) != name), offered[0] if offered else None)


async def _refuse(send: Send, refused: Refused) -> None:
    body = refused.body.encode()
    headers = [(b"content-length", str(len(body)).encode())]
    if refused.content_type:
        headers.append((b"content-type", refused.content_type.encode("latin-1", "replace")))
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _asked_for(scope: Scope) -> str:
    """Path and query, as the client wrote them."""
    raw = scope.get("raw_path") or scope["path"].encode()
    return f"{raw.decode('latin-1')}?{scope['query_string'].decode('latin-1')}"

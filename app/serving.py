"""uvicorn, set up for long-lived sockets: limits that close politely, readers that stall, signals.

uvicorn gives the WebSocket implementation (websockets-sansio), uvloop and httptools; what is added here it does not
have: a close frame that arrives although the client is still sending (1009), and a time-out for a client that stops
reading.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import struct
import sys
import threading
from asyncio import BaseTransport
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request

from app.emulation.lines import LIMIT, PING, PONGS, RAW, RESET

if TYPE_CHECKING:
    from app.settings import Settings

LINGER = 2.0
"""Seconds that a socket refused for its size is still read (and its bytes thrown away), so that the close frame is
not lost to a reset.
"""


REQUEST_TIMEOUT = 10.0
"""Seconds from a connection to the end of its first request's headers."""

GATHER = 0.004
"""Seconds between two writes to one socket. A frame after a quiet moment goes out at once; those of a burst go out
together.
"""

GATHER_LIMIT = 64
"""Frames that may wait for the next write."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection of the server."""

    send_timeout = 30.0
    _pongs: dict[str, int] | None = None
    _stalled: asyncio.TimerHandle | None = None
    _gathering: asyncio.TimerHandle | None = None
    _waiting = 0
    _written_at = 0.0

    async def send(self, message: ASGISendEvent) -> None:
        kind: str = message["type"]
        if kind == RESET:
            self._reset()
            return
        if kind == LIMIT:
            size = cast(int, message.get("bytes"))
            self.conn.max_message_size = self.conn.max_fragment_size = size
            return
        if kind == PING:
            if self.handshake_complete and not (self.close_sent or self.transport.is_closing()):
                self.conn.send_ping(b"")
                self._write()
            return
        text = cast(str | bytes | None, message.get("data") if kind == RAW else message.get("text"))
        if text is not None and self.close_sent:
            raise ClientDisconnected
        if kind == RAW and self.transport.is_closing():
            raise ClientDisconnected
        if text is None or not self.handshake_complete or self.transport.is_closing():
            if message["type"] == "websocket.close":
                self._guard()
            await super().send(message)
            if kind == "websocket.http.response.body" and self.close_sent:
                self.handshake_complete = True  # by a refusal, which uvicorn would take for one that was forgotten
            return
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected:
            raise ClientDisconnected
        # The frame stays in the protocol's own output, so that whatever is written next (a pong, a close)
        # takes it along in order.
        try:
            self.conn.send_text(text.encode() if isinstance(text, str) else text)
        except InvalidState:
            raise ClientDisconnected from None
        self._waiting += 1
        if self._gathering is None:
            quiet = self.loop.time() - self._written_at
            if quiet >= GATHER:
                self._write()
            else:
                self._gathering = self.loop.call_later(GATHER - quiet, self._write)
        elif self._waiting >= GATHER_LIMIT:
            self._write()

    def _reset(self) -> None:
        """Ends the TCP connection with a reset; what was sent but not yet taken is lost, as on a bad network."""
        if self.transport.is_closing():
            return
        self._write()
        under = self.transport.get_extra_info("socket")
        if under is not None:
            under.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _write(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        self._waiting = 0
        self._written_at = self.loop.time()
        output = self.conn.data_to_send()
        if output and not self.transport.is_closing():
            self.transport.write(b"".join(output))

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.conn.debug = False  # its debug log shows whole frames, and keys with them

    def data_received(self, data: bytes) -> None:
        self._written_at = 0.0  # what answers the client goes out at once
        super().data_received(data)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self._pongs = {"count": 0}
            cast(dict[str, Any], self.scope["extensions"])[PONGS] = self._pongs

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        if self._pongs is not None:
            self._pongs["count"] += 1

    def handle_parser_exception(self) -> None:
        if self.close_timer is not None:
            return
        closed = self.conn.close_sent
        code, reason = (closed.code, closed.reason) if closed else (1002, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._guard()
        self.close_timer = self.loop.call_later(LINGER, self.transport.close)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def handle_close(self, event: Frame) -> None:
        self._guard()
        super().handle_close(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def receive(self) -> ASGIReceiveEvent:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            if self.writable.is_set():
                self.transport.resume_reading()
        return message

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.pause_reading()  # or a client that only sends pings makes us keep all their pongs
        self._guard()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._calm()
            if not self.read_paused:
                self.transport.resume_reading()

    def _guard(self) -> None:
        """From now on the client has `send_timeout` seconds to take what is waiting for it."""
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.send_timeout, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        super().connection_lost(exc)

    def _calm(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class RequestProtocol(HttpToolsProtocol):
    """One HTTP connection: a request has to come, and an answer to be read, in time (uvicorn's own time-out is
    only for the pause between).
    """

    send_timeout = 30.0
    _first: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def on_message_begin(self) -> None:
        self._expect()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._arrived()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.send_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self._calm()
        super().connection_lost(exc)

    def _calm(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _expect(self) -> None:
        """The headers of a request have to come whole from now on."""
        self._arrived()
        self._first = self.loop.call_later(REQUEST_TIMEOUT, self.transport.close)

    def _arrived(self) -> None:
        if self._first is not None:
            self._first.cancel()
            self._first = None


class Server(uvicorn.Server):
    """Tells the application that it stops, so that answers without an end come to theirs, before it waits for them."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._stopping is not None:
            self._stopping()
        await super().shutdown(sockets)


def server_of(app: Any, settings: Settings) -> uvicorn.Server:
    """A uvicorn server for `app`, not yet running."""
    v3 = settings.v3
    patience = {"send_timeout": v3.send_timeout}
    protocol = type("SocketProtocol", (SocketProtocol,), patience)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="auto",
        http=type("RequestProtocol", (RequestProtocol,), patience),
        ws=protocol,
        ws_max_size=cast(int, (v3.message_limit, v3.frame_limit)),
        ws_per_message_deflate=v3.compression,
        ws_ping_interval=None,
        lifespan="on",
        log_config=None,
        access_log=settings.log_level == "debug",
        server_header=False,
        proxy_headers=False,  # the application itself judges them, with the host and the path in front
        timeout_graceful_shutdown=2,
    )
    sys.setswitchinterval(SWITCH)
    return Server(config, getattr(app, "stopping", None))


SWITCH = 0.0005
"""Seconds after which Python lets another thread run (its default: 0.005). The store commits in a thread of its own
and would wait ten times
longer for the interpreter than for the disk while the event loop is busy."""


def keep_loaded() -> None:
    """Tells the garbage collector that what is loaded now stays.

    LangChain, SQLAlchemy and FastAPI are some 600,000 objects that every full collection would walk again:
    measured, 40 % of the time of a turn. Call it once, when everything is loaded.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def end_with_input() -> None:
    """From now on the end of standard input is as good as SIGTERM: whoever holds its other end is gone, however it
    went.
    """

    def read() -> None:
        # Not through sys.stdin: a thread that waits in it keeps the interpreter from ending.
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=read, name="input", daemon=True).start()


def listen(host: str, port: int) -> socket.socket:
    """A bound, listening socket; port 0 takes a free one. Raises OSError if the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(2048)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made

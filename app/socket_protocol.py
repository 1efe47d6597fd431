"""One WebSocket connection of uvicorn: limits that close politely, clients that stop reading, handshakes of any size.

What is added to uvicorn's own: a close frame that arrives although the client is still sending (1009), a time-out for a
client that stops reading, and a handshake that was read and judged by `app.http_protocol`, as websockets' own reader
gives up at lines over 8 KB or at 128 headers.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import BaseTransport
from collections.abc import Mapping
from typing import Any, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request, Response

from app.emulation.lines import LIMIT, PING, PONGS, RAW, RESET
from app.refused_requests import log_refused

LINGER = 2.0
"""Seconds that a socket refused for its size is still read (and its bytes thrown away), so that the close frame is
not lost to a reset.
"""

GATHER = 0.004
"""Seconds between two writes to one socket. A frame after a quiet moment goes out at once; those of a burst go out
together.
"""

GATHER_LIMIT = 64
"""Frames that may wait for the next write."""

VERSION = "13"
"""The one version of the WebSocket protocol (RFC 6455)."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection of the server."""

    send_timeout = 30.0
    _handshake: Request | None = None
    _refusal: tuple[int, str] | None = None
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
        if not self.handshake_complete and kind != "websocket.accept":
            self._note_refusal(cast(dict[str, Any], message))
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

    def begin(self, request: Request, rest: bytes) -> None:
        """Takes a handshake that has been read, and what came behind it."""
        self._handshake = request
        super().data_received(b"GET / HTTP/1.1\r\n\r\n")  # websockets reads this, and gets the other
        if rest and not self.transport.is_closing():
            self.data_received(rest)

    def handle_connect(self, event: Request) -> None:
        event = self._handshake or event
        self.request = event
        if (versions := event.headers.get_all("Sec-WebSocket-Version")) != [VERSION]:
            self._refuse_version(versions)
            return
        super().handle_connect(event)
        if self.response.status_code != 101:
            reason = (self.response.body or b"").decode("utf-8", "replace")
            self._log_refused(self.response.status_code, reason.removeprefix("Failed to open a WebSocket connection: "))
        elif not self.close_sent:
            self._pongs = {"count": 0}
            cast(dict[str, Any], self.scope["extensions"])[PONGS] = self._pongs

    def _refuse_version(self, versions: list[str]) -> None:
        """RFC 6455, 4.4: 426, and the version that is spoken."""
        found = ", ".join(versions) or "none"
        refusal: Response = self.conn.reject(426, f"Sec-WebSocket-Version: expected {VERSION}, found {found[:20]}.\n")
        refusal.headers["Upgrade"] = "websocket"
        refusal.headers["Sec-WebSocket-Version"] = VERSION
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.conn.send_response(refusal)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
        self._log_refused(426, f"Sec-WebSocket-Version {found}")

    def _note_refusal(self, message: Mapping[str, Any]) -> None:
        """Logs what an application says in place of accepting; `reason` of its start is for the log only."""
        if message["type"] == "websocket.http.response.start":
            self._refusal = (message["status"], message.get("reason", ""))
        elif message["type"] == "websocket.close":
            self._log_refused(403, message.get("reason") or "")
        elif self._refusal is not None:
            (status, reason), self._refusal = self._refusal, None
            self._log_refused(status, reason or message.get("body", b"")[:1000].decode("utf-8", "replace"))

    def _log_refused(self, status: int, reason: str) -> None:
        log_refused("handshake", self.request.path, status, reason.strip(), self.request.headers.get("Origin"))

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

"""One HTTP connection of uvicorn: what a client may send before it is answered, and how long it may take.

What is added to uvicorn's own: a limit for the request line and headers together, the same for WebSocket handshakes;
time-outs for headers, for bodies and for reading the answer; trailers are dropped; an upgrade to anything but
WebSocket is ignored, as RFC 9110 (7.8) allows, and the body is read.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.version import version as websockets_version

from app.refused_requests import log_refused
from app.socket_protocol import LINGER, SocketProtocol

HEADER_ENCODING = ("latin-1", "strict") if websockets_version >= "17.0" else ("ascii", "surrogateescape")
"""How uvicorn turns header values of a handshake back into bytes, by the version of websockets."""


class RequestProtocol(HttpToolsProtocol):
    """One HTTP connection. Limits in bytes, times in seconds."""

    head_limit = 64 * 1024
    """Bytes of a request line and its headers together, and of trailers."""
    head_timeout = 10.0
    """From the connection, or the first byte of a later request, to the end of the headers."""
    body_timeout = 30.0
    """Without a byte of a body that is due."""
    body_deadline = 300.0
    """From the headers to the end of the body."""
    send_timeout = 30.0
    """For a client to read what is waiting for it."""

    _head_timer: asyncio.TimerHandle | None = None
    _body_timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None
    _in_head = True
    _received = 0
    """Bytes that came for the head so far, coarsely: whole reads."""
    _head_size = 0
    """Bytes of the head, or of trailers, so far: exactly."""
    _body_began = 0.0
    _upgrade_ignored = False
    _refused = False

    # -- what comes ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        while data and not self._refused:
            data = self._feed(data)

    def _feed(self, data: bytes) -> bytes:
        """Gives bytes to the parser, and back those that it has not taken."""
        self._unset_keepalive_if_required()
        if self._in_head:
            self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._should_upgrade():
                self._hand_over(rest)
                return b""
            if self.parser.get_method() == b"CONNECT":
                self._refuse(405, "this is not a proxy")
                return b""
            self._read_without_upgrade()
            return rest
        except httptools.HttpParserError as error:
            reason = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
            if isinstance(reason, _TooLarge):
                self._refuse(reason.status, f"more than {self.head_limit} bytes")
            else:
                self._refuse(400, "Invalid HTTP request received.")
            return b""
        if self._in_head and self._received > self.head_limit:  # a line that does not end
            self._refuse(431, f"more than {self.head_limit} bytes")
        return b""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_size = True, 0
        self._expect_head()

    def on_url(self, url: bytes) -> None:
        self._count(len(url), 414)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4, 431)
        if self._in_head:
            super().on_header(name, value)
        # else it is a trailer, which nobody here reads

    def _count(self, size: int, status: int) -> None:
        self._head_size += size
        if self._head_size > self.head_limit:
            raise _TooLarge(status)

    def on_headers_complete(self) -> None:
        self._head_arrived()
        self._in_head, self._received, self._head_size = False, 0, 0
        if self.parser.should_upgrade() and not self._should_upgrade():
            self._upgrade_ignored = True  # what comes next is read once more, by `_read_without_upgrade`
            return
        super().on_headers_complete()
        if self._has_body() and not self.parser.should_upgrade():
            self._body_began = self.loop.time()
            self._expect_body()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self._body_timer is not None:
            self._expect_body()

    def on_message_complete(self) -> None:
        self._body_arrived()
        if not self._upgrade_ignored:
            super().on_message_complete()

    def _has_body(self) -> bool:
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0") != b"")
            for name, value in self.headers
        )

    def _read_without_upgrade(self) -> None:
        """Begins the request again as if it had not offered to speak another protocol."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % (name, value) for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._upgrade_ignored = False
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))

    # -- handshakes ----------------------------------------------------------------------------------------------------

    def _hand_over(self, rest: bytes) -> None:
        """Makes a WebSocket of the connection, or refuses to."""
        if self._has_body():
            self._refuse(400, "a WebSocket handshake has no body")
            return
        if self.parser.get_method() != b"GET" or self.parser.get_http_version() != "1.1":
            self._refuse(400, "a WebSocket handshake is a GET of HTTP/1.1")
            return
        try:
            url = httptools.parse_url(self.url)
            path = (url.path or b"/").decode("ascii") + (f"?{url.query.decode('ascii')}" if url.query else "")
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            self._refuse(400, "the URL cannot be read")
            return
        headers = Headers()
        for name, value in self.headers:
            headers[name.decode("ascii")] = value.decode(*HEADER_ENCODING)
        self.connections.discard(self)
        self._timers_off()
        protocol = self.ws_protocol_class(  # type: ignore[call-arg, misc]
            config=self.config, server_state=self.server_state, app_state=self.app_state
        )
        assert isinstance(protocol, SocketProtocol)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.begin(Request(path, headers), rest)

    # -- refusals ------------------------------------------------------------------------------------------------------

    def _refuse(self, status: int, reason: str) -> None:
        """Answers, if nothing has been answered yet, and closes; says so in the log."""
        self._refused = True
        self._timers_off()
        origin = next((value.decode("latin-1") for name, value in self.headers or () if name == b"origin"), None)
        handshake = any(name == b"upgrade" and value.lower() == b"websocket" for name, value in self.headers or ())
        path = getattr(self, "url", b"")[:1000].decode("latin-1")
        log_refused("handshake" if handshake else "request", path, status, reason, origin)
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.is_closing():
            return
        # A request that cannot be read does not take away the answer of the one before it.
        if not answering or not (self._in_head or self.cycle.response_started):
            body = f"{HTTPStatus(status).phrase}: {reason}\n".encode("ascii", "replace")
            head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head % len(body) + body)
        # Closed at once, what the client is still sending would reset the connection, and the answer with it.
        self.flow.resume_reading()
        self.loop.call_later(LINGER, self.transport.close)

    # -- times ---------------------------------------------------------------------------------------------------------

    def _expect_head(self) -> None:
        """The headers of a request have to come whole from now on."""
        self._head_arrived()
        self._head_timer = self.loop.call_later(self.head_timeout, self.transport.close)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _expect_body(self) -> None:
        """More of a body has to come from now on."""
        if self._body_timer is not None:
            self._body_timer.cancel()
        left = self._body_began + self.body_deadline - self.loop.time()
        self._body_timer = self.loop.call_later(max(0.0, min(self.body_timeout, left)), self._body_overdue)

    def _body_overdue(self) -> None:
        if self.flow.read_paused:  # the program is slow, not the client
            self._body_began = self.loop.time()
            self._expect_body()
            return
        self._body_timer = None
        self._refuse(408, "the body did not come in time")

    def _body_arrived(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._send_timer is None:
            self._send_timer = self.loop.call_later(self.send_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._answer_read()

    def _answer_read(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _timers_off(self) -> None:
        self._head_arrived()
        self._body_arrived()
        self._answer_read()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timers_off()
        super().connection_lost(exc)


class _TooLarge(Exception):
    """More than `head_limit` bytes; `status` says what of."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

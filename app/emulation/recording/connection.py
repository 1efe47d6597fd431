"""One connection of a client: HTTP requests one after the other, or a WebSocket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import h11
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.headers import parse_subprotocol
from websockets.http11 import Request, Response
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from app.emulation.recording.relay import LARGEST_MESSAGE, Relay, Side
from app.emulation.recording.requests import Answer, Requests, refusal
from app.emulation.recording.upstream import READ_AT_ONCE, Upstream, passed_on, why_not
from app.emulation.recording.voices import Voices
from app.emulation.recording.writer import OpenTape, TapeWriter
from app.emulation.tapes import Refused

if TYPE_CHECKING:
    from websockets.typing import Subprotocol

log = logging.getLogger("app.recording")

REQUEST_TIMEOUT = 30.0
"""Seconds for the headers of a client's request, also of the next one on a connection that is kept."""

HANDSHAKE_TIMEOUT = 30.0
"""Seconds for the server's answer to a handshake."""

LARGEST_HEAD = 64 * 1024
LARGEST_REFUSAL = 64 * 1024
"""Bytes of a refusal's body that are recorded; all of it is passed on."""


class Passage:
    """What connections pass through: one for the whole recorder."""

    def __init__(self, upstream: Upstream, tapes: TapeWriter, voices: Voices | None, requests: Requests) -> None:
        self.upstream = upstream
        self.tapes = tapes
        self.voices = voices
        self.requests = requests
        self.relays: set[Relay] = set()
        self.taping: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def stop(self) -> None:
        """Closes every WebSocket, also those that are about to open."""
        self._stopping = True
        await asyncio.gather(*(relay.stop() for relay in self.relays))

    async def relay(self, relay: Relay, of_client: list[Event], of_server: list[Event]) -> None:
        """Runs a relay, until one side or the recording ends."""
        self.relays.add(relay)
        try:
            if self._stopping:
                await relay.stop()
            await relay.run(of_client, of_server)
        finally:
            self.relays.discard(relay)


class ClientConnection:
    """A client's TCP connection."""

    def __init__(self, passage: Passage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._passage = passage
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)

    async def serve(self) -> None:
        """Answers until the client or an upgrade ends it. Closes the connection."""
        try:
            while (request := await self._request()) is not None:
                if _asks_for_socket(request):
                    await self._socket(request)
                    return
                await self._forward(request)
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    return
                self._http.start_next_cycle()
        except (OSError, h11.LocalProtocolError) as error:
            log.debug("a client's connection broke off: %s", error)
        finally:
            self._writer.close()

    async def _request(self) -> h11.Request | None:
        """The next request; None if there is none."""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                event = await self._event()
        except TimeoutError:
            return None
        except h11.RemoteProtocolError as error:
            await self._send(refusal(error.error_status_hint, str(error)))
            return None
        return event if isinstance(event, h11.Request) else None

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                go_on = self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
                self._writer.write(go_on or b"")
            self._http.receive_data(await self._reader.read(READ_AT_ONCE))
        return event  # type: ignore[return-value]  # NEED_DATA is gone

    async def _forward(self, request: h11.Request) -> None:
        if not request.target.startswith(b"/") or request.method == b"CONNECT":
            await self._send(refusal(400, "expected a path of the server that is recorded"))
            return
        async with aclosing(self._passage.requests.answer(request, self._body())) as events:
            async for event in events:
                await self._send([event])

    async def _body(self) -> AsyncGenerator[bytes, None]:
        """The body of the request. Raises OSError if it is none."""
        try:
            while isinstance(event := await self._event(), h11.Data):
                yield bytes(event.data)
        except h11.RemoteProtocolError as error:
            raise ConnectionError(str(error)) from error

    async def _send(self, events: list[Answer]) -> None:
        for event in events:
            self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()

    async def _socket(self, request: h11.Request) -> None:
        """A WebSocket: the server is asked first, and what it answers the client gets."""
        passage = self._passage
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw_items()]
        asked = request.target.decode("latin-1")
        ours = ServerProtocol(state=State.OPEN, max_size=LARGEST_MESSAGE, logger=_quiet())
        try:
            answer = ours.accept(Request(asked, Headers(headers)))
        except InvalidHandshake as error:  # a value that no header can have
            await self._send(refusal(400, str(error)))
            return
        if answer.status_code != 101:
            self._writer.write(answer.serialize())
            await self._writer.drain()
            return
        try:
            handshake = await Handshake.of(passage.upstream, asked, headers)
        except (OSError, InvalidHandshake) as error:
            why = why_not(error, passage.upstream)
            log.warning("a connection could not be made: %s", why)
            await self._send(refusal(504 if isinstance(error, TimeoutError) else 502, why))
            return
        try:
            tape = await handshake.tape(passage.tapes, asked, headers)
        except OSError as error:
            why = f"the tape cannot be written: {error.strerror or error}"
            log.error("a connection was refused: %s", why)
            await self._send(refusal(500, why))
            handshake.writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        passage.taping.add(task)  # from now on it ends by itself: the tape has to be written
        try:
            await self._tape(answer, ours, handshake, tape)
        finally:
            handshake.writer.close()
            await tape.close()
            passage.taping.discard(task)
            log.info("%s: %s", tape.name, tape.summary)

    async def _tape(self, answer: Response, ours: ServerProtocol, handshake: Handshake, tape: OpenTape) -> None:
        """Passes the server's answer on, and what follows, if it was not a refusal."""
        if handshake.answer.status_code != 101:
            log.info("%s: refused with %d", tape.name, handshake.answer.status_code)
            self._writer.write(_refusal_to(handshake.answer).serialize())
            await self._writer.drain()
            return
        self._writer.write(handshake.accepting(answer).serialize())
        ours.receive_data(self._http.trailing_data[0])
        await self._relay(ours, handshake, tape)

    async def _relay(self, ours: ServerProtocol, handshake: Handshake, tape: OpenTape) -> None:
        passage = self._passage
        voices = passage.voices.of(tape) if passage.voices else None
        relay = Relay(
            Side("client", ours, self._reader, self._writer),
            Side("server", handshake.protocol, handshake.reader, handshake.writer),
            tape,
            voices.hear if voices else None,
        )
        log.info("%s: connected to %s", tape.name, handshake.shown)
        try:
            await passage.relay(relay, ours.events_received(), handshake.early)
        except TimeoutError:
            log.warning("%s: a connection does not close", tape.name)
        if voices:
            await voices.finish()


class Handshake:
    """A WebSocket to the server: as the client's was asked for, and what came back."""

    def __init__(
        self,
        url: str,
        protocol: ClientProtocol,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Response,
        early: list[Event],
    ) -> None:
        self.url = url
        self.protocol = protocol
        self.reader = reader
        self.writer = writer
        self.answer = answer
        self.early = early

    @classmethod
    async def of(cls, upstream: Upstream, asked: str, headers: list[tuple[str, str]]) -> Handshake:
        """Asks the server. Raises OSError, TimeoutError or InvalidHandshake if there is no valid answer."""
        offered: list[Subprotocol] = []
        for name, value in headers:
            if name.lower() == "sec-websocket-protocol":
                offered += parse_subprotocol(value)
        protocol = ClientProtocol(
            upstream.uri(asked), subprotocols=offered or None, max_size=LARGEST_MESSAGE, logger=_quiet()
        )
        request = protocol.connect()
        for name, value in passed_on(headers, without=("host", "content-length")):
            request.headers[name] = value
        reader, writer = await upstream.open()
        try:
            protocol.send_request(request)
            writer.writelines(protocol.data_to_send())
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                events = await _answer(protocol, reader)
        except BaseException:
            writer.close()
            raise
        answer, *early = events
        assert isinstance(answer, Response)
        return cls(upstream.url(asked), protocol, reader, writer, answer, early)

    @property
    def shown(self) -> str:
        """The server's address for the log."""
        return self.url.partition("?")[0]

    def accepting(self, answer: Response) -> Response:
        """`answer` to the client with what the server said beside the handshake itself."""
        if self.protocol.subprotocol is not None:
            answer.headers["Sec-WebSocket-Protocol"] = self.protocol.subprotocol
        for name, value in passed_on(self.answer.headers.raw_items(), without=("date",)):
            answer.headers[name] = value
        return answer

    async def tape(self, tapes: TapeWriter, asked: str, headers: list[tuple[str, str]]) -> OpenTape:
        """A tape with this handshake in its header. Raises OSError."""
        answer = self.answer
        refused = None
        if answer.status_code != 101:
            body = bytes(answer.body[:LARGEST_REFUSAL]).decode("utf-8", "replace")
            refused = Refused(answer.status_code, body, ", ".join(answer.headers.get_all("Content-Type")))
        shown = {"request": passed_on(headers), "response": passed_on(answer.headers.raw_items())}
        return await tapes.begin(
            url=self.url, path=asked, subprotocol=self.protocol.subprotocol, refused=refused, headers=shown
        )


async def _answer(protocol: ClientProtocol, reader: asyncio.StreamReader) -> list[Event]:
    """The server's answer, refusals included, and what came with it."""
    while True:
        data = await reader.read(READ_AT_ONCE)
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        if events := protocol.events_received():
            status = events[0].status_code if isinstance(events[0], Response) else 0
            if status == 101 and protocol.handshake_exc is not None:
                raise protocol.handshake_exc
            return events
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc


def _refusal_to(answer: Response) -> Response:
    """The server's refusal, as the client gets it: the connection ends with it."""
    headers = Headers(passed_on(answer.headers.raw_items(), without=("content-length",)))
    headers["Content-Length"] = str(len(answer.body))
    headers["Connection"] = "close"
    return Response(answer.status_code, answer.reason_phrase, headers, answer.body)


def _quiet() -> logging.Logger:
    """For the protocols: their debug log shows whole frames, and keys with them."""
    quiet = logging.getLogger("app.recording.protocol")
    quiet.setLevel(logging.WARNING)
    return quiet


def _asks_for_socket(request: h11.Request) -> bool:
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in request.headers)

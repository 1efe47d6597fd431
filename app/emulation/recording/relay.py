"""One WebSocket connection, client to server and back, frame by frame.

Frames go on as they come, fragments included; nothing is changed, held back or put together on the way. A side is only
read while the other one takes what it gets. What was said is recorded after it has gone on. Pings are answered here and
go on too, so that time-outs for want of traffic see them.

    how one side ends                            what the other one gets
    a close frame                                the same code and reason
    the connection is lost                       its connection is lost, without a close frame
    a frame that breaks the protocol             close 1002 (1009 above `LARGEST_MESSAGE`), as the sender does
    the recording ends                           both: close 1001
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

from websockets.frames import Frame, Opcode
from websockets.protocol import Event, Protocol, State

from app.emulation.recording.upstream import READ_AT_ONCE
from app.emulation.recording.writer import OpenTape
from app.emulation.tapes import ABNORMAL, NO_STATUS, Closer, Direction

log = logging.getLogger("app.recording")

LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of a message that goes through: one has to be held whole to be recorded."""

CLOSING = 5.0
"""Seconds for a closing handshake."""

STALLED = 600.0
"""Seconds that a side may leave what it is sent unread: long enough for a breakpoint."""

GOING_AWAY = 1001
STOPPED = "the recording has ended"

Heard = Callable[[str], None]
"""Is told every text message of the server."""


class Side:
    """One of the two ends: its protocol and its socket."""

    def __init__(
        self, name: Direction, protocol: Protocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.name = name
        self.protocol = protocol
        self._reader = reader
        self._writer = writer

    async def receive(self) -> tuple[list[Event], bool]:
        """What has come, and whether that was the end of it."""
        try:
            data = await self._reader.read(READ_AT_ONCE)
        except OSError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        return self.protocol.events_received(), not data

    @property
    def broken(self) -> bool:
        """Whether it sent something that is no WebSocket."""
        error = self.protocol.parser_exc
        return error is not None and not isinstance(error, EOFError)

    async def flush(self) -> bool:
        """Sends what the protocol has to send; waits while the other end does not take it. False if it is gone."""
        try:
            for data in self.protocol.data_to_send():
                if data:
                    self._writer.write(data)
                elif self._writer.can_write_eof() and not self._writer.is_closing():
                    self._writer.write_eof()
            if self._writer.is_closing():
                return False
            if self._writer.transport.get_write_buffer_size():
                async with asyncio.timeout(STALLED):
                    await self._writer.drain()
        except OSError:  # TimeoutError is one
            self._writer.transport.abort()
            return False
        return True

    def close(self, code: int, reason: str) -> None:
        """Begins the closing handshake, unless it has begun."""
        if self.protocol.state is State.OPEN:
            if code == NO_STATUS:
                self.protocol.send_close()
            else:
                self.protocol.send_close(code, reason)

    def drop(self) -> None:
        """Closes the connection once what was written is sent; no close frame."""
        self._writer.close()

    async def dropped(self) -> None:
        """Waits until the connection is closed."""
        with contextlib.suppress(OSError):  # that it was lost is no news
            await self._writer.wait_closed()


class Relay:
    """Runs one connection until it has ended on both sides."""

    def __init__(self, client: Side, server: Side, tape: OpenTape, heard: Heard | None = None) -> None:
        self._client = client
        self._server = server
        self._tape = tape
        self._heard = heard
        self._ending = asyncio.Event()
        self._parts: dict[Direction, list[bytes]] = {"client": [], "server": []}
        self._texts: dict[Direction, bool] = {}

    async def run(self, of_client: Iterable[Event] = (), of_server: Iterable[Event] = ()) -> None:
        """Passes everything on, first what came together with the handshakes."""
        await self._pass_on(of_client, self._client, self._server)
        await self._pass_on(of_server, self._server, self._client)
        pumps = {
            asyncio.create_task(self._pump(self._client, self._server)),
            asyncio.create_task(self._pump(self._server, self._client)),
        }
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait({*pumps, ending}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(pumps, timeout=CLOSING)
        finally:
            for task in (*pumps, ending):
                task.cancel()
            self._client.drop()
            self._server.drop()
            results = await asyncio.gather(*pumps, return_exceptions=True)
            self._note(ABNORMAL, "", "recorder")
        for result in results:
            if isinstance(result, Exception):
                raise result
        async with asyncio.timeout(STALLED):
            await self._client.dropped()
            await self._server.dropped()

    async def stop(self) -> None:
        """Closes both sides because the recording ends; `run` comes back soon after."""
        self._note(GOING_AWAY, STOPPED, "recorder")
        for side in (self._client, self._server):
            side.close(GOING_AWAY, STOPPED)
            await side.flush()

    async def _pump(self, source: Side, sink: Side) -> None:
        """One direction, until its source has nothing more to say."""
        over = False
        while not over:
            events, over = await source.receive()
            if not await self._pass_on(events, source, sink):
                return
        if not self._ending.is_set():
            self._note(ABNORMAL, "", source.name)
            sink.drop()

    async def _pass_on(self, events: Iterable[Event], source: Side, sink: Side) -> bool:
        """Sends on what came, then records what was said. False if there is nobody to send it to."""
        said = [whole for event in events if (whole := self._take(event, source, sink)) is not None]
        if source.broken and (closed := source.protocol.close_sent) is not None:
            self._note(int(closed.code), closed.reason, source.name)
            sink.close(int(closed.code), closed.reason)
        there = await sink.flush()
        await source.flush()
        for message, is_text in said:
            await self._record(source.name, message, is_text=is_text)
        if not there:
            self._note(ABNORMAL, "", sink.name)
        return there

    def _take(self, event: Event, source: Side, sink: Side) -> tuple[bytes, bool] | None:
        """Hands a frame to the other side; the message that is whole with it, and whether it is text."""
        if not isinstance(event, Frame):
            return None
        if event.opcode is Opcode.CLOSE:
            closed = source.protocol.close_rcvd
            code, reason = (int(closed.code), closed.reason) if closed else (NO_STATUS, "")
            self._note(code, reason, source.name)
            sink.close(code, reason)
            return None
        if sink.protocol.state is not State.OPEN or event.opcode is Opcode.PONG:
            return None
        if event.opcode is Opcode.PING:
            sink.protocol.send_ping(event.data)
            return None
        return self._message(event, source, sink)

    def _message(self, frame: Frame, source: Side, sink: Side) -> tuple[bytes, bool] | None:
        if frame.opcode is Opcode.TEXT:
            sink.protocol.send_text(frame.data, frame.fin)
        elif frame.opcode is Opcode.BINARY:
            sink.protocol.send_binary(frame.data, frame.fin)
        else:
            sink.protocol.send_continuation(frame.data, frame.fin)
        if frame.opcode is not Opcode.CONT:
            self._texts[source.name] = frame.opcode is Opcode.TEXT
        parts = self._parts[source.name]
        parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        whole = b"".join(parts)
        parts.clear()
        return whole, self._texts[source.name]

    async def _record(self, direction: Direction, whole: bytes, *, is_text: bool) -> None:
        said: str | bytes = whole
        if is_text:
            try:
                said = whole.decode()
            except UnicodeDecodeError:
                log.warning("%s: a text of the %s is not UTF-8: it is on the tape as data", self._tape.name, direction)
        if isinstance(said, str) and direction == "server" and self._heard is not None:
            self._heard(said)
        await self._tape.message(direction, said)

    def _note(self, code: int, reason: str, by: Closer) -> None:
        """Records how the connection ended; what ends it first counts."""
        if not self._ending.is_set():
            self._ending.set()
            self._tape.ended(code, reason, by)

"""One WebSocket to a chldo server, asked turn after turn."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException
from websockets.protocol import State

from app.chat.address import Address, Asker
from app.chat.answer import Answer, Event, Spoken, Told
from app.chat.outcome import Exit, Outcome
from app.chat.voices import VoiceShelf

FLAT_PAUSE: Final = 1.0
"""Seconds without a frame that end a turn of revision 2023-12-28, which has no end mark."""
CONNECT_TIMEOUT: Final = 10.0
START_HINT = "is the server running? `chldo-emulator serve` starts one here"


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame: as it came, and what it says. Voices are named by then, and on their way to the shelf."""

    raw: str
    events: list[Event]


class Conversation:
    """Asks and hears. One turn at a time: `ask`, then `hear` until it gives an `Outcome`.

    `timeout`: seconds the server may send nothing within a turn. A socket that the server closed between two turns (the
    real one does so after 10 minutes) is opened again by the next `ask`.
    """

    def __init__(self, address: Address, asker: Asker, *, timeout: float, voices: VoiceShelf | None = None) -> None:
        self._address = address
        self._asker = asker
        self._timeout = timeout
        self._voices = voices
        self._socket: ClientConnection | None = None
        self._answer = Answer()

    async def connect(self) -> Outcome | None:
        """Opens the socket; why not, if it cannot."""
        try:
            self._socket = await connect(
                self._address.joined(self._asker.room_uid, self._asker.user),
                compression=None,
                proxy=None if self._address.local else True,
                open_timeout=CONNECT_TIMEOUT,
                close_timeout=1,
                ping_timeout=None,
            )
        except (OSError, WebSocketException, UnicodeError) as error:
            return Outcome(Exit.LOST, f"cannot connect to {self._address}: {why_not_open(error)}")
        return None

    async def ask(self, request: str) -> Outcome | None:
        """Begins a turn with what the asker makes; why not, if it cannot."""
        self._answer = Answer()
        if self._socket is None or self._socket.state is not State.OPEN:
            if failure := await self.connect():
                return failure
            assert self._socket is not None
        try:
            async with asyncio.timeout(self._timeout):
                await self._socket.send(request)
        except TimeoutError:
            return Outcome(Exit.SILENT, f"the server took no message for {self._timeout:g} s")
        except ConnectionClosed as closed:
            return Outcome(Exit.LOST, _why_closed(closed))
        return None

    async def hear(self) -> Heard | Outcome:
        """The next frame of the turn, or how the turn came out."""
        answer = self._answer
        if answer.over:
            return Outcome(Exit.REFUSED if answer.failed else Exit.OK)
        assert self._socket is not None
        try:
            async with asyncio.timeout(FLAT_PAUSE if answer.flat else self._timeout):
                raw = await self._socket.recv()
        except TimeoutError:
            if answer.flat:
                return Outcome(Exit.REFUSED if answer.failed else Exit.OK)
            return Outcome(
                Exit.SILENT, f"no frame from the server for {self._timeout:g} s; --timeout lets it take longer"
            )
        except ConnectionClosed as closed:
            return Outcome(Exit.LOST, _why_closed(closed))
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
        return Heard(text, [await self._shelve(event) for event in answer.read(text)])

    async def _shelve(self, event: Event) -> Event:
        if not isinstance(event, Spoken):
            return event
        length = "" if event.seconds is None else f"{event.seconds:g} s"
        place = str(await self._voices.take(event)) if self._voices else ""
        return Told("voice_ready", "  ".join(filter(None, (length, place))))

    async def settle(self) -> list[str]:
        """Waits for the turn's voices; a line for each that could not be saved."""
        return await self._voices.settle() if self._voices else []

    async def close(self) -> None:
        """Leaves no task and no socket behind, within about a second."""
        if self._voices:
            await self._voices.close()
        if self._socket:
            await self._socket.close()


def why_not_open(error: Exception) -> str:
    """Why a socket could not be opened, in a few words for people."""
    match error:
        case TimeoutError():
            return "it does not answer"
        case ssl.SSLError():
            return f"TLS failed ({error.reason or error}); a server without TLS wants ws://"
        case socket.gaierror():
            return f"{error.strerror}; is the host's name right?"
        case OSError() if error.errno:
            return f"{os.strerror(error.errno)}; {START_HINT}"
        case OSError():
            refused = f"[Errno {errno.ECONNREFUSED}]" in str(error)
            return f"{os.strerror(errno.ECONNREFUSED) if refused else error}; {START_HINT}"
        case InvalidStatus():
            said = _message(error.response.body)
            return f"HTTP {error.response.status_code}{said or '; is the path right? It ends in /v3/'}"
        case InvalidMessage():
            return "what answers there is no WebSocket server; is the port right, and is it ws:// or wss://?"
        case _:
            return str(error) or type(error).__name__


def _message(body: bytes | bytearray | None) -> str:
    """What a refusal over HTTP says for itself, if it is JSON with a `message`."""
    try:
        said = json.loads(body or b"")["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({said})"


def _why_closed(closed: ConnectionClosed) -> str:
    if closed.sent and not closed.rcvd_then_sent:
        return f"the connection was given up in mid-turn: {closed.sent.reason or closed.sent.code}"
    if closed.rcvd is None:
        return "the connection broke in mid-turn; is the server still running?"
    code = f"{closed.rcvd.code} {closed.rcvd.reason}".strip()
    if closed.rcvd.code == 1009:
        return f"the server closed the connection: the message is too large for it ({code})"
    return f"the server closed the connection in mid-turn ({code}); send the message again"

"""Tapes made by hand, and a client that talks to a tape server without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.emulation.determinism import Ids, VirtualClock
from app.emulation.lines import LIMIT
from app.emulation.replay.library import TapeLibrary, Wire
from app.emulation.replay.server import TapeServer
from app.emulation.tapes import Tape, TapeFrame
from tests.live import PATIENCE

Json = dict[str, Any]
Said = Json | str | bytes

STARTED = 1_700_000_000.0


def tape(
    *said: tuple[str, float, Said], name: str = "t", url: str = "ws://h/v3/?room_uid=ROOM0001", **more: Any
) -> Tape:
    """A tape of `(">" or "<", seconds, message)`: > from the client, < from the server."""
    frames = []
    for number, (arrow, at, message) in enumerate(said):
        direction: Any = "client" if arrow == ">" else "server"
        text = json.dumps(message, ensure_ascii=False) if isinstance(message, dict) else message
        if isinstance(text, bytes):
            frames.append(TapeFrame(direction, at, data=text, line=number + 2))
        else:
            frames.append(TapeFrame(direction, at, text=text, line=number + 2))
    more.setdefault("started", STARTED)
    return Tape(name, url, tuple(frames), **more)


def server_of(tapes: Sequence[Tape], *, wire: Wire | None = None, speed: float = 0.0, **more: Any) -> TapeServer:
    """A tape server on a virtual clock, with seeded ids."""
    more.setdefault("clock", VirtualClock(start=1_800_000_000.0))
    more.setdefault("ids", Ids.seeded(1))
    return TapeServer(TapeLibrary(tapes, wire or Wire()), speed=speed, **more)


class Client:
    """One connection: what it was sent, and when by the server's clock."""

    def __init__(self, server: TapeServer, path: str, subprotocols: Sequence[str]) -> None:
        self._server = server
        self._incoming: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self._arrived = asyncio.Event()
        self.messages: list[MutableMapping[str, Any]] = []
        self.times: list[float] = []
        self._read = 0
        name, _, query = path.partition("?")
        self._scope: MutableMapping[str, Any] = {
            "type": "websocket",
            "path": name,
            "raw_path": name.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"here:1234")],
            "scheme": "ws",
            "subprotocols": list(subprotocols),
        }
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._server(self._scope, self._incoming.get, self._send)
        finally:
            self._arrived.set()

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.messages.append(message)
        self.times.append(self._server.clock.monotonic())
        self._arrived.set()
        if message["type"] == "websocket.close":
            self.leave()

    def send(self, message: Said) -> None:
        if isinstance(message, bytes):
            self._incoming.put_nowait({"type": "websocket.receive", "bytes": message})
        else:
            text = json.dumps(message) if isinstance(message, dict) else message
            self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def receive(self) -> MutableMapping[str, Any]:
        """The next ASGI message of the server."""
        async with asyncio.timeout(PATIENCE):
            while self._read >= len(self.messages):
                assert not self.task.done(), "the server is done with this connection"
                self._arrived.clear()
                await self._arrived.wait()
        self._read += 1
        return self.messages[self._read - 1]

    async def json(self) -> Json:
        """The next message of the wire."""
        message = await self.receive()
        assert message["type"] == "websocket.send", message
        found = json.loads(message["text"])
        assert isinstance(found, dict)
        return found

    async def ask(self, message: Said, count: int = 1) -> list[Json]:
        """Sends, and gives the next `count` messages."""
        self.send(message)
        return [await self.json() for _ in range(count)]


@asynccontextmanager
async def talking(
    server: TapeServer, path: str = "/v3/?room_uid=ROOM0002", subprotocols: Sequence[str] = ()
) -> AsyncIterator[Client]:
    """A connection that is accepted."""
    client = Client(server, path, subprotocols)
    accepted = await client.receive()
    if accepted["type"] == LIMIT:
        accepted = await client.receive()
    assert accepted["type"] == "websocket.accept", accepted
    try:
        yield client
    finally:
        client.leave()
        await asyncio.wait_for(client.task, PATIENCE)

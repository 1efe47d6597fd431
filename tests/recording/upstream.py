"""A WebSocket server to be recorded, whose paths say what it does; and a recorder in front of it."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from app.emulation.determinism import RealClock
from app.emulation.recording.recorder import Recorded, Recorder
from app.emulation.recording.upstream import upstream_of
from app.emulation.tapes import Tape, read_tape
from app.serving import listen
from tests.live import PATIENCE

CHUNK = "가" * 1024
"""A message of `/flood`: 3 KB in UTF-8."""


async def _behave(socket: ServerConnection) -> None:
    assert socket.request is not None
    path = socket.request.path.partition("?")[0]
    _, what, *more = path.split("/")
    match what:
        case "echo":
            async for message in socket:
                await socket.send(message)
        case "fragments":
            sizes = [len(part) async for part in socket.recv_streaming(decode=False)]
            await socket.send(json.dumps(sizes))
            await socket.send(["one", "two", "three"])
        case "close":
            await socket.close(int(more[0]), unquote(more[1]) if more[1:] else "")
        case "no-code":
            socket.protocol.send_close()
            socket.transport.writelines(socket.protocol.data_to_send())
            await socket.wait_closed()
        case "die":
            await socket.send("before")
            socket.transport.abort()
        case "garbage":
            socket.transport.write(b"\xf3\x01x")
            await socket.wait_closed()
        case "broken-text":
            socket.transport.write(b"\x81\x03\xff\xfe!")
            await socket.recv()
        case "headers":
            await socket.send(json.dumps(list(socket.request.headers.raw_items())))
            await socket.send(json.dumps(socket.request.path))
        case "flood":
            for _ in range(int(more[0])):
                await socket.send(CHUNK)
        case "hear":
            async for _ in socket:
                pass
        case "pings":
            waiter = await socket.ping(b"are you there?")
            await waiter
            await socket.send("pong came")
            await socket.recv()


def _process(connection: ServerConnection, request: Request) -> Response | None:
    path = request.path.partition("?")[0]
    if path == "/refuse":
        body = json.dumps({"message": "not with this key", "api_key": "d4a3653a4ba72d6e04a293"}).encode()
        headers = Headers({"Content-Type": "application/json", "X-Why": "because", "Content-Length": str(len(body))})
        return Response(403, "Forbidden", headers, body)
    if path == "/redirect":
        return Response(302, "Found", Headers({"Location": "https://elsewhere.example/", "Content-Length": "0"}), b"")
    return None


def _add_headers(connection: ServerConnection, request: Request, response: Response) -> None:
    response.headers["Set-Cookie"] = "session=cookie-of-the-server; Path=/"


class UpstreamServer:
    """The server, in a thread of its own."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="upstream")
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://{'localhost' if self._tls else '127.0.0.1'}:{self.port}"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(PATIENCE)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        options: dict[str, Any] = {"ssl": self._tls} if self._tls else {}
        async with serve(
            _behave,
            "127.0.0.1",
            0,
            compression=None,
            max_size=None,
            select_subprotocol=lambda _, offered: _selected(offered),
            process_request=_process,
            process_response=_add_headers,
            **options,
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._stopped.wait()


def _selected(offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """`chat.v1`, or the token that a browser's client offers in place of a header, as some servers want it."""
    return next((name for name in offered if name == "chat.v1" or name.startswith("eyJ")), None)


@contextmanager
def upstream_server(tls: ssl.SSLContext | None = None) -> Iterator[UpstreamServer]:
    server = UpstreamServer(tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Recording:
    """A recorder under test; `tapes` are those that are whole once it has stopped."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.done: Recorded | None = None

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tapes(self) -> list[Tape]:
        return [read_tape(file) for file in sorted(self.folder.glob("*.jsonl"))]

    @property
    def tape(self) -> Tape:
        (tape,) = self.tapes
        return tape

    @property
    def written(self) -> str:
        """All that stands on the tapes."""
        return "".join(file.read_text(encoding="utf-8") for file in sorted(self.folder.glob("*.jsonl")))


@asynccontextmanager
async def recording(upstream: str, folder: Path, **options: Any) -> AsyncIterator[Recording]:
    """A recorder in front of `upstream`, until the end of the block."""
    of_upstream = {name: options.pop(name) for name in ("ca", "insecure") if name in options}
    recorder = Recorder(upstream_of(upstream, **of_upstream), folder, clock=RealClock(), **options)
    listener = listen("127.0.0.1", 0)
    running = asyncio.create_task(recorder.run(listener))
    made = Recording(folder, listener.getsockname()[1])
    try:
        yield made
    finally:
        recorder.stop()
        made.done = await asyncio.wait_for(running, PATIENCE)
        listener.close()

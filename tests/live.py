"""A real server on a free port for tests, and a client that talks to it over a real socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import uvloop
from starlette.types import ASGIApp
from websockets.asyncio.client import ClientConnection, connect

from app.engine import Engine
from app.main import Program, create_app
from app.serving import listen, server_of
from app.settings import Settings, load_settings

DEMO_KEY = "d4a3653a4ba72d6e04a293"
PATIENCE = 30.0

Json = dict[str, Any]
T = TypeVar("T")


class LiveServer:
    """The program with the given settings, in a thread of its own, from `with` to the end of `with`."""

    def __init__(self, data: Path, *, wrap: Callable[[ASGIApp], ASGIApp] | None = None, **settings: Any) -> None:
        """`wrap`: puts something around the application."""
        settings.setdefault("voice", {"workers": 1})
        self.settings: Settings = load_settings(data=data, port=0, **settings)
        self.problems: list[str] = []
        self._wrap = wrap or (lambda app: app)
        self._thread = threading.Thread(target=self._run, name="live-server")
        self._listening = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(PATIENCE)
        deadline = httpx.Client(timeout=PATIENCE)
        with deadline as client:
            for _ in range(3000):
                if self.problems:
                    raise RuntimeError(self.problems[0])
                if client.get(f"{self.http}/_emulator/health/ready").status_code == 200:
                    break
                threading.Event().wait(0.01)
            else:
                raise RuntimeError("the server did not become ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the server as a signal would."""
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the server did not stop"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def program(self) -> Program:
        program = self.app.state.program
        assert isinstance(program, Program)
        return program

    @property
    def engine(self) -> Engine:
        """What turns run on, for looking into the store."""
        opened = self.program.opened
        assert opened is not None
        return opened

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the server's own loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    async def advance(self, seconds: float) -> None:
        """Moves the emulated clock, and returns when what fell due has happened."""

        async def advance() -> None:
            await self.program.stage.world.clock.advance(seconds)

        await self.run(advance())

    def _run(self) -> None:
        def fatal(text: str) -> None:
            self.problems.append(text)
            self._server.should_exit = True

        self.app = create_app(self.settings, fatal=fatal)
        listener = listen("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        self._server = server_of(self._wrap(self.app), self.settings)
        self._listening.set()
        self.loop = uvloop.new_event_loop()
        try:
            self.loop.run_until_complete(self._server.serve(sockets=[listener]))
        finally:
            self.loop.close()
            listener.close()


class Peer:
    """A client on one socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, message: Json | str | bytes) -> None:
        text = json.dumps(message, ensure_ascii=False) if isinstance(message, dict) else message
        await self.socket.send(text)

    async def receive(self) -> Json:
        """The next frame; keys keep their order."""
        async with asyncio.timeout(PATIENCE):
            frame = json.loads(await self.socket.recv())
        assert isinstance(frame, dict)
        return frame

    async def ask(self, message: Json | str | bytes) -> Json:
        """Sends, and gives the one frame that answers."""
        await self.send(message)
        return await self.receive()

    async def turn(self, message: Json) -> list[Json]:
        """Sends, and gives all frames up to the end of the turn (END, R1's root on_chain_end, or a refusal)."""
        await self.send(message)
        frames: list[Json] = []
        while True:
            frames.append(await self.receive())
            if ends_turn(frames):
                return frames


def ends_turn(frames: list[Json]) -> bool:
    """Whether the last of `frames` is the last of its turn."""
    frame = frames[-1]
    if frame.get("status") == "END":
        return True
    if frame.get("msgtype") == "error":
        return not any(seen.get("status") == "START" for seen in frames)
    wrapped = frames[0].get("status") == "START"
    return frame.get("event") == "on_chain_end" and frame["parent_ids"] == [] and not wrapped


@asynccontextmanager
async def talk(
    server: LiveServer, path: str = "/v3/", *, room_uid: str = "51VPKp3F0yPX", **query: str
) -> AsyncIterator[Peer]:
    """A socket to the server."""
    asked = "&".join(f"{key}={value}" for key, value in {"room_uid": room_uid, "user_uid": "u1", **query}.items())
    async with connect(f"{server.ws}{path}?{asked}", compression=None, max_size=None) as socket:
        yield Peer(socket)


def sendmsg(msg: str | None = "안녕 반가워요", **fields: Any) -> Json:
    """A documented sendmsg request."""
    request: Json = {"action": "sendmsg", "room_uid": "51VPKp3F0yPX", "user_id": "s8dfkjsdf", "api_key": DEMO_KEY}
    if msg is not None:
        request["msg"] = msg
    return {**request, **fields}


def write_fixtures(
    folder: Path, *, replies: list[Json], space: Json | None = None, spaces: list[Json] | None = None
) -> Path:
    """A fixtures folder with one space (the demo key's) and the given replies."""
    (folder / "replies").mkdir(parents=True)
    first = {
        "uid": "test",
        "name": "Test",
        "org_id": "org_test",
        "api_keys": [DEMO_KEY],
        "credit": 1000,
        "default": True,
    }
    document = {"spaces": [{**first, "sentence_mode": True, **(space or {})}, *(spaces or [])]}
    (folder / "spaces.yaml").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    script = {"replies": replies, "default": {"reply": "네, 알겠습니다."}}
    (folder / "replies" / "test.yaml").write_text(json.dumps(script, ensure_ascii=False), encoding="utf-8")
    return folder

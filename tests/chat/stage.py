"""A real WebSocket server for one test, and the ways to run `chldo-emulator chat` against it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from typer.testing import CliRunner
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from app.cli import cli

KEY = "d4a3653a4ba72d6e04a293"
ROOM = "Room00000001"
ROOT = Path(__file__).parents[2]
TRANSCRIPTS = ROOT / "fixtures/transcripts/chldo"
R6_TEXT = (
    "안녕하세요, 김철수님! 반갑습니다 울산 남구에서의 특별한 기억이 있으신가요? 기억을 그림으로 담아드리려고 합니다"
)
START = {"status": "START", "connection_id": "c", "stream_uid": "s", "msg": "<SOM>", "msgtype": "info"}
END = {**START, "status": "END", "msg": "<EOM>"}

Frame = dict[str, Any]
Play = Callable[[ServerConnection, Frame], Awaitable[None]]


def transcript(name: str) -> list[Frame]:
    return [json.loads(line) for line in (TRANSCRIPTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def token(text: str) -> Frame:
    chunk = {"chunk": {"content": text}}
    return {
        **START,
        "status": "stream",
        "event": "on_chat_model_stream",
        "data": chunk,
        "msg": text,
        "msgtype": "stream",
    }


def error(text: str) -> Frame:
    return {"status": "connected", "connection_id": "c", "msg": text, "msgtype": "error"}


class Stage:
    """A chldo server of one test: plays what it is given, remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Frame] = []
        self.targets: list[str] = []
        self.fetched: list[str] = []
        self.pages: dict[str, bytes] = {"/v3/room/uid/": json.dumps({"room_uid": ROOM}).encode()}
        self.close_codes: list[int | None] = []
        self.closed = asyncio.Event()
        self.on_fetch: Callable[[str], None] = self.fetched.append
        self.play: Play = self.plays([START, END])
        self.port = 0

    def url(self, path: str = "/v3/") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def plays(self, frames: Sequence[Frame | str]) -> Play:
        async def play(socket: ServerConnection, _: Frame) -> None:
            for frame in frames:
                await socket.send(frame if isinstance(frame, str) else self.wire(frame))

        return play

    def wire(self, frame: Frame) -> str:
        text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
        return text.replace("https://voice.chldo.com", f"http://127.0.0.1:{self.port}")

    async def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        assert "Sec-WebSocket-Extensions" not in socket.request.headers
        self.targets.append(socket.request.path)
        with suppress(ConnectionClosed):
            async for message in socket:
                self.requests.append(json.loads(message))
                await self.play(socket, self.requests[-1])
        await socket.wait_closed()
        self.close_codes.append(socket.close_code)
        self.closed.set()

    async def page(self, _: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        path = urlsplit(request.path).path
        self.on_fetch(path)
        body = self.pages.get(path)
        status = HTTPStatus.OK if body is not None else HTTPStatus.NOT_FOUND
        headers = Headers({"Content-Length": str(len(body or b"")), "Connection": "close"})
        return Response(status.value, status.phrase, headers, body or b"")


class Ran:
    """What a run of the command left: exit code, standard output, standard error. The key is in neither."""

    def __init__(self, code: int | None, out: str, err: str) -> None:
        assert KEY not in out + err
        assert "Traceback" not in out + err
        self.code, self.out, self.err = code, out, err


async def chat(url: str, *args: str, stdin: str = "", key: str | None = KEY) -> Ran:
    """In this process, in a thread of its own."""
    command = ["chat", url, *(("--api-key", key) if key else ()), *args]
    result = await asyncio.to_thread(CliRunner().invoke, cli, command, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def begin(url: str, *args: str, **pipes: Any) -> asyncio.subprocess.Process:
    """As a program of its own, the key in its environment."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE) | pipes
    environment = {**os.environ, "CHLDO_API_KEY": KEY, "PYTHONIOENCODING": "utf-8"}
    command = (sys.executable, "-W", "always", "-m", "app.cli", "chat", url, *args)
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, **pipes)


async def finish(process: asyncio.subprocess.Process, stdin: str = "") -> Ran:
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
    return Ran(process.returncode, (out or b"").decode(), (err or b"").decode())


class Terminal:
    """The command with a terminal for everything; `lines`: what has been on it, once it has ended."""

    def __init__(self, url: str, *args: str) -> None:
        self._command = (url, *args)
        self._shown = ""

    async def __aenter__(self) -> Self:
        self._master, slave = pty.openpty()
        self._process = await begin(*self._command, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self._screen = asyncio.StreamReader()
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._screen), os.fdopen(os.dup(self._master), "rb", 0)
        )
        return self

    async def type(self, keys: str) -> None:
        """Waits for the prompt, then types."""
        self._shown += (await asyncio.wait_for(self._screen.readuntil(b"> "), 30)).decode()
        os.write(self._master, keys.encode())

    async def ended(self) -> int:
        """Its exit code."""
        return await asyncio.wait_for(self._process.wait(), 30)

    @property
    def lines(self) -> list[str]:
        assert KEY not in self._shown
        return [line.strip("\r") for line in self._shown.split("\n")]

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._transport.close()
        os.close(self._master)

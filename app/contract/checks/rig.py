"""What probes work with: sockets that write down everything, and downloads.

    Rig --+-- Line (a socket; its frames become a Recording)
          +-- Line …
          +-- downloads

Every wait is bounded: by silence of `timeout` seconds, and by four times that in all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final, Literal, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from app.chat.conversation import why_not_open
from app.contract.checks.recordings import UNANSWERED, Download, Recording
from app.emulation.determinism import Clock, Ids
from app.emulation.tapes import Tape, TapeFrame
from app.http_clients import async_client

CONNECT_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 0.5
LARGEST_FRAME: Final = 1024 * 1024
LARGEST_DOWNLOAD: Final = 16 * 1024 * 1024
MOST_FRAMES: Final = 20_000
"""Frames of one socket, and bytes of them, after which it is given up."""
MOST_BYTES: Final = 64 * 1024 * 1024
PATIENCE: Final = 4
"""Times the time-out that one wait may last while frames keep coming."""


class NoConnection(Exception):
    """The server cannot be reached; the text is one line."""


class Misuse(ValueError):
    """What was given does not suffice to ask the server anything; the text is one line, without keys."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask for. `wanted`: groups that have a rule to be judged; `skipped`: groups left out by name.

    `login`: who logs in, `EMAIL:PASSWORD` or an access token. `say`: further messages, one turn each. `failing_keys`:
    keys whose turns fail. `timeout`: seconds of silence.
    """

    url: str
    api_key: str = ""
    org_id: str = ""
    unusable_key: str = ""
    failing_keys: tuple[str, ...] = ()
    say: tuple[str, ...] = ()
    revision: str = ""
    wanted: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    timeout: float = 20.0
    login: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be printed."""
        password = self.login.partition(":")[2]
        return (self.api_key, self.unusable_key, *self.failing_keys, password or self.login)

    def wants(self, probe: str, *feeds: str) -> bool:
        """Whether the probe of a group is to run: it is not left out, and feeds a group that is judged."""
        return probe not in self.skipped and not self.wanted.isdisjoint((probe, *feeds))


Done = Callable[[str | None], bool]
"""Fed with each text from the server (None for a binary frame); true once what was waited for has come."""


@dataclass(slots=True)
class Line:
    """One socket under test, and what was said on it."""

    name: str
    url: str
    timeout: float
    clock: Clock
    socket: ClientConnection | None = None
    closed: tuple[int, str] | None = None
    """The server's close: code and reason."""
    _frames: list[TapeFrame] = field(default_factory=list)
    _marks: dict[int, frozenset[str]] = field(default_factory=dict)
    _reader: asyncio.Task[None] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _opened: float = 0.0
    _read: int = 0  # frames that `until` has looked at, or need not look at
    _asked: list[int] = field(default_factory=list)  # requests that `until` waits for next
    _leaving: bool = False

    @property
    def open(self) -> bool:
        return self.socket is not None and self.closed is None and not self._leaving

    def start(self, socket: ClientConnection) -> None:
        """Begins to write down what comes."""
        self.socket = socket
        self._opened = self.clock.monotonic()
        self._reader = asyncio.create_task(self._listen(socket), name=f"line {self.name}")

    async def send(self, message: str | Sequence[str], *marks: str) -> None:
        """Sends a text, or one text in several frames. A socket that is gone already takes nothing."""
        text = message if isinstance(message, str) else "".join(message)
        if not self._asked:
            self._read = len(self._frames)  # what came before answers something else
        self._asked.append(len(self._frames))
        self._marks[len(self._frames)] = frozenset(marks)
        self._frames.append(TapeFrame("client", self._now(), text, None))
        if self.socket is None:
            return
        try:
            async with asyncio.timeout(self.timeout):
                await self.socket.send(message)
        except (ConnectionClosed, TimeoutError):
            return  # the reader learns of a close; a server that takes nothing answers nothing

    async def until(self, done: Done, *, quiet: Callable[[], float | None] = lambda: None) -> bool:
        """Waits until `done`; false if the server closes, says nothing for the time-out, or goes on for too long.

        Where `quiet` gives seconds, so many without a frame after the first one are as good as `done`.
        """
        asked, heard = self._asked, False
        self._asked = []
        limit = self.clock.monotonic() + PATIENCE * self.timeout
        while True:
            while self._read < len(self._frames):
                frame = self._frames[self._read]
                self._read += 1
                if frame.direction == "client":
                    continue
                heard = True
                if done(frame.text):
                    return True
            if not self.open or self.clock.monotonic() > limit:
                return False
            self._news.clear()
            try:
                pause = quiet() if heard else None
                async with asyncio.timeout(self.timeout if pause is None else pause):
                    await self._news.wait()
            except TimeoutError:
                if not heard:
                    for index in asked:
                        self._marks[index] |= {UNANSWERED}
                return pause is not None

    async def lull(self, seconds: float) -> bool:
        """Waits for a frame that nobody asked for; whether one has come by then."""
        try:
            async with asyncio.timeout(seconds):
                while not self._frames and self.open:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return bool(self._frames)

    async def close(self) -> None:
        """Ends the socket from this side, within about a second."""
        self._leaving = True
        if self.socket is not None:
            await self.socket.close()
        if self._reader is not None:
            await self._reader

    def recording(self) -> Recording:
        """What was said so far."""
        tape = Tape(name=self.name, url=self.url, frames=tuple(self._frames), close=self.closed)
        return Recording(tape, dict(self._marks), watched=True)

    def _now(self) -> float:
        return round(self.clock.monotonic() - self._opened, 6)

    async def _listen(self, socket: ClientConnection) -> None:
        size = 0
        try:
            async for message in socket:
                size += len(message)
                text, data = (message, None) if isinstance(message, str) else (None, message)
                self._frames.append(TapeFrame("server", self._now(), text, data))
                self._news.set()
                if len(self._frames) >= MOST_FRAMES or size >= MOST_BYTES:
                    self.closed = (0, f"given up after {len(self._frames)} frames of {size} bytes")
                    await socket.close()
        except ConnectionClosed:
            pass  # told below, as every end is
        if not self._leaving and self.closed is None:
            self.closed = _close_of(socket)
        self._news.set()


def _close_of(socket: ClientConnection) -> tuple[int, str]:
    """Code and reason: the server's; ours if we had to give the connection up; 1006 if it just broke."""
    protocol = socket.protocol
    frame = protocol.close_rcvd or protocol.close_sent
    return (frame.code, frame.reason) if frame is not None else (1006, "")


class Rig:
    """Opens lines and fetches files; at its end every socket is closed."""

    def __init__(self, *, clock: Clock, ids: Ids, timeout: float, local: bool = False) -> None:
        """`local`: the server is on this machine, so no proxy leads to it."""
        self.clock = clock
        self.ids = ids
        self.timeout = timeout
        self.local = local
        self.turns = 0
        self.notes: list[str] = []
        self.downloads: dict[tuple[str, str], Download] = {}
        self.secrets: list[str] = []
        """What the server has given and must not be printed."""
        self._lines: list[Line] = []
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(line.close() for line in self._lines))
        if self._client is not None:
            await self._client.aclose()

    @property
    def recordings(self) -> list[Recording]:
        """What was recorded so far, socket by socket in the order of their opening."""
        return [line.recording() for line in self._lines]

    async def line(self, name: str, url: str) -> Line:
        """Opens a socket. Raises `NoConnection`, which leaves no recording."""
        proxy: Literal[True] | None = None if self.local else True
        try:
            socket = await connect(
                url,
                compression=None,
                proxy=proxy,
                open_timeout=min(CONNECT_TIMEOUT, self.timeout),
                close_timeout=CLOSE_TIMEOUT,
                ping_interval=None,
                max_size=LARGEST_FRAME,
            )
        except (OSError, WebSocketException, UnicodeError) as error:
            raise NoConnection(why_not_open(error)) from error
        line = Line(name, url, self.timeout, self.clock)
        line.start(socket)
        self._lines.append(line)
        return line

    async def another(self, name: str, url: str) -> Line:
        """As `line`, for a server that was reached before: if it is not now, that is recorded as a close."""
        try:
            return await self.line(name, url)
        except NoConnection as no:
            line = Line(name, url, self.timeout, self.clock, closed=(0, f"no handshake: {no}"))
            self._lines.append(line)
            return line

    async def fetch(self, wanted: Iterable[tuple[str, str, str]]) -> None:
        """Fetches files, a few at a time: the URL as announced, the variant, and the URL to ask for in its place."""
        few = asyncio.Semaphore(4)

        async def one(announced: str, variant: str, asked: str) -> None:
            async with few:
                self.downloads[announced, variant] = await self._get(asked)

        async with asyncio.TaskGroup() as group:
            for announced, variant, asked in wanted:
                group.create_task(one(announced, variant, asked))

    async def call(
        self, name: str, who: str, method: str, url: str, body: Any = None, *, token: str = "", told: bool = True
    ) -> Download:
        """Asks for something over HTTP, with a JSON body and a bearer token where there are such. What comes is among
        the downloads, by `name` and who asked. `told`: what goes and comes holds no secret, so that rules may see it.
        """
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = await self._get(url, method, None if body is None else json.dumps(body), headers)
        if told:
            self.downloads[name, who] = replace(answer, asked="" if body is None else json.dumps(body))
        return answer

    async def _get(
        self, url: str, method: str = "GET", content: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Download:
        if self._client is None:
            self._client = async_client(timeout=self.timeout)
        body = bytearray()
        asked = {**(headers or {}), **({} if content is None else {"content-type": "application/json"})}
        ask = self._client.stream(method, url, content=content, headers=asked)
        try:
            async with asyncio.timeout(PATIENCE * self.timeout), ask as answer:
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST_DOWNLOAD:
                        return Download(url, answer.status_code, problem=f"more than {LARGEST_DOWNLOAD} bytes")
                return Download(url, answer.status_code, answer.headers.get("content-type", ""), bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnicodeError) as error:
            return Download(url, problem=f"{type(error).__name__}: {error}".rstrip(": "))

"""A client of the MaLangEE wire, and English sentences to speak into it."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.emulation.journal import Query
from tests.live import LiveServer

RATE = 24_000
BYTES = 2 * RATE
FRAME = 8_192
"""Bytes of the front end's frames: 4096 samples."""

PATIENCE = 20.0
GUEST = "/api/v1/chat/ws/guest-chat"
MEMBER = "/api/v1/chat/ws/chat"

Json = dict[str, Any]


def quiet(seconds: float) -> bytes:
    """Digital silence."""
    return bytes(2 * round(seconds * RATE))


@dataclass(frozen=True)
class Sound:
    """A sentence with silence around it. `began`, `ended`: where it is loud, in seconds."""

    pcm: bytes
    began: float
    ended: float


def padded(pcm: bytes, *, before: float = 0.6, after: float = 1.0) -> Sound:
    """A spoken sentence with silence around it."""
    samples = array("h", pcm)
    loud = [place for place, sample in enumerate(samples) if abs(sample) > 300]
    began, ended = before + loud[0] / RATE, before + loud[-1] / RATE
    return Sound(quiet(before) + pcm + quiet(after), began, ended)


@dataclass
class Caller:
    """A socket whose frames are collected as they come. `times`: when each came, in seconds."""

    socket: ClientConnection
    frames: list[Json] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    closed: tuple[int, str] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        try:
            async for text in self.socket:
                self.times.append(time.perf_counter())
                frame = json.loads(text)
                self.frames.append(frame if isinstance(frame, dict) else {"type": "", "text": frame, "raw": text})
                if frame["type"].endswith("audio.delta") if isinstance(frame, dict) else False:
                    self.audio += base64.b64decode(frame["delta"], validate=True)
                self._news.set()
        except ConnectionClosed:
            pass
        self.closed = (self.socket.close_code or 0, self.socket.close_reason or "")
        self._news.set()

    @property
    def types(self) -> list[str]:
        """The types of the frames so far, runs of deltas as one."""
        found: list[str] = []
        for frame in self.frames:
            if not (found and found[-1] == frame["type"] and frame["type"].endswith("audio.delta")):
                found.append(frame["type"])
        return found

    def count(self, kind: str) -> int:
        return sum(frame["type"] == kind for frame in self.frames)

    def place(self, kind: str, number: int = 1) -> int:
        """Where the n-th frame of a type is."""
        return [at for at, frame in enumerate(self.frames) if frame["type"] == kind][number - 1]

    async def until(self, kind: str, number: int = 1) -> Json:
        """The n-th frame of a type, once it is there."""
        async with asyncio.timeout(PATIENCE):
            while self.count(kind) < number:
                assert self.closed is None, f"closed {self.closed} after {self.types}, no {kind}"
                self._news.clear()
                await self._news.wait()
        return self.frames[self.place(kind, number)]

    async def gone(self) -> tuple[int, str]:
        """Close code and reason, once the socket is closed."""
        async with asyncio.timeout(PATIENCE):
            while self.closed is None:
                self._news.clear()
                await self._news.wait()
        return self.closed

    async def send(self, frame: Json | str | bytes) -> None:
        await self.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    async def speak(self, pcm: bytes, *, pace: float = 10.0, kind: str = "input_audio_buffer.append") -> None:
        """Streams sound in the front end's frames at `pace` times real time."""
        began = time.perf_counter()
        for number, at in enumerate(range(0, len(pcm), FRAME)):
            piece = base64.b64encode(pcm[at : at + FRAME]).decode()
            due = began + (number + 1) * FRAME / BYTES / pace  # a microphone has a piece when it is over
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await self.send({"type": kind, "audio": piece})

    async def settled(self) -> None:
        """Returns when the server has taken everything sent so far: it answers a frame that is none."""
        before = sum(frame.get("code") == "invalid_json" for frame in self.frames)
        await self.send("{")
        async with asyncio.timeout(PATIENCE):
            while sum(frame.get("code") == "invalid_json" for frame in self.frames) == before:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def call(server: LiveServer, path: str, **options: Any) -> AsyncIterator[Caller]:
    """A socket to the server."""
    async with connect(server.ws + path, compression=None, max_size=None, **options) as socket:
        caller = Caller(socket)
        reading = asyncio.create_task(caller.read())
        try:
            yield caller
        finally:
            await socket.close()
            await reading


def journal(server: LiveServer, query: Query) -> list[Json]:
    """Entries of the journal, read in the server's own loop."""

    async def find() -> list[Json]:
        return [entry.plain() for entry in server.program.stage.journal.find(query)]

    return asyncio.run_coroutine_threadsafe(find(), server.loop).result(PATIENCE)


def notes(server: LiveServer, what: str, room: str | None = None) -> list[Json]:
    """What the wire wrote into the journal."""
    found = journal(server, Query(kind=frozenset(("note",)), room=room))
    return [entry for entry in found if entry.get("what") == what]

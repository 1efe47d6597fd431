"""A live server whose faults a test puts in force and takes out, and clients that look closely."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from websockets.exceptions import ConnectionClosed

from app.emulation.faults.live import LiveRule
from app.emulation.journal import Query
from app.hashee.webhooks import Webhooks
from bench.load import masked
from tests.emulation.faults.written import rules
from tests.live import PATIENCE, Json, LiveServer, Peer, sendmsg, talk

NEWEST = "2024-11-13"
FLAT = "2023-12-28"
BARE = "2024-07-01"
WRAPPED = "2024-08-26"

TOKENS = ["하나", " 둘", " 셋", " 넷", " 다섯", " 여섯."]
THREE = ["오늘은 날씨가 참 좋습니다.", " 산책하기에 딱 좋은 날이네요!", " 같이 나가실래요, 아니면 쉬실래요?"]

REPLIES: list[Json] = [
    {"when": {"msg": "세어"}, "tokens": TOKENS},
    {"when": {"msg": "셋"}, "reply": "".join(THREE)},
    {"when": {"msg": "천천히"}, "tokens": ["음 "] * 2000, "pace": {"first": 0, "per_second": 100}},
]
GREETING = "안녕하세요! 당신의 이름을 알려주세요."


class Faulty:
    """A server and the faults in force there."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.faults = server.program.stage.faults

    async def add(self, *plain: Json) -> list[LiveRule]:
        """Puts rules in force."""

        async def add() -> list[LiveRule]:
            return self.faults.add(rules(*plain), source="test")

        return await self.server.run(add())

    async def remove(self, live: LiveRule) -> None:
        """Takes a rule out of force."""

        async def remove() -> bool:
            return self.faults.remove(live.id)

        assert await self.server.run(remove())

    async def clear(self) -> None:
        """Takes all out of force."""

        async def clear() -> int:
            return self.faults.clear()

        await self.server.run(clear())

    async def told(self, room: str | None, count: int, kind: str = "fault") -> list[Json]:
        """The first `count` entries of a room in the journal, once there are so many."""
        query = Query(kind=frozenset({kind}), room=room)
        found = await self.server.run(self.server.program.stage.journal.wait(query, count=count, seconds=PATIENCE))
        assert len(found) == count, f"{len(found)} of {count} {kind} entries came"
        return [entry.plain() for entry in found]

    async def strikes(self, room: str | None) -> list[str]:
        """The kinds that the journal says have struck in a room, so far."""

        async def find() -> list[str]:
            query = Query(kind=frozenset({"fault"}), room=room)
            return [entry.plain()["fault"] for entry in self.server.program.stage.journal.find(query)]

        return await self.server.run(find())

    async def quiet(self, tasks: int | None = None) -> None:
        """Returns when no turn runs any more and, where that is given, no more than so many tasks are left."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self.server.program.running or (tasks is not None and await self.tasks() > tasks):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            left = [repr(task) for task in asyncio.all_tasks(self.server.loop)]
            raise AssertionError("\n".join(["still there:", *left])) from None

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[Callable[[float], Awaitable[None]]]:
        """The emulated clock stands still, but for what the given function advances it by."""
        clock = self.server.program.stage.world.clock

        async def call(change: Callable[[], None]) -> None:
            change()

        await self.server.run(call(clock.freeze))
        try:
            yield self.server.advance
        finally:
            await self.server.run(call(clock.run))

    @property
    def watched(self) -> bool:
        """Whether the wire that starts to look after itself last, a moment after the server is ready, has done so."""
        running = (task.get_coro() for task in asyncio.all_tasks(self.server.loop))
        return any(getattr(work, "__qualname__", "") == Webhooks.run.__qualname__ for work in running)

    async def tasks(self) -> int:
        """Tasks of the server's loop, without the one that counts."""

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return await self.server.run(count())


async def whole(faulty: Faulty, peer: Peer, message: Json) -> list[Json]:
    """All frames of a turn, however it ends: up to the answer of a `status` that is asked when it is over."""
    await peer.send(message)
    frames = [await peer.receive()]
    await faulty.quiet()
    await peer.send({"action": "status"})
    while not is_status(frames[-1]):
        frames.append(await peer.receive())
    return frames[:-1]


async def until_closed(peer: Peer) -> tuple[list[Json], int, str]:
    """The frames up to the end of the socket, and how it ended: code and reason, 1006 where nobody said goodbye."""
    frames: list[Json] = []
    try:
        while True:
            frames.append(await peer.receive())
    except ConnectionClosed as closed:
        end = closed.rcvd
    return frames, end.code if end else 1006, end.reason if end else ""


def is_status(frame: Json) -> bool:
    """Whether a frame answers the action `status`."""
    return frame.get("status") == "connected" and frame.get("msgtype") == "info"


def types(frames: list[Json]) -> list[str]:
    """What the frames are, errors told apart."""
    return [
        "error" if frame.get("msgtype") == "error" else str(frame.get("status") or frame.get("event") or "message")
        for frame in frames
    ]


def said(frames: list[Json]) -> str:
    """The text of a turn, whichever revision it came in."""
    texts = [frame["data"]["chunk"]["content"] for frame in frames if frame.get("event") == "on_chat_model_stream"]
    return "".join(texts) or "".join(frame["msg"] for frame in frames if "client_num" in frame)


def asks(msg: str | None, room: str, **fields: Any) -> Json:
    """A sendmsg into a room."""
    return sendmsg(msg, room_uid=room, **fields)


@asynccontextmanager
async def room(server: LiveServer, name: str, revision: str = NEWEST, **query: str) -> AsyncIterator[Peer]:
    """A socket of a room, in a revision."""
    async with talk(server, room_uid=name, revision=revision, **query) as peer:
        yield peer


class Raw:
    """A client of its own making, which sees the bytes and the end of the TCP connection as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, server: LiveServer, room_uid: str, revision: str = NEWEST) -> Self:
        """Connected, and the handshake asked for."""
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            f"GET /v3/?room_uid={room_uid}&user_uid=u1&revision={revision} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        return cls(reader, writer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def head(self) -> str:
        """The answer to the handshake, up to its body."""
        async with asyncio.timeout(PATIENCE):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    def send(self, message: Json) -> None:
        """Sends a text frame."""
        self.writer.write(masked(json.dumps(message, ensure_ascii=False).encode()))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        async with asyncio.timeout(PATIENCE):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def until_reset(self) -> list[bytes]:
        """The frames up to a reset of the TCP connection."""
        frames: list[bytes] = []
        try:
            while True:
                frames.append((await self.frame())[1])
        except ConnectionResetError:
            return frames

"""The load on Hashee, in a process of its own: pairs of users, each with a socket, who send over REST.

Run as `python -m bench.hashee_load JSON`; prints one JSON line with what it measured.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from typing import Any

import httpcore
import orjson
import uvloop
from websockets.asyncio.client import ClientConnection, connect

from bench.load import masked

PAYLOAD = base64.b64encode(b"x" * 200).decode()


class Poster:
    """Sends messages over one connection that stays open: a client library's bookkeeping would be what is measured."""

    def __init__(self, port: int, path: str, token: str) -> None:
        self._port = port
        self._head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        self._head += "Content-Type: application/json\r\nContent-Length: "
        self._free = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: dict[str, Any]) -> None:
        """RuntimeError if it is refused."""
        content = orjson.dumps(body)
        async with self._free:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(f"{self._head}{len(content)}\r\n\r\n".encode() + content)
            head = await reader.readuntil(b"\r\n\r\n")
            size = head.lower().partition(b"content-length:")[2].split(b"\r", 1)[0]
            told = await reader.readexactly(int(size))
            if int(head.split(b" ", 2)[1]) >= 400:
                raise RuntimeError(repr(told[:200]))

    def close(self) -> None:
        """Hangs up."""
        if self._streams is not None:
            self._streams[1].transport.abort()


class Pair:
    """Two users with a conversation: the first sends, the second hears."""

    def __init__(self, port: int, conversation: str, token: str) -> None:
        self.poster = Poster(port, f"/conversations/{conversation}/messages", token)
        self.sent: dict[str, float] = {}
        self.took: list[float] = []
        self.heard: list[str] = []
        self.order: list[int] = []
        self.news = asyncio.Event()


async def ask(pool: httpcore.AsyncConnectionPool, method: str, url: str, headers: Any, body: Any = None) -> Any:
    answer = await pool.request(method, url, headers=headers, content=orjson.dumps(body) if body is not None else None)
    if answer.status >= 400:
        raise RuntimeError(f"{answer.status}: {answer.content[:200]!r}")
    return orjson.loads(answer.content)


async def listen(socket: ClientConnection, pair: Pair) -> None:
    async for text in socket:
        frame = orjson.loads(text)
        if frame["type"] == "message.new":
            pair.took.append(time.perf_counter() - pair.sent[frame["encrypted_payload"]])
            pair.heard.append(frame["encrypted_payload"])
            pair.order.append(frame["conversation_seq"])
            pair.news.set()


async def drain(socket: ClientConnection) -> None:
    async for _ in socket:
        pass


async def run(job: dict[str, Any]) -> dict[str, Any]:
    base, pairs = f"http://127.0.0.1:{job['port']}", []
    tasks: list[asyncio.Task[None]] = []
    sockets: list[ClientConnection] = []
    run_id = time.time_ns()
    async with httpcore.AsyncConnectionPool(max_connections=job.get("connections", 50), keepalive_expiry=2) as pool:
        logins = asyncio.Semaphore(4)

        async def log_in(number: int) -> str:
            async with logins:
                body = {"email": f"user{number}@example.com", "account_password": "hashee-demo"}
                kind = [("Content-Type", "application/json")]
                return str((await ask(pool, "POST", f"{base}/auth/login", kind, body))["data"]["access_token"])

        async def open_socket(token: str) -> ClientConnection:
            url = f"ws://127.0.0.1:{job['port']}/ws/human"
            socket = await connect(url, compression=None, ping_interval=None)
            await socket.send(json.dumps({"type": "auth", "token": token}))
            assert b"auth.ok" in (await socket.recv(decode=False))
            sockets.append(socket)
            return socket

        for number in range(0, job["users"], 2):
            one, two = await log_in(number), await log_in(number + 1)
            headers = [("Authorization", f"Bearer {one}")]
            listed = await ask(pool, "GET", f"{base}/conversations", headers)
            pair = Pair(job["port"], listed["data"][0]["conversation_id"], one)
            pairs.append(pair)
            tasks.append(asyncio.create_task(drain(await open_socket(one))))
            tasks.append(asyncio.create_task(listen(await open_socket(two), pair)))

        async def send(pair: Pair, number: int) -> None:
            payload = f"{PAYLOAD}{number}"
            body = {"content_type": "text", "encrypted_payload": payload, "client_message_id": f"{run_id}-{number}"}
            pair.sent[payload] = time.perf_counter()
            await pair.poster.post(body)

        if job["rate"] == 0:  # one after the other
            for number in range(job["messages"]):
                pair = pairs[number % len(pairs)]
                pair.news.clear()
                await send(pair, number)
                await pair.news.wait()
        else:
            sending: set[asyncio.Task[None]] = set()
            began = time.perf_counter()
            for number in range(job["messages"]):
                pause = began + number / job["rate"] - time.perf_counter()
                if pause > 0:
                    await asyncio.sleep(pause)
                task = asyncio.create_task(send(pairs[number % len(pairs)], number))
                sending.add(task)
                task.add_done_callback(sending.discard)
            await asyncio.gather(*sending)
        for _ in range(500):
            if sum(len(pair.heard) for pair in pairs) >= job["messages"]:
                break
            await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    for socket in sockets:
        socket.transport.abort()
    for pair in pairs:
        pair.poster.close()
    took = sorted(one for pair in pairs for one in pair.took)
    heard = [one for pair in pairs for one in pair.heard]
    return {
        "p50": took[len(took) // 2],
        "p99": took[int(len(took) * 0.99)],
        "lost": job["messages"] - len(set(heard)),
        "twice": len(heard) - len(set(heard)),
        "unordered": sum(pair.order != sorted(pair.order) for pair in pairs),
    }


async def hub(job: dict[str, Any]) -> dict[str, Any]:
    """The same pairs on the bare hub, which sends what it gets."""
    url = f"ws://127.0.0.1:{job['port']}/ws?room="
    took: list[float] = []
    async with connect(f"{url}1", compression=None) as one, connect(f"{url}1", compression=None) as two:
        for number in range(job["messages"]):
            began = time.perf_counter()
            await one.send(f"{PAYLOAD}{number}")
            await two.recv()
            took.append(time.perf_counter() - began)
    took.sort()
    return {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}


async def idle(job: dict[str, Any]) -> None:
    """Agents' sockets that are authenticated and say nothing, until a line comes on standard input."""
    writers: list[asyncio.StreamWriter] = []
    gate = asyncio.Semaphore(50)

    async def one(number: int) -> None:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", job["port"])
            writers.append(writer)
            head = f"GET /ws/agent?agent_id={agent_id(number)} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            head += f"Connection: Upgrade\r\nSec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            writer.write(head.encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.write(masked(json.dumps({"type": "auth", "token": token(number)}).encode()))
            answer = await reader.readexactly(20)
            if b"auth.ok" not in answer:
                raise RuntimeError(repr(answer))

    await asyncio.gather(*map(one, range(job["users"])))
    print("opened", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for writer in writers:
        writer.transport.abort()


def agent_id(number: int) -> str:
    """The id of a declared agent."""
    return f"00000000-0000-4000-8000-{number:012d}"


def token(number: int) -> str:
    """Its token."""
    return f"hsk_{number:040d}"


def main(job: dict[str, Any]) -> None:
    if job.get("idle"):
        uvloop.run(idle(job))
        return
    print(json.dumps(uvloop.run(hub(job) if job.get("hub") else run(job))))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

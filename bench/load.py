"""A load generator that costs little: raw sockets on uvloop, frames counted by their headers, one process of its own.

Run as `python -m bench.load JSON`; prints one JSON line with what it measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from functools import partial
from typing import Any

import uvloop


def masked(text: bytes) -> bytes:
    """A client's text frame."""
    mask = os.urandom(4)
    size = len(text)
    head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(text))


class Socket(asyncio.Protocol):
    """One WebSocket client: sends a message, waits for END, again."""

    def __init__(self, request: bytes, path: str, host: str, turns: int) -> None:
        self.request = masked(request)
        self.path = path
        self.host = host
        self.turns = turns
        self.frames = 0
        self.latencies: list[float] = []
        self.opened = asyncio.get_running_loop().create_future()
        self.done = asyncio.get_running_loop().create_future()
        self._buffer = bytearray()
        self._upgraded = False
        self._left = 0
        self._sent_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def begin(self) -> None:
        """Starts its turns."""
        self._left = self.turns
        self._next()

    def _next(self) -> None:
        self._sent_at = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert b" 101 " in buffer[:end], bytes(buffer[:200])
            del buffer[: end + 4]
            self._upgraded = True
            self.opened.set_result(None)
        at = 0
        while len(buffer) - at >= 2:
            size = buffer[at + 1] & 0x7F
            head = 2
            if size == 126:
                if len(buffer) - at < 4:
                    break
                size = int.from_bytes(buffer[at + 2 : at + 4], "big")
                head = 4
            if len(buffer) - at < head + size:
                break
            self._frame(bytes(buffer[at + head : at + head + min(size, 24)]))
            at += head + size
        del buffer[:at]

    def _frame(self, front: bytes) -> None:
        self.frames += 1
        if front.startswith((b'{"status":"START"', b'{"status": "START"')):
            self.latencies.append(time.perf_counter() - self._sent_at)
        elif front.startswith((b'{"status":"END"', b'{"status": "END"')):
            self._left -= 1
            if self._left:
                self._next()
            elif not self.done.done():
                self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        for waiting in (self.opened, self.done):
            if not waiting.done():
                waiting.set_exception(ConnectionError(f"lost: {exc}"))


async def run(job: dict[str, Any]) -> dict[str, Any]:
    """Opens the sockets, runs the turns; the time is from the first message to the last END."""
    loop = asyncio.get_running_loop()
    host, port = "127.0.0.1", job["port"]
    sockets: list[Socket] = []
    for number in range(job["connections"]):
        room = f"{job.get('room', 'bench')}{number:07d}"
        body = {
            "action": "sendmsg",
            "room_uid": room,
            "user_id": "u",
            "msg": job["msg"],
            "api_key": job["key"],
            **job.get("more", {}),
        }
        request = json.dumps(body, ensure_ascii=False).encode()
        path = f"/v3/?room_uid={room}&user_uid=u"
        _, socket = await loop.create_connection(
            partial(Socket, request, path, f"{host}:{port}", job["turns"]), host, port
        )
        sockets.append(socket)
    await asyncio.gather(*(socket.opened for socket in sockets))
    if job["turns"] == 0:
        print(json.dumps({"opened": len(sockets)}), flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        return {"opened": len(sockets)}
    began = time.perf_counter()
    for socket in sockets:
        socket.begin()
    await asyncio.wait_for(asyncio.gather(*(socket.done for socket in sockets)), 120)
    seconds = time.perf_counter() - began
    latencies = sorted(latency for socket in sockets for latency in socket.latencies)
    frames = sum(socket.frames for socket in sockets)
    for socket in sockets:
        socket.transport.close()
    return {
        "seconds": seconds,
        "frames": frames,
        "turns": job["connections"] * job["turns"],
        "start_p50": latencies[len(latencies) // 2],
        "start_p99": latencies[int(len(latencies) * 0.99)],
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.argv[1])))), flush=True)

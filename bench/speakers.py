"""People who talk to the MaLangEE wire in real time, all at once, in a process of their own.

Run as `python -m bench.speakers JSON`; prints one JSON line with what it measured, all in seconds. Each speaker streams
a microphone that never stops, in frames of 4096 samples: a sentence, an answer listened to, a sentence, and so on; the
answer to the last one is interrupted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect

BYTES = 48_000
FRAME = 8_192


@dataclass
class Speaker:
    """One speaker and what they measured."""

    socket: ClientConnection
    sentence: bytes
    ends: float
    """Where in the sentence the speech ends."""
    late: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    cuts: list[float] = field(default_factory=list)
    say: asyncio.Event = field(default_factory=asyncio.Event)
    spoke_until: float = 0.0
    sent_at: float = 0.0

    async def microphone(self) -> None:
        """Streams silence, and the sentence when it is asked for."""
        began, number, rest = time.perf_counter(), 0, b""
        while True:
            number += 1
            due = began + number * FRAME / BYTES
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if self.say.is_set() and not rest:
                self.say.clear()
                rest = self.sentence
                self.spoke_until = due - FRAME / BYTES + self.ends
            piece, rest = rest[:FRAME], rest[FRAME:]
            piece += bytes(FRAME - len(piece))
            told = base64.b64encode(piece).decode()
            self.sent_at = time.perf_counter()
            await self.socket.send(f'{{"type":"input_audio_buffer.append","audio":"{told}"}}')

    async def listen(self, turns: int) -> None:
        """Hears the answers to `turns` sentences, and interrupts one more."""
        for _ in range(turns):
            self.say.set()
            await self._until("speech.stopped")
            due: float | None = None
            while True:
                frame, at = await self._next()
                if frame["type"] == "audio.delta":
                    if due is None:
                        self.waits.append(at - self.spoke_until)
                        due = at
                    self.late.append(abs(at - due))
                    due += len(base64.b64decode(frame["delta"])) / BYTES
                elif frame["type"] == "audio.done":
                    break
        self.say.set()
        await self._until("speech.stopped")
        await self._until("audio.delta")
        self.say.set()
        last, sent = 0.0, 0.0
        while True:
            frame, at = await self._next()
            if frame["type"] == "audio.delta":
                last = at
            if frame["type"] == "speech.started":
                sent = self.sent_at
                break
        # Old sound may be on its way behind it: there must be none.
        while (told := await self._next())[0]["type"] != "speech.stopped":
            if told[0]["type"] == "audio.delta":
                last = told[1]
        self.cuts.append(max(0.0, last - sent))

    async def _next(self) -> tuple[dict[str, Any], float]:
        text = await self.socket.recv()
        return json.loads(text), time.perf_counter()

    async def _until(self, kind: str) -> None:
        while (await self._next())[0]["type"] != kind:
            pass


async def talk(job: dict[str, Any], number: int, sentence: bytes) -> Speaker:
    path = f"ws://127.0.0.1:{job['port']}/api/v1/chat/ws/guest-chat/{job['room']}-{number}"
    await asyncio.sleep(number * 0.11)
    async with connect(path, compression=None, max_size=None) as socket:
        speaker = Speaker(socket, sentence, job["ends"])
        microphone = asyncio.create_task(speaker.microphone())
        try:
            await speaker.listen(job["turns"])
        finally:
            microphone.cancel()
            await asyncio.gather(microphone, return_exceptions=True)
    return speaker


async def run(job: dict[str, Any]) -> dict[str, list[float]]:
    """All of them at once."""
    sentence = await asyncio.to_thread(Path(job["sentence"]).read_bytes)
    async with asyncio.timeout(300):
        speakers = await asyncio.gather(*(talk(job, number, sentence) for number in range(job["speakers"])))
    return {
        name: [value for speaker in speakers for value in getattr(speaker, name)] for name in ("late", "waits", "cuts")
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.argv[1])))), flush=True)

"""The recording proxy: listens, passes connections through, writes a tape for each WebSocket.

client <-> ClientConnection -> Relay <-> server        frames, as they come
                                 |
                                 +-> OpenTape -> disk  a thread; bounded
                                 +-> Voices            --voices; beside the path
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from pathlib import Path

from app.emulation.determinism import Clock
from app.emulation.placeholders import Placeholders
from app.emulation.recording.connection import ClientConnection, Passage
from app.emulation.recording.requests import Requests
from app.emulation.recording.upstream import READ_AT_ONCE, Upstream
from app.emulation.recording.voices import Voices
from app.emulation.recording.writer import TapeWriter

log = logging.getLogger("app.recording")

STOPPING = 20.0
"""Seconds that connections may take to end when the recording does: their closing handshakes, the last voices."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording came to. `broken`: tapes that end early because the disk did not take them."""

    tapes: int
    messages: int
    voices: int
    broken: int


class Recorder:
    """Records what passes on one listening socket, from `run` until `stop`."""

    def __init__(
        self,
        upstream: Upstream,
        folder: Path,
        *,
        clock: Clock,
        voices: bool = False,
        secret_fields: tuple[str, ...] = (),
    ) -> None:
        self._upstream = upstream
        self._tapes = TapeWriter(folder, clock=clock, placeholders=Placeholders(secret_fields))
        self._with_voices = voices
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Ends the recording; `run` then comes back."""
        self._stopped.set()

    async def run(self, listener: socket.socket) -> Recorded:
        """Serves on a listening socket until `stop`; then closes every connection with 1001, and its tape."""
        voices = Voices(self._upstream) if self._with_voices else None
        requests = Requests(self._upstream)
        passage = Passage(self._upstream, self._tapes, voices, requests)
        serving: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(ClientConnection(passage, reader, writer).serve(), name="client")
            serving.add(task)
            task.add_done_callback(ended)

        def ended(task: asyncio.Task[None]) -> None:
            serving.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("a connection failed", exc_info=error)

        server = await asyncio.start_server(accept, sock=listener, limit=READ_AT_ONCE)
        try:
            await self._stopped.wait()
        finally:
            server.close()
            await passage.stop()
            for task in serving - passage.taping:
                task.cancel()
            if serving:
                _, late = await asyncio.wait(serving, timeout=STOPPING)
                for task in late:
                    task.cancel()
                await asyncio.gather(*serving, return_exceptions=True)
            await requests.close()
            if voices:
                await voices.close()
            await asyncio.to_thread(self._tapes.close)
        kept = voices.kept if voices else 0
        return Recorded(self._tapes.written, self._tapes.messages, kept, self._tapes.broken)

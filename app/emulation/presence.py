"""Whether a client is still there, and what it says meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]

MOST_AHEAD = 64
"""Events that are read before the wire asks for them."""

GONE = "websocket.disconnect"


class LineGone(OSError):
    """The socket is closed, or closing."""


class Presence:
    """What comes from one client. `receive` gives its ASGI events, `heard` is told of each one as it comes.

    A wire listens while nothing else is to be done. Where a fault holds up what the listening task itself answers,
    nobody would hear that the client leaves; then this reads ahead, within bounds.
    """

    def __init__(self, receive: Receive, heard: Callable[[Event], None]) -> None:
        self._receive = receive
        self._heard = heard
        self._ahead: deque[Event] = deque()
        self._listening = False
        self._waits = 0
        self._reader: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()

    async def next(self) -> Event:
        """The next event."""
        await self._stop_reading()
        if self._ahead:
            return self._ahead.popleft()
        self._listening = True
        try:
            event = await self._receive()
        finally:
            self._listening = False
        self._heard(event)
        return event

    def leave(self) -> None:
        """The client is gone, or will be: nobody waits for it any longer."""
        self._gone.set()

    async def outlast(self, pause: Awaitable[object]) -> None:
        """Waits as long as `pause` does. Raises `LineGone` if the client is gone before."""
        waiting = asyncio.ensure_future(pause)
        gone = asyncio.ensure_future(self._gone.wait())
        self._waits += 1
        if self._reader is None and not self._listening and len(self._ahead) < MOST_AHEAD:
            self._reader = asyncio.create_task(self._read_ahead())
        try:
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise LineGone("the client is gone")
            waiting.result()
        finally:
            self._waits -= 1
            if not self._waits:
                await self._stop_reading()
            await _cancelled(waiting, gone)

    async def _read_ahead(self) -> None:
        while len(self._ahead) < MOST_AHEAD:
            event = await self._receive()
            self._ahead.append(event)
            self._heard(event)
            if event["type"] == GONE:
                return

    async def _stop_reading(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await _cancelled(reader)


async def _cancelled(*futures: asyncio.Future[Any]) -> None:
    for future in futures:
        future.cancel()
    await asyncio.wait(futures)

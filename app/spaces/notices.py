"""What other processes on the same PostgreSQL say: LISTEN on a connection of its own, opened again when it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from app.emulation.determinism import Clock

log = logging.getLogger("app.spaces")

PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the tries to connect again; the last one stays."""

PULSE = 15.0
"""Seconds between two looks whether the connection still works."""

ANSWER = 5.0
"""Seconds that such a look may take."""


class Notices:
    """Hears what is said on a channel, in the order of the commits that said it.

    heard: gets the text of each notice, on the event loop.
    again: is awaited after each connecting, before anything else is done: what was said meanwhile is lost otherwise.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        channel: str,
        *,
        heard: Callable[[str], None],
        again: Callable[[], Awaitable[None]],
        clock: Clock,
        faults: tuple[type[Exception], ...],
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._heard = heard
        self._again = again
        self._clock = clock
        self._faults: tuple[type[Exception], ...] = (OSError, TimeoutError, *faults)
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Listens until it is cancelled."""
        failures = 0
        while True:
            try:
                await self._listen()
                failures = 0
            except self._faults as fault:
                log.warning("the other processes are not heard: %s", fault)
            if self.listening.is_set():
                failures = 0
            self.listening.clear()
            await self._clock.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1

    async def _listen(self) -> None:
        """One connection, for as long as it works."""
        connection = await self._connect()
        try:
            gone = asyncio.Event()
            connection.add_termination_listener(lambda _: gone.set())
            await connection.add_listener(self._channel, lambda _connection, _pid, _channel, text: self._heard(text))
            self.listening.set()
            await self._again()
            while not gone.is_set():
                try:
                    async with asyncio.timeout(PULSE):
                        await gone.wait()
                except TimeoutError:
                    async with asyncio.timeout(ANSWER):
                        await connection.execute("SELECT 1")
        finally:
            connection.terminate()

"""Clocks: the machine's, one for tests, and what an emulated one may show. `world_clock.py` has the emulated one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf
from typing import Protocol

VIRTUAL_START = 1_731_456_000.0
"""Where a virtual clock starts by default: 2024-11-13 00:00 UTC, in epoch seconds."""

EARLIEST = 0.0
"""The earliest moment that an emulated clock shows: 1970-01-01, as nothing on the wires is told in negative seconds."""

LATEST = datetime(2262, 1, 1, tzinfo=UTC).timestamp()
"""The latest that it can be set to: turns are kept in nanoseconds, of which 64 bits end in April 2262."""

CENTURY = 3_155_760_000.0
"""Seconds that anything lasts at most: what begins at the end of time still ends on a date."""

FIRST_DATE = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LAST_DATE = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""Between these every moment can be written as a date."""

EPOCH = time.time() - time.monotonic()
"""The machine's wall clock where its monotonic one was 0, as it was when the program started."""

RESOLUTION = 1e-6
"""Seconds below which two moments are one: an epoch time as a float has no more digits."""

machine_monotonic = time.monotonic
"""The machine's monotonic seconds, for measuring what the emulator itself takes."""


class Signal(asyncio.Event):
    """An event that also ends pauses (`Clock.sleep`)."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        super().set()
        for done in self._sleepers:
            wake(done)

    @contextmanager
    def ending(self, done: asyncio.Future[None]) -> Iterator[None]:
        """Meanwhile, `done` has a result as soon as the event is set."""
        self._sleepers.add(done)
        try:
            if self.is_set():
                wake(done)
            yield
        finally:
            self._sleepers.discard(done)


def check_instant(instant: float) -> None:
    """Raises ValueError for epoch seconds that an emulated clock cannot show."""
    if not EARLIEST <= instant <= LATEST:
        raise ValueError(f"expected a moment from {shown_instant(EARLIEST)} to {shown_instant(LATEST)}")


def shown_instant(instant: float) -> str:
    """Epoch seconds as ISO 8601, in UTC."""
    return datetime.fromtimestamp(instant, UTC).isoformat()


class Clock(Protocol):
    """What the program knows of time. Seconds as floats throughout."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean something."""
        ...

    async def sleep(self, seconds: float, unless: Signal | None = None) -> None:
        """Pauses the calling task; no longer than until `unless` is set."""
        ...


class RealClock:
    """The machine's own clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float, unless: Signal | None = None) -> None:
        if unless is None:
            await asyncio.sleep(seconds)
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with unless.ending(done):
            await asyncio.wait({done}, timeout=None if seconds == inf else max(0.0, seconds))


class VirtualClock:
    """A clock that stands still but for the pauses the program takes."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._start = start
        self.elapsed = 0.0

    def time(self) -> float:
        return self._start + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float, unless: Signal | None = None) -> None:
        if seconds == inf:
            await (unless or Signal()).wait()
        elif unless is None or not unless.is_set():
            self.elapsed += max(0.0, seconds)
        await asyncio.sleep(0)


def wake(done: asyncio.Future[None]) -> None:
    """Gives a pause its end, if it has none yet."""
    if not done.done():
        done.set_result(None)

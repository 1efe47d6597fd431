"""The one place that reads the time and draws randomness.

Everything else is handed a `Clock` and an `Ids`. Contract 6 of the house: ruff's banned-api and import-linter keep it
so.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from typing import Protocol

from shortuuid.main import int_to_string

BASE62 = list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_URL64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Clock(Protocol):
    """What the program knows of time. Seconds as floats throughout."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean something."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pauses the calling task."""
        ...


class RealClock:
    """The machine's own clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VirtualClock:
    """A clock that stands still but for the pauses the program takes."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._start = start
        self.elapsed = 0.0

    def time(self) -> float:
        return self._start + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        self.elapsed += max(0.0, seconds)
        await asyncio.sleep(0)


class Ids:
    """Every identifier the program makes, from one source of randomness.

    Shapes are those of the chldo captures (spec section 4); base62 text is made by shortuuid.
    """

    def __init__(self, source: random.Random | None = None) -> None:
        self._source = source or random.SystemRandom()

    @classmethod
    def seeded(cls, seed: int) -> Ids:
        """Ids that come out the same for the same seed."""
        return cls(random.Random(seed))

    def base62(self, length: int) -> str:
        """`length` characters of 0-9A-Za-z."""
        number = self._source.getrandbits(8 * length)
        return int_to_string(number, BASE62, padding=length)[-length:]

    def hexadecimal(self, length: int) -> str:
        """`length` lower-case hexadecimal digits."""
        return f"{self._source.getrandbits(4 * length):0{length}x}"

    def uuid4(self) -> str:
        """A version 4 UUID as text."""
        return str(uuid.UUID(int=self._source.getrandbits(128), version=4))

    def connection_id(self) -> str:
        """16 characters as API Gateway makes them: `^[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]=$`."""
        pick = self._source.choice
        head = "".join(pick(_URL64) for _ in range(8))
        tail = "".join(pick(BASE62) for _ in range(2))
        return f"{head}{pick('oI')}E0{pick('AC')}{tail}{pick('AQgw')}="

    def seed_bytes(self, length: int) -> bytes:
        """Raw random bytes."""
        return self._source.getrandbits(8 * length).to_bytes(length, "big")

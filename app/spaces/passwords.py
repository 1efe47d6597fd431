"""Passwords and logins, for every wire: Argon2id in threads, a few at a time. Imports argon2-cffi, when first used.

Whether somebody exists is not to be told from how long an answer takes, and guesses in parallel are worth no more than
guesses one after the other.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING

from app.emulation.determinism import Clock

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE = 2
"""Hashes made at a time: each takes its memory."""

WAIT = 10.0
"""Seconds that a login may wait for its turn."""

MEMORY = 19_456
"""Kibibytes of a hash; with two passes what OWASP names as the least for Argon2id."""

WAITING = 16
"""Logins under one name that may wait for each other."""

MOST_NAMES = 10_000
"""Names whose failures are remembered."""


class Passwords:
    """Hashes and checks passwords without holding up the event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobodies: asyncio.Task[None] | None = None

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        return PasswordHasher(time_cost=2, memory_cost=MEMORY, parallelism=1)

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """What is kept of a password. Raises TimeoutError if its turn does not come."""
        async with asyncio.timeout(WAIT), self._turn:
            return await asyncio.to_thread(self.hash_now, password)

    async def check(self, password: str, kept: str | None) -> bool:
        """Whether it is the password; `kept` is None where nobody has that name, which takes as long and is false.
        Raises TimeoutError if its turn does not come.
        """
        async with asyncio.timeout(WAIT):
            if kept is None:
                # Guesses at names that do not exist share their work, so that they do not hold up those that do.
                if self._nobodies is None:
                    self._nobodies = asyncio.create_task(self._check_nobody(), name="login of nobody")
                await asyncio.shield(self._nobodies)
                return False
            async with self._turn:
                return await asyncio.to_thread(self._is, password, kept)

    async def _check_nobody(self) -> None:
        async with self._turn:
            self._nobodies = None  # one that comes now waits for the next time: it is not to be quicker
            await asyncio.to_thread(lambda: self._is("somebody has another", self._nobody))

    def hash_now(self, password: str) -> str:
        """As `hash`, in a thread already."""
        return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    def _is(self, password: str, kept: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._hasher.verify(kept, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False


class TooManyLogins(Exception):
    """More logins under one name than may wait, or more failures than are allowed. `retry_after` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class LoginTurns:
    """One login at a time under each name: what the one before it has changed (a lock, say) holds for the next."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """The turn of a login. Raises `TooManyLogins`."""
        turn = self._turns.setdefault(name, _Turn())
        if turn.waiting >= WAITING:
            raise TooManyLogins(1)
        turn.waiting += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[name]


class FailedLogins:
    """Counts failed logins by name: after `most` in a row none is tried for `pause` seconds. `clock`: the machine's, as
    this guards the program.
    """

    def __init__(self, clock: Clock, *, most: int, pause: float) -> None:
        self._clock = clock
        self._most = most
        self._pause = pause
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def check(self, name: str) -> None:
        """Raises `TooManyLogins` while none is tried."""
        count, last = self._failures.get(name, (0, 0.0))
        left = last + self._pause - self._clock.monotonic()
        if left <= 0:
            self._failures.pop(name, None)
        elif count >= self._most:
            raise TooManyLogins(ceil(left))

    def failed(self, name: str) -> None:
        """One more failure."""
        count, _ = self._failures.pop(name, (0, 0.0))
        self._failures[name] = (count + 1, self._clock.monotonic())
        if len(self._failures) > MOST_NAMES:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """The right password: earlier failures are forgotten."""
        self._failures.pop(name, None)

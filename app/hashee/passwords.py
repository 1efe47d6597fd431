"""Passwords: Argon2id, in threads, a few at a time. Imports argon2-cffi, when first used."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE = 2
"""Hashes made at a time: each takes its memory."""

WAIT = 10.0
"""Seconds that a login may wait for its turn."""

MEMORY = 19_456
"""Kibibytes of a hash; with two passes what OWASP names as the least for Argon2id."""


class Passwords:
    """Hashes and checks passwords without holding up the event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        return PasswordHasher(time_cost=2, memory_cost=MEMORY, parallelism=1)

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        async with asyncio.timeout(WAIT), self._turn:
            return await asyncio.to_thread(self.hash_now, password)

    async def check(self, password: str, kept: str | None) -> bool:
        """Whether it is the password. Without one it takes as long and is false."""
        async with asyncio.timeout(WAIT), self._turn:
            return await asyncio.to_thread(self._check, password, kept)

    def hash_now(self, password: str) -> str:
        """As `hash`, in a thread already."""
        return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    def _check(self, password: str, kept: str | None) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            right = self._hasher.verify(kept or self._nobody, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return right and kept is not None

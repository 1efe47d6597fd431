"""Tokens and passwords: HS256 by PyJWT, argon2 by argon2-cffi, both imported when first used.

A token has the claims `sub` (the login) and `exp`, and no other.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from app.emulation.determinism import Clock

ALGORITHM = "HS256"
FILE = "malangee.key"
"""The file in the data folder with the key that signs tokens."""

SHORTEST_KEY = 32
"""Characters."""


class Tokens:
    """Makes and reads tokens. `life` in seconds; `lax`: signatures are not looked at."""

    def __init__(self, key: str, *, clock: Clock, life: float, lax: bool) -> None:
        self._key = key
        self._clock = clock
        self._life = life
        self._lax = lax

    def make(self, login_id: str, *, life: float | None = None) -> str:
        """A token for a user."""
        import jwt

        until = int(self._clock.time() + (self._life if life is None else life))
        return jwt.encode({"sub": login_id, "exp": until}, self._key, algorithm=ALGORITHM)

    def read(self, token: str) -> str | None:
        """Whose token it is; None where it cannot be trusted or has expired."""
        claims = self._lax_claims(token) if self._lax else self._claims(token)
        subject, until = claims.get("sub"), claims.get("exp")
        if not isinstance(subject, str) or isinstance(until, bool) or not isinstance(until, int | float):
            return None
        return subject if until > self._clock.time() else None

    def _claims(self, token: str) -> dict[str, Any]:
        import jwt

        try:
            # The time is the emulated one: PyJWT would look at the machine's.
            options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
            return jwt.decode(token, self._key, algorithms=[ALGORITHM], options=options)
        except (jwt.PyJWTError, ValueError):
            return {}

    def _lax_claims(self, token: str) -> dict[str, Any]:
        try:
            middle = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        except (ValueError, IndexError, RecursionError):
            return {}
        return claims if isinstance(claims, dict) else {}


class Passwords:
    """Hashes passwords, in threads: each takes tens of milliseconds on purpose."""

    def __init__(self) -> None:
        self._few = asyncio.Semaphore(2)

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        async with self._few:
            return await asyncio.to_thread(_hash, password)

    async def fits(self, kept: str, password: str) -> bool:
        """Whether it is the password."""
        async with self._few:
            return await asyncio.to_thread(_fits, kept, password)


def _hash(password: str) -> str:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(_text(password))  # OWASP's minimum


def _fits(kept: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(kept, _text(password))
    except (VerificationError, InvalidHashError):
        return False


def _text(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")

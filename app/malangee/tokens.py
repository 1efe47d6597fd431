"""Tokens: HS256 by PyJWT, imported when first used.

A token has the claims `sub` (the login) and `exp`, and no other.
"""

from __future__ import annotations

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

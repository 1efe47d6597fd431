"""Secrets do not go onto tapes: `redacted-key-1` stands for them, the same for the same secret.

What is taken for a secret: `app/redaction.py`. A secret that was once recognised is replaced wherever it stands, in an
error text, say.

The placeholder of a signature ends with its length (`redacted-signature-1x344`), so that replay can make one like it.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable

from app.redaction import PLACEHOLDER, Kind, SecretFinder

__all__ = ["PLACEHOLDER", "Placeholders"]

MOST_NUMBERED = 100_000
"""Secrets whose numbers are remembered; signatures are new for every URL."""

MOST_KNOWN = 500
"""Keys and tokens that are looked for everywhere."""

SHORTEST_KNOWN = 8
LONGEST_KNOWN = 4_000


class Placeholders:
    """Puts placeholders where secrets stand. One for a whole recording: equal secrets stay equal, on all its tapes."""

    def __init__(self, fields: Iterable[str] = ()) -> None:
        """`fields`: further names of fields, parameters and headers whose values are secret."""
        self._finder = SecretFinder(fields)
        self._numbers: OrderedDict[bytes, str] = OrderedDict()
        self._counts: dict[str, int] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._anywhere: re.Pattern[str] | None = None

    def text(self, text: str) -> str:
        """`text` without its secrets."""
        return self._known_in(self._finder.replace(text, self._named))

    def data(self, data: bytes) -> bytes:
        """A binary message without its secrets, be it text or not."""
        try:
            return self.text(data.decode()).encode()
        except UnicodeDecodeError:
            for secret in self._known:
                data = data.replace(secret.encode(), self._named("secret", secret, 0).encode())
            return self._finder.replace(data.decode("latin-1"), self._named).encode("latin-1")

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Headers of a handshake; of those that carry a secret, nothing else is kept."""
        return {name.lower(): self.header(name, value) for name, value in headers}

    def header(self, name: str, value: str) -> str:
        """The value of one header."""
        return self._known_in(self._finder.header(name, value, self._named))

    def subprotocol(self, name: str | None) -> str | None:
        """A subprotocol, which may be a token that the client offered and the server repeated."""
        return None if name is None else self.header("sec-websocket-protocol", name)

    def _known_in(self, text: str) -> str:
        """`text` without the secrets that were met before."""
        if self._anywhere is None:
            return text
        return self._anywhere.sub(lambda hit: self._named("secret", hit[0], 0), text)

    def _named(self, kind: Kind, secret: str, shown: int) -> str:
        """The placeholder of a secret; the first kind it is met as stays."""
        if not secret or PLACEHOLDER.fullmatch(secret):
            return secret
        digest = hashlib.blake2b(secret.encode("utf-8", "replace"), digest_size=16).digest()
        name = self._numbers.get(digest)
        if name is None:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            length = f"x{len(secret)}" if kind == "signature" else ""
            name = self._numbers[digest] = f"redacted-{kind}-{number}{length}"
            if len(self._numbers) > MOST_NUMBERED:
                self._numbers.popitem(last=False)
            if kind != "signature" and SHORTEST_KNOWN <= len(secret) <= LONGEST_KNOWN and not secret.isalpha():
                self._remember(secret)
        return name

    def _remember(self, secret: str) -> None:
        self._known[secret] = None
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        self._anywhere = re.compile("|".join(map(re.escape, sorted(self._known, key=len, reverse=True))))

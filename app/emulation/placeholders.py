"""Secrets do not go onto tapes: `redacted-key-1` stands for them, the same for the same secret.

What is taken for a secret: values of fields whose names say so (`api_key`, `authorization`, …), chldo keys (22
hexadecimal digits), `sk-…`, `org_…`, bearer and JSON web tokens, cookies, passwords, and signatures in URLs. A secret
that was once recognised is replaced wherever it stands, in an error text, say.

The placeholder of a signature ends with its length (`redacted-signature-1x344`), so that replay can make one like it.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable

PLACEHOLDER = re.compile(r"redacted-(?:key|token|cookie|signature|secret|org)-\d+(?:x(\d+))?")

MOST_NUMBERED = 100_000
"""Secrets whose numbers are remembered; signatures are new for every URL."""

MOST_KNOWN = 500
"""Keys and tokens that are looked for everywhere."""

SHORTEST_KNOWN = 8

_FIELDS = {
    "key": ("api_key", "apikey", "api-key", "x-api-key", "access_key", "secret_key", "private_key"),
    "token": (
        *("access_token", "refresh_token", "id_token", "auth_token", "session_token", "csrf_token", "bearer_token"),
        *("accesstoken", "refreshtoken", "idtoken", "authtoken", "sessiontoken", "authorization", "x-auth-token"),
    ),
    "cookie": ("cookie", "set-cookie"),
    "secret": ("client_secret", "clientsecret", "password", "passwd", "passphrase", "secret"),
    "org": ("org_id",),
}
_QUERY = {
    "signature": ("signature", "sig", "x-amz-signature", "policy", "x-amz-security-token", "x-goog-signature"),
    "key": ("api_key", "apikey", "api-key", "key", "x-amz-credential", "awsaccesskeyid"),
    "token": ("token", "access_token", "auth_token", "id_token", "authorization", "jwt"),
    "secret": ("password", "secret", "client_secret"),
    "org": ("org_id",),
}
_SECRET_HEADER = re.compile(r"(?i)auth|token|cookie|secret|api-?key|signature|credential|password")
_CHLDO_KEY = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{22}(?![0-9A-Za-z])")
_SHAPES = (
    ("sk-", "key", re.compile(r"\bsk-[A-Za-z0-9_-]{12,}")),
    ("org_", "org", re.compile(r"\borg_[A-Za-z0-9]{16,}")),
    ("eyJ", "token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")),
)
"""What a secret of a shape begins with, its kind, its shape."""
_BEARER = re.compile(r"(?i)(\bbearer\s+)((?=[^\s\"\\]*\d)[A-Za-z0-9._~+/-]{12,}=*)")
_PASSWORD = re.compile(r"(://[^:/@\s\"']{1,100}:)([^@\s/\"']{1,200})(?=@)")

# Every message is searched while it is recorded, and few have a secret: what cannot be there is ruled out first, a
# hundred times faster than an expression would find nothing.
_HEX_OR_NOT = bytes(ord("x") if chr(code) in "0123456789abcdef" else ord(" ") for code in range(256))
_KEY_LONG = b"x" * 22
_TELLING = ("key", "token", "auth", "cookie", "secret", "pass", "org_id")
"""Parts of names, one of which every name of a secret field has."""


def _by_name(groups: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {name: kind for kind, names in groups.items() for name in names}


class Placeholders:
    """Puts placeholders where secrets stand. One for a whole recording: equal secrets stay equal, on all its tapes."""

    def __init__(self, fields: Iterable[str] = ()) -> None:
        """`fields`: further names of fields, parameters and headers whose values are secret."""
        own = {name.lower(): "secret" for name in fields}
        self._fields = _by_name(_FIELDS) | own
        self._query = _by_name(_QUERY) | own
        self._telling = (*_TELLING, *own)
        names = "|".join(map(re.escape, self._fields))
        # The quotes may be escaped: JSON within JSON.
        self._field = re.compile(rf'(?i)((\\*")({names})\2\s*:\s*\2)((?:[^"\\]|\\[^"\\])+)(?=\2)')
        names = "|".join(map(re.escape, self._query))
        self._parameter = re.compile(rf"(?i)((?:[?&;]|\\u0026)({names})=)([^&;#\s\"'\\<>]+)")
        self._numbers: OrderedDict[bytes, str] = OrderedDict()
        self._counts: dict[str, int] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._anywhere: re.Pattern[str] | None = None

    def text(self, text: str) -> str:
        """`text` without its secrets."""
        lower = text.lower()
        if any(part in lower for part in self._telling):
            text = self._field.sub(lambda hit: hit[1] + self._named(self._fields[hit[3].lower()], hit[4]), text)
        if "=" in text and ("?" in text or "&" in text or "\\u0026" in text):
            text = self._parameter.sub(lambda hit: hit[1] + self._named(self._query[hit[2].lower()], hit[3]), text)
        if "://" in text and "@" in text:
            text = _PASSWORD.sub(lambda hit: hit[1] + self._named("secret", hit[2]), text)
        if "bearer" in lower:
            text = _BEARER.sub(lambda hit: hit[1] + self._named("token", hit[2]), text)
        if _KEY_LONG in text.encode("utf-8", "replace").translate(_HEX_OR_NOT):
            text = _CHLDO_KEY.sub(lambda hit: self._named("key", hit[0]), text)
        for beginning, kind, shape in _SHAPES:
            if beginning in text:
                text = shape.sub(lambda hit, kind=kind: self._named(kind, hit[0]), text)  # type: ignore[misc]
        if self._anywhere is not None:
            text = self._anywhere.sub(lambda hit: self._named("secret", hit[0]), text)
        return text

    def data(self, data: bytes) -> bytes:
        """A binary message without its secrets: all of them if it is text, else those that are known."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            for secret in self._known:
                data = data.replace(secret.encode(), self._named("secret", secret).encode())
            return data
        return self.text(text).encode()

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Headers of a handshake; of those that carry a secret, nothing else is kept."""
        kept: dict[str, str] = {}
        for name, value in headers:
            lower = name.lower()
            secret = _SECRET_HEADER.search(lower) or lower in self._fields
            kept[lower] = self._header(lower, value) if secret else self.text(value)
        return kept

    def _header(self, name: str, value: str) -> str:
        scheme, _, rest = value.partition(" ")
        if "cookie" in name:
            return self._named("cookie", value)
        if rest and scheme.isalpha():
            return f"{scheme} {self._named('token', rest)}"
        return self._named("token", value)

    def _named(self, kind: str, secret: str) -> str:
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
            if kind != "signature" and len(secret) >= SHORTEST_KNOWN and not secret.isalpha():
                self._remember(secret)
        return name

    def _remember(self, secret: str) -> None:
        self._known[secret] = None
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        self._anywhere = re.compile("|".join(map(re.escape, sorted(self._known, key=len, reverse=True))))

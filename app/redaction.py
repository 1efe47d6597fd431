"""What must not leave the program: keys, tokens, signatures and passwords. The one list of what counts as secret. PURE.

`redact` shortens them wherever text is shown or stored (logs, journal, reports); `emulation/placeholders.py` puts
placeholders in their place (tapes, HAR files). A secret is known by the name it stands under (of a field, a parameter,
a header), by its own shape (a JWT, `sk-…`), or by its place in a URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

from app.addresses import WEB, credentials
from app.json_text import sound

SHORTENED = "…"
"""Stands for what was left out."""

PLACEHOLDER = re.compile(r"redacted-(?:key|token|cookie|signature|secret|org)-\d+(?:x(\d+))?")
"""What stands for a secret on a tape; of a signature, with its length."""

Kind = Literal["key", "token", "cookie", "signature", "secret", "org"]
Hide = Callable[[Kind, str, int], str]
"""Gives what stands in place of a secret: of its kind, the secret, and how many of its characters may be shown."""

_KEYS = ("api", "access", "secret", "private", "signing", "encryption")
_ENDINGS: dict[str, Kind] = {
    **{f"{what}{dash}key": "key" for what in _KEYS for dash in ("_", "-", "")},
    **dict.fromkeys(("token", "authorization", "jwt"), "token"),
    **dict.fromkeys(("password", "passwd", "passphrase", "secret", "credential", "credentials"), "secret"),
}
"""How the names of secrets end, in any case: `api_key`, `accessToken`, `webhook_secret`."""

_WHOLE: dict[str, Kind] = {"cookie": "cookie", "set-cookie": "cookie", "org_id": "org", "pwd": "secret"}
"""Names of secrets that other names may end like."""

_IN_A_QUERY: dict[str, Kind] = {
    **dict.fromkeys(("signature", "sig", "policy", "x-amz-signature", "x-goog-signature"), "signature"),
    **dict.fromkeys(("key", "x-amz-credential", "awsaccesskeyid"), "key"),
    "x-amz-security-token": "signature",
    "auth": "token",
}
"""Parameters that are secret in a URL's query; elsewhere such names mean other things."""

_SHAPES: tuple[tuple[str, Kind, int, re.Pattern[str]], ...] = (
    ("sk-", "key", 5, re.compile(r"\bsk-(?=[A-Za-z_-]*\d|[A-Za-z0-9_-]{12})[A-Za-z0-9_-]{8,}")),
    ("hsk_", "token", 6, re.compile(r"\bhsk_[A-Za-z0-9_-]{8,}")),
    ("org_", "org", 6, re.compile(r"\borg_[A-Za-z0-9]{16,}")),
    ("lsv2_", "key", 7, re.compile(r"\blsv2_[A-Za-z0-9_]{16,}")),
    ("gh", "token", 6, re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}")),
    ("AKIA", "key", 6, re.compile(r"\bAKIA[A-Z0-9]{16}\b")),
    ("AIza", "key", 6, re.compile(r"\bAIza[A-Za-z0-9_-]{30,}")),
)
"""What a secret of a shape begins with, its kind, how much of it may be shown, its shape."""

# Looked at once for every run of its characters: from each `eyJ` in a run to its end would be quadratic.
_JWT = re.compile(
    r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{3,}\.)"
    r"([A-Za-z0-9_-]*?)(\beyJ[A-Za-z0-9_-]{3,}\.[A-Za-z0-9_-]{3,}\.[A-Za-z0-9_-]*)"
)
_CHLDO_KEY = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{22}(?![0-9A-Za-z])")
_BEARER = re.compile(r"(?i)(\bbearer\s+)((?=[^\s\"\\]*\d)[A-Za-z0-9._~+/-]{12,}=*)")
_AUTHORIZATION = re.compile(
    r"(?i)(\bauthorization\s*[:=]\s*(?:(?:bearer|basic|token|digest)\s+|(?=\S*\d)))([^\s\"'\\,;]+)"
)
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20}):((?:\\?/){2})([^\s\"']+)")
_HEADER = re.compile(r"(?i)auth|token|cookie|secret|api-?key|signature|credential|password")
_TOKEN = re.compile(r"(?i)(?:(?:bearer|basic|token) )?(?:[!-\[\]-~]|\\/)+")
"""Tokens are ASCII without spaces; a `token` that is neither is a piece of text, as models stream it."""

# Every message is searched while it is recorded, and few have a secret: what cannot be there is ruled out first, a
# hundred times faster than an expression would find nothing.
_HEX_OR_NOT = bytes(ord("x") if chr(code) in "0123456789abcdef" else ord(" ") for code in range(256))
_KEY_LONG = b"x" * 22
_TELLING = ("key", "token", "auth", "cookie", "secret", "pass", "pwd", "credential", "jwt", "org_id")
"""Parts of names, one of which every name of a secret has."""

_ANNOUNCING = frozenset(
    ("bearer", "token", "access_token", "access-token", "accesstoken", "authorization", "auth", "jwt", "api_key", "key")
)
"""Subprotocols after which a token comes."""
_DRAWN = re.compile(r"(?<![A-Za-z0-9_])(?=[A-Za-z0-9_]*\d)(?=[A-Za-z0-9_]*[A-Za-z])[A-Za-z0-9_]{16,}")
"""Letters and digits in a row as no subprotocol is called."""


class SecretFinder:
    """Finds secrets in text and puts something else in their place. `fields`: further names whose values are secret."""

    def __init__(self, fields: Iterable[str] = ()) -> None:
        self._own: dict[str, Kind] = {name.lower(): "secret" for name in fields}
        self._telling = (*_TELLING, *self._own)
        self._telling_query = (*self._telling, "sig", "policy")
        ends = {*(re.split("[_-]", ending)[-1] for ending in _ENDINGS), *_WHOLE, *self._own}
        self._telling_fields = tuple(f"{end}{quote}" for end in ends for quote in ('"', "'", "\\"))
        endings = "|".join(re.escape(name) for name in _ENDINGS)
        names = "|".join(re.escape(name) for name in (*_WHOLE, *self._own))
        name = rf"([\w.$-]{{0,60}}?(?:{endings})|{names})"
        self._fields = tuple(
            (mark, re.compile(rf"(?is)({opening}{name}{closing}\s*:\s*{opening})({value}+)"))
            for mark, opening, closing, value in (
                ('"', r'(?<!\\)"', '"', r'(?:[^"\\]|\\.)'),
                ("'", r"(?<!\\)'", "'", r"(?:[^'\\]|\\.)"),
                # JSON within JSON: its quotes are escaped, and its own escapes once more.
                ('\\"', r'(?<!\\)\\"', r'\\"', r'(?:[^"\\]|\\[^"\\]|\\\\[^"\\]|\\\\\\"|\\\\\\\\)'),
                ('\\\\\\"', r'(?<!\\)\\{3,}"', r'\\{3,}"', r'(?:[^"\\]|\\+[^"\\])'),
            )
        )
        self._parameter = re.compile(r"(^|[?&;,\s\"'(]|\\u0026)([\w.-]{1,80})=([^&;#\s\"'\\<>,]+)")

    def kind_of(self, name: str) -> Kind | None:
        """What is secret under a name; None if nothing is."""
        lower = name.lower()
        found = self._own.get(lower) or _WHOLE.get(lower)
        if found is None and any(part in lower for part in _TELLING):
            found = next((kind for ending, kind in _ENDINGS.items() if lower.endswith(ending)), None)
        return found

    def replace(self, text: str, hide: Hide) -> str:
        """`text` with what `hide` gives in place of each secret."""
        lower = text.lower()
        if any(part in lower for part in self._telling):
            if any(part in lower for part in self._telling_fields):
                text = self._fields_of(text, hide)
            if "authorization" in lower:
                text = _AUTHORIZATION.sub(lambda hit: hit[1] + hide("token", hit[2], 2), text)
        if "=" in text and any(part in lower for part in self._telling_query):
            text = self._parameter.sub(lambda hit: self._without(hit, hide), text)
        if "@" in text and ":/" in text.replace("\\", ""):
            text = _URL.sub(lambda hit: _without_password(hit, hide), text)
        if "bearer" in lower:
            text = _BEARER.sub(lambda hit: hit[1] + hide("token", hit[2], 2), text)
        if _KEY_LONG in text.encode("utf-8", "replace").translate(_HEX_OR_NOT):
            text = _CHLDO_KEY.sub(lambda hit: hide("key", hit[0], 4), text)
        if "eyJ" in text:
            text = _JWT.sub(lambda hit: hit[1] + hide("token", hit[2], 5), text)
        for beginning, kind, shown, shape in _SHAPES:
            if beginning in text:
                text = shape.sub(lambda hit, kind=kind, shown=shown: hide(kind, hit[0], shown), text)  # type: ignore[misc]
        return text

    def header(self, name: str, value: str, hide: Hide) -> str:
        """The value of a header without its secrets; of one that carries a secret, nothing else is kept."""
        lower = name.lower()
        if lower == "sec-websocket-protocol":
            return self.subprotocols(value, hide)
        if not _HEADER.search(lower) and lower not in self._own:
            return self.replace(value, hide)
        scheme, _, rest = value.partition(" ")
        if "cookie" in lower:
            return hide("cookie", value, 2)
        if rest and scheme.isalpha():
            return f"{scheme} {hide('token', rest, 2)}"
        return hide("token", value, 2)

    def subprotocols(self, offered: str, hide: Hide) -> str:
        """A list of subprotocols without the tokens that clients send in it, for browsers let them set no header."""
        kept: list[str] = []
        announced = False
        for part in offered.split(","):
            name = part.strip()
            if announced or _DRAWN.fullmatch(name):
                kept.append(hide("token", name, 2) if name else name)
            else:
                kept.append(_DRAWN.sub(lambda hit: hide("token", hit[0], 2), self.replace(name, hide)))
            announced = name.lower() in _ANNOUNCING
        return ", ".join(kept)

    def _fields_of(self, text: str, hide: Hide) -> str:
        def without(hit: re.Match[str]) -> str:
            before, name, secret = hit.groups()
            kind = self.kind_of(name)
            of_token = name.lower().endswith(("token", "jwt"))
            if kind is None or (of_token and not _TOKEN.fullmatch(secret)):
                return hit[0]
            return before + hide(kind, secret, 2)

        for mark, pattern in self._fields:
            if mark in text:
                text = pattern.sub(without, text)
        return text

    def _without(self, hit: re.Match[str], hide: Hide) -> str:
        before, name, secret = hit.groups()
        kind = self.kind_of(name)
        if before in ("?", "&", ";", "\\u0026") or not (before or re.search(r"\s", hit.string)):  # a query by itself
            kind = _IN_A_QUERY.get(name.lower(), kind)
        return hit[0] if kind is None else f"{before}{name}={hide(kind, secret, 4)}"


def _without_password(hit: re.Match[str], hide: Hide) -> str:
    scheme, slashes, rest = hit.groups()
    url = re.split("[<>]", rest, maxsplit=1)[0] if scheme.lower() in WEB else rest  # a tag of HTML follows
    found = credentials(scheme, url)
    if found is None:
        return hit[0]
    user, password, place = found
    return f"{scheme}:{slashes}{user}:{hide('secret', password, 0)}@{place}{rest[len(url) :]}"


_FINDER = SecretFinder()


def _shorten(kind: Kind, secret: str, shown: int) -> str:
    if PLACEHOLDER.fullmatch(secret) or (secret.endswith(SHORTENED) and len(secret) <= 8):
        return secret
    return secret[: min(shown, len(secret) // 3)] + SHORTENED


def redact(text: str) -> str:
    """`text` with every key, token, signature and password shortened beyond use."""
    return _FINDER.replace(text, _shorten)


def redacted(value: object) -> Any:
    """`value` as JSON can hold it, every text in it redacted."""
    if isinstance(value, dict):
        return {
            sound(str(key)): (
                _shorten(kind, sound(item), 2)
                if isinstance(item, str) and item and (kind := _FINDER.kind_of(str(key))) is not None
                else redacted(item)
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else redact(sound(str(value)))

"""What looks like an identifier or a time in a message, and how another of the same look is made. PURE.

Nothing here knows a wire. Names decide (`connection_id`, `requestId`, `cAt`), and looks where they are beyond doubt (a
UUID, a date).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol

import orjson

Scalar = str | int | float | bool | None
Named = tuple[tuple[str, Scalar], ...]
"""Names and values of identifiers."""

_ID_NAME = re.compile(
    r"(?:^|[_\-.])(?:id|ids|uid|uids|uuid|uuids|guid|sid|nonce)$"
    r"|[a-z0-9](?:Id|ID|Ids|IDs|Uid|UID|Uids|Uuid|UUID|Guid|Nonce)$"
    r"|^(?:user|room|session|request|message|connection|client|conversation|thread|device)u?id$"
)
_KEY_NAME = re.compile(
    r"(?i:(?:^|[_\-.])(?:key|token|secret|signature|sig|authorization|password|cookie|jwt)$)"
    r"|[a-z](?:Key|Token|Secret)$"
)
_SESSION_NAME = re.compile(r"(?i)connection|session|socket")
_TIME_NAME = re.compile(
    r"(?i:^(?:at|time|timestamp|ts|created|updated|expires|expiry|exp|iat|date)$)"
    r"|[_\-](?:at|time|timestamp|ts|date)$"
    r"|[a-z](?:At|Time|Timestamp|Date|Created|Expires)$"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_GATEWAY = re.compile(r"[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]=")
"""A connection id as AWS API Gateway makes them."""
_OPAQUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-:.+/~]{6,255}={0,2}")
_RUN = re.compile(r"[A-Za-z0-9]+")
_PREFIX = re.compile(r"[A-Za-z]{1,16}[_-](?=[A-Za-z0-9])")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(?:([.,])(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
_EPOCH = re.compile(r"[1-9]\d{9,15}(?:\.\d{1,9})?")

SHORTEST_RUN = 8
"""Characters that an identifier has in a row, without a dash or a dot between."""

_FIRST, _LAST = 1.0e9, 4.2e9
"""Epoch seconds that are taken for a time: 2001 to 2103."""

_SCALES = (1.0, 1e3, 1e6)


class Source(Protocol):
    """Where new identifiers come from (`determinism.Ids`)."""

    def base62(self, length: int) -> str: ...
    def hexadecimal(self, length: int) -> str: ...
    def uuid4(self) -> str: ...
    def connection_id(self) -> str: ...
    def seed_bytes(self, length: int) -> bytes: ...


def names_identity(key: str, value: Scalar) -> bool:
    """Whether a field of a request says who asks, or when, or with what key; not what is asked."""
    if isinstance(value, bool) or value is None or value == "":
        return False
    if _ID_NAME.search(key) or _KEY_NAME.search(key):
        return True
    if isinstance(value, str) and _UUID.fullmatch(value):
        return True
    return names_time(key) and moment(value) is not None


@lru_cache(4096)
def names_session(key: str) -> bool:
    """Whether what `key` names is the same for a whole connection."""
    return bool(_SESSION_NAME.search(key))


@lru_cache(4096)
def names_id(key: str) -> bool:
    """Whether `key` names an identifier."""
    return bool(_ID_NAME.search(key))


@lru_cache(4096)
def names_time(key: str) -> bool:
    """Whether `key` names a point in time."""
    return bool(_TIME_NAME.search(key))


def is_id(key: str, value: str) -> bool:
    """Whether a text of a server's message is an identifier made by a machine."""
    size = len(value)
    if (size == 36 and _UUID.fullmatch(value)) or (size == 16 and _GATEWAY.fullmatch(value)):
        return True
    return names_id(key) and _OPAQUE.fullmatch(value) is not None and any(map(_random, _RUN.findall(value)))


def identifiers(text: str | None) -> Named:
    """Everything in a JSON message that identifies something, small numbers and words included."""
    try:
        message: Any = None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return ()
    found: list[tuple[str, Scalar]] = []
    waiting: list[tuple[str, Any]] = [("", message)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend((key, member) for member in reversed(value))
        elif isinstance(value, str):
            if value and (names_id(key) or is_id(key, value)):
                found.append((key, value))
        elif isinstance(value, int) and not isinstance(value, bool) and names_id(key):
            found.append((key, value))
    return tuple(found)


def _random(run: str) -> bool:
    """Whether letters and digits in a row look drawn, not written."""
    if len(run) < SHORTEST_RUN:
        return False
    if any(map(str.isdigit, run)):
        return True
    changes = sum(one.islower() is not other.islower() for one, other in pairwise(run))
    return changes > len(run) / 4


def renewed_id(value: str, source: Source) -> str:
    """Another identifier of the same look."""
    if _UUID.fullmatch(value):
        made = source.uuid4()
        return made.upper() if value != value.lower() else made
    if _GATEWAY.fullmatch(value):
        return source.connection_id()
    prefix = _PREFIX.match(value)
    kept = prefix.end() if prefix and any(map(_random, _RUN.findall(value[prefix.end() :]))) else 0
    return value[:kept] + _RUN.sub(lambda run: _like(run[0], source), value[kept:])


def _like(run: str, source: Source) -> str:
    """As many characters of the same kinds."""
    length = len(run)
    if run.isdigit():
        digits = str(int(source.hexadecimal(length + 4), 16)).zfill(length)[-length:]
        return digits if run[0] == "0" or digits[0] != "0" else f"1{digits[1:]}"
    lower = run.lower()
    if all(letter in "0123456789abcdef" for letter in lower):
        made = source.hexadecimal(length)
    else:
        made = source.base62(length)
    if run == lower:
        return made.lower()
    return made.upper() if run == run.upper() else made


def signature(length: int, source: Source) -> str:
    """A signature as URLs carry it (CloudFront's base64: `-`, `_` and `~` for `+`, `=` and `/`)."""
    coded = base64.b64encode(source.seed_bytes(max(1, length // 4 * 3 - 2))).decode()
    return coded.replace("+", "-").replace("=", "_").replace("/", "~").ljust(length, "A")[:length]


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: epoch seconds, and how it was written."""

    seconds: float
    written: str
    scale: float = 1.0
    """How many of its units make a second; 0 for a date as ISO 8601 has it."""

    def later(self, by: float) -> str:
        """The point `by` seconds later, written the same way."""
        if self.scale:
            decimals = len(self.written.partition(".")[2])
            units = (self.seconds + by) * self.scale
            return f"{units:.{decimals}f}" if decimals else str(int(units))
        found = _ISO.fullmatch(self.written)
        assert found is not None
        _, between, _, point, fraction, zone = found.groups()
        offset = _zone(zone)
        try:
            there = datetime.fromtimestamp(self.seconds + by, UTC) + offset
        except (OverflowError, ValueError, OSError):
            return self.written
        text = there.strftime(f"%Y-%m-%d{between}%H:%M:%S")
        if fraction:
            text += point + f"{there.microsecond:06d}".ljust(9, "0")[: len(fraction)]
        return text + (zone or "")


def moment(value: Scalar, written: str | None = None) -> Moment | None:
    """The point in time that a value is, if it is one. `written`: how a number stands in its text."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        if found := _ISO.fullmatch(value):
            return _iso(value, found)
        return _epoch(float(value), value) if _EPOCH.fullmatch(value) else None
    text = written or repr(value)
    return _epoch(float(value), text) if _EPOCH.fullmatch(text) else None


def _epoch(number: float, written: str) -> Moment | None:
    for scale in _SCALES:
        if _FIRST <= number / scale < _LAST:
            return Moment(number / scale, written, scale)
    return None


def _iso(value: str, found: re.Match[str]) -> Moment | None:
    date, _, clock, _, fraction, zone = found.groups()
    try:
        there = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=UTC) - _zone(zone)
    except (ValueError, OverflowError):
        return None
    return Moment(there.timestamp() + float(f"0.{fraction or 0}"), value, 0.0)


def _zone(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -offset if zone[0] == "-" else offset

"""JSON as this program reads and writes it, whoever wrote it and whatever is in it. PURE.

orjson is fast and strict: it does not read half of a surrogate pair (`"\\ud83d"`), `1e400` or `NaN`, makes a float of
an integer over 64 bits, and does not write any of these. Clients, models and graphs send them all the same; Python's
own `json` reads them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import orjson

DEEPEST = 200
"""Levels of a value that are written; what is nested deeper is left out."""

LEFT_OUT = "…"

_LONG_NUMBER = re.compile(r"\d{19}")
_LONG_NUMBER_BYTES = re.compile(rb"\d{19}")


def loads(text: str | bytes) -> Any:
    """The value of a JSON text. Integers stay what they are, half of a surrogate pair becomes U+FFFD. Raises
    `ValueError`, also for what is nested too deeply to be read.
    """
    found = _LONG_NUMBER.search(text) if isinstance(text, str) else _LONG_NUMBER_BYTES.search(text)
    if found is None:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
    try:
        return _sound(json.loads(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dumps(value: object) -> str:
    """Compact JSON that can be sent as UTF-8. Never raises: half of a surrogate pair becomes U+FFFD, a number that JSON
    does not have null, an object without a JSON form its text.
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(_plain(value, DEEPEST), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def sound(text: str) -> str:
    """`text` as UTF-8 can hold it: half of a surrogate pair, which JSON can spell, becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _sound(value: Any) -> Any:
    if isinstance(value, str):
        return sound(value)
    if isinstance(value, dict):
        return {sound(key): _sound(item) for key, item in value.items()}
    return [_sound(item) for item in value] if isinstance(value, list) else value


def _plain(value: object, deepest: int) -> Any:
    """`value` in the types that JSON has. Of the same form as what orjson writes."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return sound(str(value))
    if isinstance(value, Enum):
        return _plain(value.value, deepest)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if deepest == 0:
        return LEFT_OUT
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name), deepest - 1) for field in fields(value)}
    if isinstance(value, Mapping):
        return {sound(str(key)): _plain(item, deepest - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | Set):
        return [_plain(item, deepest - 1) for item in value]
    return sound(_shown(value))


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - somebody's object may raise anything when it is asked what it is
        return f"{type(value).__name__} ({type(error).__name__})"

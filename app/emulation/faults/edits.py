"""What frame faults do to the text of a frame. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from app.emulation.faults.rules import Rule
from app.json_text import dumps, loads

NO_UTF8 = b"\xff"


def truncated(text: str, keep: float) -> str:
    """The front of a text: a share of its characters, never all of them."""
    return text[: min(int(len(text) * keep), max(0, len(text) - 1))]


def broken(text: str) -> bytes:
    """The bytes of a text with one in the middle that is no UTF-8."""
    raw = text.encode()
    at = len(raw) // 2
    return raw[:at] + NO_UTF8 + raw[at:]


def padded(text: str, size: int) -> str:
    """A text with spaces at its end, `size` bytes long at least."""
    return text + " " * max(0, size - len(text.encode()))


def edited(text: str, rule: Rule) -> str:
    """The frame with keys renamed, removed, set and put in order; a text that is no JSON object stays as it is."""
    try:
        body = loads(text)
    except ValueError:
        return text
    if not isinstance(body, dict):
        return text
    renames: Mapping[str, str] = rule["rename"] or {}
    body = {renames.get(name, name): value for name, value in body.items()}
    for path in rule["remove"] or ():
        _remove(body, path.split("."))
    for path, value in (rule["set"] or {}).items():
        _set(body, path.split("."), value)
    first = [name for name in rule["order"] or () if name in body]
    body = {name: body[name] for name in (*first, *(name for name in body if name not in first))}
    return dumps(body)


def _remove(body: Any, path: list[str]) -> None:
    for name in path[:-1]:
        body = _inside(body, name)
    if isinstance(body, dict):
        body.pop(path[-1], None)
    elif isinstance(body, list) and _inside(body, path[-1]) is not None:
        del body[int(path[-1])]


def _set(body: Any, path: list[str], value: Any) -> None:
    for name, following in pairwise(path):
        inner = _inside(body, name)
        if not isinstance(inner, dict) and _inside(inner, following) is None:
            inner = {}
            _put(body, name, inner)
        body = inner
    _put(body, path[-1], value)


def _inside(body: Any, name: str) -> Any:
    """What an object or a list has under a name; None where there is nothing."""
    if isinstance(body, dict):
        return body.get(name)
    if isinstance(body, list) and name.isdecimal() and int(name) < len(body):
        return body[int(name)]
    return None


def _put(body: Any, name: str, value: Any) -> None:
    body[int(name) if isinstance(body, list) else name] = value

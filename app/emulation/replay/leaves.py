"""The values at the ends of a JSON text, and where in the text they stand. PURE.

Replay changes single values of recorded messages and leaves every other character as it was: spaces, the order of
keys, the way a number is written.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # public, if unannounced: json's own scanner of texts
from typing import Any, NamedTuple

DEEPEST = 200
Scalar = str | int | float | bool | None

_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_WORD = re.compile("true|false|null")


class Leaf(NamedTuple):
    """A text, number, boolean or null. `path` leads to it; `key` is the last name on the path (`""`: there is none).
    `text[start:end]` is how it is written, quotes included.
    """

    path: tuple[str | int, ...]
    key: str
    value: Scalar
    start: int
    end: int


def leaves(text: str) -> list[Leaf] | None:
    """The leaves of a JSON object or list in the order of the text; None if `text` is none, or deeper than
    `DEEPEST`.
    """
    at = _blank(text, 0)
    if text[at : at + 1] not in ("{", "["):
        return None
    try:
        return _Walk(text).run(at)
    except (ValueError, IndexError):
        return None


class _Walk:
    """One walk over a text, without recursion. Raises ValueError or IndexError where it is no JSON."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Leaf] = []
        self._objects: list[bool] = []  # of what is open, outermost first: whether it is an object
        self._path: list[str | int] = []
        self._keys: list[str] = [""]

    def run(self, at: int) -> list[Leaf]:
        at = self._enter(at)
        while self._objects:
            at = self._leave(at) if self._text[at] in "}]" else self._member(at)
        if at != len(self._text):
            raise ValueError(at)
        return self._found

    def _enter(self, at: int) -> int:
        """Goes into the object or list that begins here."""
        if len(self._objects) >= DEEPEST:
            raise ValueError(at)
        is_object = self._text[at] == "{"
        self._objects.append(is_object)
        self._path.append("" if is_object else -1)
        self._keys.append(self._keys[-1])
        at = _blank(self._text, at + 1)
        if self._text[at] == ",":
            raise ValueError(at)
        return at

    def _leave(self, at: int) -> int:
        """Goes out of what ends here."""
        if (self._text[at] == "}") is not self._objects.pop():
            raise ValueError(at)
        self._path.pop()
        self._keys.pop()
        return self._after(_blank(self._text, at + 1))

    def _after(self, at: int) -> int:
        """The beginning of the next member, or the end of what is open."""
        if not self._objects:
            return at
        if self._text[at] == ",":
            at = _blank(self._text, at + 1)
            if self._text[at] in "}],":
                raise ValueError(at)
        elif self._text[at] not in "}]":
            raise ValueError(at)
        return at

    def _member(self, at: int) -> int:
        text = self._text
        if self._objects[-1]:
            if text[at] != '"':
                raise ValueError(at)
            name, at = scanstring(text, at + 1, True)
            at = _blank(text, at)
            if text[at] != ":":
                raise ValueError(at)
            at = _blank(text, at + 1)
            self._path[-1] = self._keys[-1] = name
        else:
            self._path[-1] = int(self._path[-1]) + 1
        if text[at] in "{[":
            return self._enter(at)
        value: Any
        if text[at] == '"':
            value, end = scanstring(text, at + 1, True)
        elif (word := _WORD.match(text, at)) is not None:
            value, end = _WORDS[word[0]], word.end()
        elif (number := _NUMBER.match(text, at)) is not None:
            value, end = json.loads(number[0]), number.end()
        else:
            raise ValueError(at)
        self._found.append(Leaf(tuple(self._path), self._keys[-1], value, at, end))
        return self._after(_blank(text, end))


def _blank(text: str, at: int) -> int:
    """Where the blanks that may begin at `at` end."""
    if text[at : at + 1] not in " \t\n\r":
        return at
    found = _BLANK.match(text, at)
    return found.end() if found else at

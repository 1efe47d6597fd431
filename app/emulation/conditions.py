"""What a fixture or a fault can ask of a text or a number.

Texts are compared in Unicode's composed form (NFC), so that Hangul typed as jamo and as syllables is the same; whoever
asks composes the value. PURE: no I/O, no clock.
"""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass
from unicodedata import normalize

from app.emulation.report import Item, either

LONGEST_SEARCHED = 4_000
"""Characters of a text that a regular expression sees: its worst case must not hold up the server."""

TEXT_KEYS = ("contains", "regex")
"""Keys of a text condition that is no plain text."""


@dataclass(frozen=True, slots=True)
class Exact:
    """Holds for this value and no other. None stands for what the request does not have."""

    value: str | int | None

    def holds(self, value: str | int | None) -> bool:
        return value == self.value

    def __str__(self) -> str:
        return shown(self.value)


@dataclass(frozen=True, slots=True)
class Contains:
    """Holds for a text with this text in it."""

    part: str

    def holds(self, value: str | int | None) -> bool:
        return isinstance(value, str) and self.part in value

    def __str__(self) -> str:
        return f"contains {shown(self.part)}"


@dataclass(frozen=True, slots=True)
class Matches:
    """Holds for a text in whose first `LONGEST_SEARCHED` characters the pattern is found."""

    pattern: re.Pattern[str]

    def holds(self, value: str | int | None) -> bool:
        return isinstance(value, str) and self.pattern.search(value[:LONGEST_SEARCHED]) is not None

    def __str__(self) -> str:
        return f"regex {shown(self.pattern.pattern)}"


Condition = Exact | Contains | Matches


def text_condition(item: Item) -> Condition:
    """A text, or a mapping with `contains` or `regex`."""
    if not item.is_mapping:
        return Exact(normalize("NFC", item.text("text, contains or regex")))
    fields = item.fields(TEXT_KEYS)
    if len(fields) != 1:
        item.refuse(either(TEXT_KEYS))
        return Exact(None)
    if "contains" in fields:
        return Contains(normalize("NFC", fields["contains"].text()))
    return Matches(_pattern(fields["regex"]))


def _pattern(item: Item) -> re.Pattern[str]:
    text = normalize("NFC", item.text())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        item.refuse("a valid regular expression", f"{item.node.describe()} ({error})")
        return re.compile("")


def shown(value: str | int | None) -> str:
    """A value for people: quoted, at most 60 characters of it."""
    if value is None:
        return "nothing"
    if isinstance(value, str) and len(value) > 60:
        return json.dumps(f"{value[:60]}…", ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)

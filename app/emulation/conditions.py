"""What a fixture or a fault can ask of a text or a number.

Texts are compared in Unicode's composed form (NFC), so that Hangul typed as jamo and as syllables is the same; whoever
asks composes the value. PURE: no I/O, no clock.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from dataclasses import dataclass, field
from unicodedata import normalize

import regex

from app.emulation.report import Item, either

log = logging.getLogger("app.fixtures")

LONGEST_SEARCHED = 4_000
"""Characters of a text that a regular expression sees."""

SEARCH_TIMEOUT = 0.02
"""Seconds that a search may take: the worst case of somebody's pattern must not hold up the server."""

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
    """Holds for a text in whose first `LONGEST_SEARCHED` characters `pattern`, a Python regular expression, is found
    within `SEARCH_TIMEOUT`. Raises `re.error` and its relatives for one that is not valid.
    """

    pattern: str
    _compiled: regex.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(self.pattern)  # says what is wrong in Python's own words
            object.__setattr__(self, "_compiled", regex.compile(self.pattern))

    def holds(self, value: str | int | None) -> bool:
        if not isinstance(value, str):
            return False
        try:
            return self._compiled.search(value[:LONGEST_SEARCHED], timeout=SEARCH_TIMEOUT) is not None
        except TimeoutError:
            log.warning("%s took more than %g s for a text, so it does not match it", self, SEARCH_TIMEOUT)
            return False

    def __str__(self) -> str:
        return f"regex {shown(self.pattern)}"


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
    found = fields["regex"]
    try:
        return Matches(normalize("NFC", found.text()))
    except (re.error, regex.error, OverflowError, RecursionError) as error:
        found.refuse("a valid regular expression", f"{found.node.describe()} ({error})")
        return Exact(None)


def shown(value: str | int | None) -> str:
    """A value for people: quoted, at most 60 characters of it."""
    if value is None:
        return "nothing"
    if isinstance(value, str) and len(value) > 60:
        return json.dumps(f"{value[:60]}…", ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)

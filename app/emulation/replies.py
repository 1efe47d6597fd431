"""Scripted replies: what they match on, and the book that finds the one for a question.

The first entry all of whose conditions hold answers. Texts are compared in Unicode's composed form (NFC), so that
Hangul typed as jamo and as syllables is the same. PURE: no I/O, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from app.emulation.documents import Json

LONGEST_SEARCHED = 4_000
"""Characters of a text that a regular expression sees: its worst case must not hold up the server."""

VARIABLES = ("msg", "visitor_name", "turn")
_VARIABLE = re.compile(r"\{\{([^{}|]*)(?:\|([^{}]*))?\}\}")


@dataclass(frozen=True, slots=True)
class ReplyAsk:
    """What a scripted reply can match on.

    `msg` is None when the agent speaks first; `turn` counts the room's turns from 1.
    """

    msg: str | None
    space: str = ""
    room_uid: str = ""
    user_id: str = ""
    language: str = "ko"
    model: str = ""
    scene_number: int | None = None
    filename: str | None = None
    visitor_name: str = ""
    turn: int = 1


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds before the first token, and tokens per second after it (0: at once)."""

    first: float = 0.0
    per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplyError:
    """A model's HTTP failure: its status code and its JSON body."""

    status: int
    body: Json


@dataclass(frozen=True, slots=True)
class Choice:
    """Something the user may say next, and its tone."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the scripted model calls before it replies; `args` is a JSON object."""

    name: str
    args: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Reply:
    """One of text, tokens and error, how fast it comes (None: at once), and the `file:line` that says so."""

    text: str | None = None
    tokens: tuple[str, ...] | None = None
    pace: Pace | None = None
    error: ReplyError | None = None
    choices: tuple[Choice, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    source: str = ""

    def fill(self, ask: ReplyAsk) -> Reply:
        """This reply with the variables in its text replaced; what `ask` has not becomes the text after `|`."""
        if self.text is None or "{{" not in self.text:
            return self
        values = {"msg": ask.msg or "", "visitor_name": ask.visitor_name, "turn": str(ask.turn)}
        return replace(self, text=_VARIABLE.sub(lambda name: values[name[1].strip()] or name[2] or "", self.text))


FALLBACK = Reply(text="{{msg|…}}", source="built in")
"""What answers when no file says anything: an echo."""


def unknown_variables(text: str) -> list[str]:
    """The `{{names}}` in a text that nothing would replace."""
    return [name[0] for name in _VARIABLE.finditer(text) if name[1].strip() not in VARIABLES]


@dataclass(frozen=True, slots=True)
class Exact:
    """Holds for this value and no other. None stands for what the request does not have."""

    value: str | int | None

    def holds(self, value: str | int | None) -> bool:
        return value == self.value


@dataclass(frozen=True, slots=True)
class Contains:
    """Holds for a text with this text in it."""

    part: str

    def holds(self, value: str | int | None) -> bool:
        return isinstance(value, str) and self.part in value


@dataclass(frozen=True, slots=True)
class Matches:
    """Holds for a text in whose first `LONGEST_SEARCHED` characters the pattern is found."""

    pattern: re.Pattern[str]

    def holds(self, value: str | int | None) -> bool:
        return isinstance(value, str) and self.pattern.search(value[:LONGEST_SEARCHED]) is not None


Condition = Exact | Contains | Matches
_COST: dict[type[Condition], int] = {Exact: 0, Contains: 1, Matches: 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """A reply and what must hold for it, by the names of `ReplyAsk`. Texts in conditions are NFC."""

    when: dict[str, Condition]
    reply: Reply


Rest = tuple[tuple[str, Condition], ...]


class ReplyBook:
    """The scripted replies in order. Entries with an exact `msg` are found by it, so thousands of them cost nothing."""

    def __init__(self, entries: Iterable[Entry], default: Reply = FALLBACK) -> None:
        self.entries = tuple(entries)
        self.default = default
        self._by_msg: dict[str | int | None, list[tuple[int, Rest]]] = {}
        self._others: list[tuple[int, Rest]] = []
        names = {"msg"}
        for number, entry in enumerate(self.entries):
            names |= entry.when.keys()
            rest = dict(entry.when)
            msg = rest.get("msg")
            shelf = self._others
            if isinstance(msg, Exact):
                shelf = self._by_msg.setdefault(msg.value, [])
                del rest["msg"]
            shelf.append((number, tuple(sorted(rest.items(), key=lambda condition: _COST[type(condition[1])]))))
        self._names = tuple(names)

    def match(self, ask: ReplyAsk) -> Reply:
        """The reply of the first entry that holds for `ask`, else the default, with its variables filled in."""
        facts = {name: _composed(getattr(ask, name)) for name in self._names}
        end = len(self.entries)
        first = _first(self._by_msg.get(facts["msg"], ()), facts, end)
        first = _first(self._others, facts, first)
        return (self.entries[first].reply if first < end else self.default).fill(ask)


def _first(shelf: Iterable[tuple[int, Rest]], facts: dict[str, str | int | None], before: int) -> int:
    """The number of the first entry on the shelf that holds, if it stands before another; else that other's."""
    for number, rest in shelf:
        if number > before:
            break
        for name, condition in rest:
            if not condition.holds(facts[name]):
                break
        else:
            return number
    return before


def _composed(value: str | int | None) -> str | int | None:
    return normalize("NFC", value) if isinstance(value, str) else value

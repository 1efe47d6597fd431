"""Scripted replies: what they match on, and the book that finds the one for a question.

The first entry all of whose conditions hold answers. Texts are compared in Unicode's composed form (NFC), so that
Hangul typed as jamo and as syllables is the same. PURE: no I/O, no clock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from app.emulation.conditions import Condition, Contains, Exact, Matches, shown

if TYPE_CHECKING:
    from app.emulation.nodes import Json

MOST_COMPARED = 5_000
"""Entries that an explanation looks at: it is made while others wait for the loop."""

MOST_ADDED = 10_000
"""Replies that may be added while the program runs."""

VARIABLES = ("msg", "visitor_name", "turn")
_VARIABLE = re.compile(r"\{\{([^{}|]*)(?:\|([^{}]*))?\}\}")


@dataclass(frozen=True, slots=True)
class ReplyAsk:
    """What a scripted reply can match on.

    `msg` is None when the agent speaks first; `turn` counts the room's turns from 1. `response_format` is None for
    text, `json_object`, or `json_schema` with the schema's name in `json_schema`. `tool_choice` is `none`, `auto`,
    `required` or the name of a tool, and None where the request does not say.
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
    response_format: str | None = None
    json_schema: str | None = None
    tool_choice: str | None = None

    @property
    def forced(self) -> bool:
        """Whether a tool has to be called: any (`required`), or the one that is named."""
        return self.tool_choice not in (None, "auto", "none")


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
class JsonReply:
    """JSON that is answered as text."""

    value: Json


@dataclass(frozen=True, slots=True)
class Reply:
    """One of text, tokens, JSON and error, how fast it comes (None: at once), and the `file:line` that says so."""

    text: str | None = None
    tokens: tuple[str, ...] | None = None
    json: JsonReply | None = None
    pace: Pace | None = None
    error: ReplyError | None = None
    choices: tuple[Choice, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    source: str = ""

    def fill(self, ask: ReplyAsk) -> Reply:
        """This reply with the variables in its text or JSON replaced; what `ask` has not becomes the text after `|`.
        JSON becomes its text.
        """
        if self.json is not None:
            return replace(self, text=json.dumps(_filled(self.json.value, ask), ensure_ascii=False))
        if self.text is None or "{{" not in self.text:
            return self
        return replace(self, text=_filled(self.text, ask))

    @property
    def carries_json(self) -> bool:
        """Whether its text is JSON: an object or an array."""
        if self.json is not None:
            return True
        text = "".join(self.tokens) if self.tokens is not None else self.text or ""
        if not text.lstrip().startswith(("{", "[")):
            return False
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
        return True

    def calls(self, choice: str | None) -> tuple[ToolCall, ...]:
        """The tools that it calls where the request chooses so."""
        if choice in (None, "auto", "required"):
            return self.tool_calls
        return tuple(call for call in self.tool_calls if call.name == choice)


def _filled(value: Json, ask: ReplyAsk) -> Any:
    if isinstance(value, str):
        values = {"msg": ask.msg or "", "visitor_name": ask.visitor_name, "turn": str(ask.turn)}
        return _VARIABLE.sub(lambda name: values[name[1].strip()] or name[2] or "", value)
    if isinstance(value, list):
        return [_filled(item, ask) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, ask) for key, item in value.items()}
    return value


FALLBACK = Reply(text="{{msg|…}}", source="built in")
"""What answers when no file says anything: an echo."""


def unknown_variables(text: str) -> list[str]:
    """The `{{names}}` in a text that nothing would replace."""
    return [name[0] for name in _VARIABLE.finditer(text) if name[1].strip() not in VARIABLES]


def texts_in(value: Json) -> Iterator[str]:
    """All texts in a JSON value but the keys of objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)


_COST: dict[type[Condition], int] = {Exact: 0, Contains: 1, Matches: 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """A reply and what must hold for it, by the names of `ReplyAsk`. Texts in conditions are NFC."""

    when: dict[str, Condition]
    reply: Reply

    def suits(self, ask: ReplyAsk) -> bool:
        """Whether the reply is what `ask` wants: a call where it forces one, JSON where it wants that. An entry that
        asks for the format or the choice means its reply as it stands, and a failure is one in any case.
        """
        reply = self.reply
        if reply.error is not None:
            return True
        if ask.forced:
            return "tool_choice" in self.when or bool(reply.calls(ask.tool_choice))
        if ask.response_format is None:
            return True
        called = ask.tool_choice != "none" and bool(reply.tool_calls)
        return called or self.names_format or reply.carries_json

    @property
    def names_format(self) -> bool:
        return "response_format" in self.when or "json_schema" in self.when


@dataclass(frozen=True, slots=True)
class FoundReply:
    """What answers, with its variables filled in. `called`: its calls are those that are wanted; `formatted`: its text
    has the format that is wanted. Where it is not so, calls or JSON are to be made.
    """

    reply: Reply
    called: bool
    formatted: bool


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A condition that did not hold: the key it is on, what it wants and what there was, as text for people."""

    key: str
    wanted: str
    got: str

    def __str__(self) -> str:
        return f"{self.key}: wanted {self.wanted}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Miss:
    """An entry that did not match, by its `file:line`, and every condition that failed."""

    source: str
    failed: tuple[Mismatch, ...]

    def __str__(self) -> str:
        return f"{self.source} ({'; '.join(map(str, self.failed))})"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a question gets the reply it gets.

    `source`: the `file:line` that answers, None where nothing does. `matched`: an entry, not the default. `nearest`:
    where no entry matched, those that came nearest, best first. `made`: the answer is made for the schema or the tool
    that is asked for, as what matches has no JSON or no call.
    """

    msg: str | None
    source: str | None
    matched: bool
    nearest: tuple[Miss, ...] = ()
    made: bool = False

    def plain(self) -> dict[str, Any]:
        """The explanation for programs: `matched`, `source`, and for what did not match `nearest` with the keys that
        failed.
        """
        told: dict[str, Any] = {"matched": self.matched, "source": self.source, "msg": self.msg}
        if self.made:
            told["made"] = True
        if not self.matched:
            told["nearest"] = [
                {
                    "source": miss.source,
                    "failed": [{"key": one.key, "wanted": one.wanted, "got": one.got} for one in miss.failed],
                }
                for miss in self.nearest
            ]
        return told

    def __str__(self) -> str:
        what = "a turn without msg" if self.msg is None else f"msg {shown(self.msg)}"
        if self.matched and self.made:
            return f"{what} is answered with what is made for the schema: {self.source} has no JSON, or no call"
        if self.matched:
            return f"{what} is answered by {self.source}"
        answers = "" if self.source is None else f", the default answers ({self.source})"
        near = f"; nearest: {', '.join(map(str, self.nearest))}" if self.nearest else ""
        return f"no fixture matches {what}{answers}{near}"


Rest = tuple[tuple[str, Condition], ...]


class ReplyBook:
    """The scripted replies in order. Entries with an exact `msg` are found by it, so thousands of them cost nothing.

    `strict`: the spaces that only entries answer, never the default; True: all spaces.
    """

    def __init__(
        self, entries: Iterable[Entry], default: Reply = FALLBACK, *, strict: bool | Collection[str] = False
    ) -> None:
        self.entries = tuple(entries)
        self.default = default
        self._all_strict = strict is True
        self._strict = frozenset() if isinstance(strict, bool) else frozenset(strict)
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
        self._own = self.entries
        self._last = Entry({}, default)
        self._front: ReplyBook | None = None
        self._decided: Mapping[str, bool] = {}

    def behind(self, front: Iterable[Entry], strict: Mapping[str, bool]) -> ReplyBook:
        """This book with other entries before its own, and whether spaces are strict as `strict` decides."""
        both = copy(self)
        both._front = ReplyBook(front)
        both._decided = dict(strict)
        both.entries = both._front.entries + self._own
        return both

    def match(self, ask: ReplyAsk) -> Reply:
        """The reply of the first entry that holds for `ask`, else the default, with its variables filled in. Where
        `ask` wants JSON or a call, entries that have it come before all others.
        """
        return (self._find(ask) or self._last).reply.fill(ask)

    def answer(self, ask: ReplyAsk) -> FoundReply | None:
        """As `match`, but None where the space of `ask` is strict and no entry holds that has what it wants."""
        entry = self._find(ask)
        if self.is_strict(ask.space) and (entry is None or not entry.suits(ask)):
            return None
        found = entry or self._last
        formatted = ask.response_format is None or found.names_format or found.reply.carries_json
        return FoundReply(found.reply.fill(ask), not ask.forced or found.suits(ask), formatted)

    def is_strict(self, space: str) -> bool:
        """Whether only entries answer in a space."""
        return self._all_strict or self._decided.get(space, space in self._strict)

    def explain(self, ask: ReplyAsk, nearest: int = 3) -> Explanation:
        """Which entry answers `ask`, or what the `nearest` entries lacked: fewest failed conditions first, then the
        likest `msg`. Looks at the first `MOST_COMPARED` entries at most.
        """
        facts = self._facts(ask)
        entry = self._find(ask)
        made = not (entry or self._last).suits(ask)
        if entry is not None and not (made and self.is_strict(ask.space)):
            return Explanation(ask.msg, entry.reply.source, True, made=made)
        if entry is not None:
            wanted = f"a call ({ask.tool_choice})" if ask.forced else f"JSON ({ask.response_format})"
            return Explanation(ask.msg, None, False, (Miss(entry.reply.source, (Mismatch("reply", wanted, "text"),)),))
        msg = _pairs(ask.msg)
        ranked = []
        for number, candidate in enumerate(self.entries[:MOST_COMPARED]):
            failed = [name for name, condition in candidate.when.items() if not condition.holds(facts[name])]
            ranked.append((len(failed), -_likeness(candidate.when.get("msg"), "msg" in failed, msg), number, failed))
        misses = []
        for _, _, number, failed in sorted(ranked)[:nearest]:
            when = self.entries[number].when
            told = tuple(Mismatch(name, str(when[name]), shown(facts[name])) for name in failed)
            misses.append(Miss(self.entries[number].reply.source, told))
        source = None if self.is_strict(ask.space) else self.default.source
        return Explanation(ask.msg, source, False, tuple(misses), made and source is not None)

    def _facts(self, ask: ReplyAsk) -> dict[str, str | int | None]:
        facts = {} if self._front is None else self._front._facts(ask)
        return {**facts, **{name: _composed(getattr(ask, name)) for name in self._names}}

    def _find(self, ask: ReplyAsk) -> Entry | None:
        """The first entry that holds and has what is wanted; if there is none, the first that holds."""
        facts = self._facts(ask)
        if ask.forced or ask.response_format is not None:
            found = self._first_entry(facts, lambda entry: entry.suits(ask))
            if found is not None:
                return found
        return self._first_entry(facts, None)

    def _first_entry(self, facts: dict[str, str | int | None], suits: Callable[[Entry], bool] | None) -> Entry | None:
        if self._front is not None and (found := self._front._first_entry(facts, suits)) is not None:
            return found
        end = len(self._own)
        taken = None if suits is None else lambda number: suits(self._own[number])
        first = _first(self._by_msg.get(facts["msg"], ()), facts, end, taken)
        first = _first(self._others, facts, first, taken)
        return self._own[first] if first < end else None


class TooManyReplies(ValueError):
    """More replies than can be added while the program runs."""


@dataclass(frozen=True, slots=True)
class AddedReply:
    """A reply added while the program runs: its id, the entry, and the JSON that asked for it."""

    id: str
    entry: Entry
    written: Mapping[str, Json]


class LiveBook:
    """The book in force: what was added while the program runs, the last first, before what the files say.

    Whoever has taken `current` keeps that book to the end of a turn.
    """

    def __init__(self, book: ReplyBook) -> None:
        self._files = book
        self._added: dict[str, AddedReply] = {}
        self._made = 0
        self._strict: dict[str, bool] = {}
        self.current = book

    @property
    def files(self) -> ReplyBook:
        """What the files say; may be set, and what was added stays."""
        return self._files

    @files.setter
    def files(self, book: ReplyBook) -> None:
        self._files = book
        self._settle()

    @property
    def added(self) -> tuple[AddedReply, ...]:
        """What was added, in the order in which it is asked."""
        return tuple(self._added.values())

    @property
    def decided(self) -> Mapping[str, bool]:
        """Which spaces are strict, or not, whatever the files say."""
        return self._strict

    def add(self, entries: Iterable[tuple[Entry, Mapping[str, Json]]]) -> list[AddedReply]:
        """Puts entries (and the JSON they were read from) before all others: those of the files, and those that were
        added earlier. All or none. Raises `TooManyReplies`.
        """
        new = list(entries)
        if len(self._added) + len(new) > MOST_ADDED:
            raise TooManyReplies(f"at most {MOST_ADDED} replies can be added")
        made: list[AddedReply] = []
        for entry, written in new:
            self._made += 1
            uid = f"r{self._made}"
            reply = replace(entry.reply, source=f"control:{uid}")
            made.append(AddedReply(uid, replace(entry, reply=reply), written))
        self._added = {**{one.id: one for one in made}, **self._added}
        self._settle()
        return made

    def remove(self, uid: str) -> bool:
        """Takes one that was added away; whether it was there."""
        gone = self._added.pop(uid, None) is not None
        if gone:
            self._settle()
        return gone

    def clear(self) -> int:
        """Takes all that were added away; how many they were."""
        gone = len(self._added)
        self._added.clear()
        self._settle()
        return gone

    def decide(self, space: str, strict: bool | None) -> None:
        """Whether only entries answer in a space, whatever the files say; None: the files say it again."""
        if strict is None:
            self._strict.pop(space, None)
        else:
            self._strict[space] = strict
        self._settle()

    def forget_decisions(self) -> None:
        """The files say again which spaces are strict."""
        self._strict.clear()
        self._settle()

    def _settle(self) -> None:
        front = [one.entry for one in self._added.values()]
        self.current = self._files.behind(front, self._strict) if front or self._strict else self._files


def _first(
    shelf: Iterable[tuple[int, Rest]],
    facts: dict[str, str | int | None],
    before: int,
    taken: Callable[[int], bool] | None,
) -> int:
    """The number of the first entry on the shelf that holds and is taken, if it stands before another; else that
    other's.
    """
    for number, rest in shelf:
        if number > before:
            break
        for name, condition in rest:
            if not condition.holds(facts[name]):
                break
        else:
            if taken is None or taken(number):
                return number
    return before


def _composed(value: str | int | None) -> str | int | None:
    return normalize("NFC", value) if isinstance(value, str) else value


def _pairs(text: str | int | None) -> set[str]:
    """The pairs of neighbours in the beginning of a text."""
    begin = f" {normalize('NFC', text[:200])} " if isinstance(text, str) else ""
    return {begin[at : at + 2] for at in range(len(begin) - 1)}


def _likeness(condition: Condition | None, failed: bool, msg: set[str]) -> float:
    """How near an entry's condition on `msg` is to what was said: 0 (not at all) to 1 (it holds)."""
    if not failed:
        return 0.5 if condition is None else 1.0
    if not msg or condition is None:
        return 0.0
    wanted = _pairs(condition.pattern if isinstance(condition, Matches) else _text(condition))
    return 2 * len(wanted & msg) / (len(wanted) + len(msg))


def _text(condition: Exact | Contains) -> str | int | None:
    return condition.part if isinstance(condition, Contains) else condition.value

"""Reply fixtures out of tapes: what was asked becomes `when`, what was answered becomes `tokens`. PURE.

What a wire's messages mean the wire itself tells, through `TurnReading`. Entries have the message for their condition;
where one message was answered differently, as many more conditions as tell the answers apart, the number of the turn
last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.emulation.replay.exchanges import Exchange, exchanges
from app.emulation.tapes import Tape

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

FURTHER = ("language", "model", "scene_number", "filename", "turn")
"""Conditions beside the message, in the order in which they are tried."""

SLOWEST_FIRST, SLOWEST, FASTEST = 3_600.0, 0.01, 1_000_000.0
"""What a fixture's pace may be (seconds, tokens per second)."""

_WIDTH = 110
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TapedTurn:
    """A turn as a tape has it. `msg` None: the agent spoke first. `asked`: other fields of the request that replies can
    match on. `at`: seconds from the request to each token, or to the failure. `error`: status and body of a model's
    failure, instead of tokens. `saved`: whether the room counts the turn.
    """

    source: str
    room: str
    msg: str | None
    asked: Mapping[str, str | int] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    at: tuple[float, ...] = ()
    error: tuple[int, Json] | None = None
    choices: tuple[tuple[str, str], ...] | None = None
    saved: bool = True
    turn: int = 1


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An exchange that cannot become a fixture, and why."""

    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


TurnReading = Callable[[Exchange], "TapedTurn | LeftOut | None"]
"""A wire's way to read an exchange; None if it is no turn at all."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Reply fixtures made of tapes: the text of a reply file, how many entries it has, and what is not in it."""

    text: str
    entries: int
    left_out: tuple[LeftOut, ...]


def fixtures_of(tapes: Iterable[Tape], read: TurnReading) -> Draft:
    """The reply fixtures that answer as these tapes do."""
    turns: list[TapedTurn] = []
    left_out: list[LeftOut] = []
    for tape in tapes:
        for exchange in exchanges(tape)[1:]:
            found = read(exchange)
            if isinstance(found, TapedTurn):
                found = _writable(found)
            if isinstance(found, TapedTurn):
                turns.append(found)
            elif found is not None:
                left_out.append(found)
    counted = _counted(turns)
    entries: list[tuple[dict[str, Json], TapedTurn]] = []
    for alike in _by_message(counted).values():
        entries += _told_apart(alike, left_out)
    order = {id(turn): number for number, turn in enumerate(counted)}
    entries.sort(key=lambda entry: order[id(entry[1])])
    # An entry with more conditions has to stand before one with fewer: the first that matches answers.
    entries.sort(key=lambda entry: len(entry[0]), reverse=True)
    return Draft(_file(entries), len(entries), tuple(left_out))


def _writable(turn: TapedTurn) -> TapedTurn | LeftOut:
    texts = [turn.msg or "", *turn.tokens, *(text for choice in turn.choices or () for text in choice)]
    texts += [value for value in turn.asked.values() if isinstance(value, str)]
    if any(_UNWRITABLE.search(text) for text in texts):
        return LeftOut(turn.source, "it has characters that a fixture cannot have")
    if turn.msg == "" or (turn.error is None and not turn.tokens):
        return LeftOut(turn.source, "it has no answer")
    return turn


def _counted(turns: Iterable[TapedTurn]) -> list[TapedTurn]:
    """The turns with their numbers in their rooms."""
    saved: dict[str, int] = {}
    counted = []
    for turn in turns:
        number = saved.get(turn.room, 0) + 1
        counted.append(replace(turn, turn=number))
        saved[turn.room] = number - (not turn.saved or turn.error is not None)
    return counted


def _by_message(turns: Iterable[TapedTurn]) -> dict[str | None, list[TapedTurn]]:
    groups: dict[str | None, list[TapedTurn]] = {}
    for turn in turns:
        groups.setdefault(turn.msg, []).append(turn)
    return groups


def _told_apart(turns: list[TapedTurn], left_out: list[LeftOut]) -> list[tuple[dict[str, Json], TapedTurn]]:
    """Conditions and turns of one message, each answer once."""
    names: list[str] = []
    for name in ("", *FURTHER):
        names += [name] if name else []
        groups: dict[str, list[TapedTurn]] = {}
        for turn in turns:
            groups.setdefault(json.dumps(_when(turn, names)), []).append(turn)
        if all(len({_answer(turn) for turn in group}) == 1 for group in groups.values()):
            break
    entries = []
    for group in groups.values():
        entries.append((_when(group[0], names), group[0]))
        others = [turn for turn in group[1:] if _answer(turn) != _answer(group[0])]
        left_out += [LeftOut(turn.source, f"{group[0].source} asks the same and answers otherwise") for turn in others]
    return entries


def _when(turn: TapedTurn, names: Iterable[str]) -> dict[str, Json]:
    when: dict[str, Json] = {"msg": turn.msg}
    for name in names:
        if name == "turn":
            when["turn"] = turn.turn
        elif name in turn.asked:
            when[name] = turn.asked[name]
    return when


def _answer(turn: TapedTurn) -> str:
    return json.dumps([turn.tokens, turn.error, turn.choices])


def _pace(turn: TapedTurn) -> str:
    """First pause and tokens per second as measured; nothing if all came at once."""
    if not turn.at:
        return ""
    first = min(SLOWEST_FIRST, round(turn.at[0], 3))
    took = turn.at[-1] - turn.at[0]
    parts = [f"first: {first:g}"] if first > 0 else []
    if len(turn.at) > 1 and took > 0:
        rate = (len(turn.at) - 1) / took
        parts.append(f"per_second: {min(FASTEST, max(SLOWEST, float(f'{rate:.4g}'))):.10g}")
    return f"{{{', '.join(parts)}}}" if parts else ""


def _file(entries: Iterable[tuple[Mapping[str, Json], TapedTurn]]) -> str:
    lines = ["replies:"]
    for when, turn in entries:
        lines.append(f"  # {' '.join(turn.source.split())}")
        lines.append(f"  - when: {_flow(when)}")
        if turn.error is not None:
            lines.append(f"    error: {_flow({'status': turn.error[0], 'body': turn.error[1]})}")
        else:
            lines += _tokens(turn.tokens)
        if turn.choices is not None:
            lines.append("    choices:" if turn.choices else "    choices: []")
            lines += [f"      - {_flow({'text': text, 'tone': tone})}" for text, tone in turn.choices]
        if pace := _pace(turn):
            lines.append(f"    pace: {pace}")
    return "\n".join(lines) + "\n" if len(lines) > 1 else "replies: []\n"


def _tokens(tokens: Iterable[str]) -> list[str]:
    quoted = [_quoted(token) for token in tokens]
    line = f"    tokens: [{', '.join(quoted)}]"
    if len(line) <= _WIDTH:
        return [line]
    lines = ["    tokens: ["]
    for token in quoted:
        if len(lines[-1]) + len(token) + 2 > _WIDTH or lines[-1].endswith("["):
            lines.append("      ")
        lines[-1] += f"{token}, "
    return [*(one.rstrip() for one in lines), "    ]"]


def _flow(value: Json) -> str:
    """A value as YAML writes it in one line."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)}: {_flow(member)}" for name, member in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[a-z_]{2,}", name) and name not in ("null", "true", "false") else _quoted(name)


def _quoted(text: str) -> str:
    """A text in double quotes, whatever is in it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    code = ord(letter)
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(letter) or (
        f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )

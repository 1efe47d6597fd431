"""Answers as lines for people."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from unicodedata import east_asian_width

import typer

_ALWAYS = ("seq", "kind", "at", "mono", "wire", "connection", "room", "turn", "type", "bytes", "text")
_ARROWS = {"in": "→", "out": "←"}


def say(text: str) -> None:
    """A line."""
    typer.echo(text)


def show_json(value: Any) -> None:
    """JSON, for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns with a heading; nothing where there are no rows."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return
    shown = [[name.upper() for name in names], *cells]
    widths = [max(_width(row[column]) for row in shown) for column in range(len(names))]
    for row in shown:
        padded = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        say("  ".join(padded).rstrip())


def rule(told: Mapping[str, Any], *without: str) -> str:
    """What a fault or a reply says beside its id, in one line."""
    return json.dumps({key: value for key, value in told.items() if key not in without}, ensure_ascii=False)


def entry(told: Mapping[str, Any]) -> str:
    """An entry of the journal in one line, cut to the terminal."""
    kind = told["kind"]
    head = f"{told['seq']:>6} {clock(told['at'])} {told['room'] or '-':<8} {_ARROWS.get(kind, kind)} "
    if told.get("turn") is not None:
        head += f"#{told['turn']} "
    if told.get("text") is not None:
        rest = f"{told.get('type') or '?'} {told['text']}"
    else:
        shown = {key: value for key, value in told.items() if key not in _ALWAYS and value not in (None, "")}
        rest = " ".join(f"{key}={_cell(value)}" for key, value in shown.items())
    return _cut(head + rest.replace("\n", "\\n"))


def clock(at: float) -> str:
    """Emulated time of day, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, bool) else ("yes" if value else "no")


def _cut(text: str) -> str:
    """The beginning of a line, where it goes to a terminal."""
    if not sys.stdout.isatty():
        return text
    room = shutil.get_terminal_size().columns
    if _width(text) <= room:
        return text
    kept = ""
    for character in text:
        room -= _width(character)
        if room < 1:
            break
        kept += character
    return f"{kept}…"


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)

"""Python expressions in the lines that the formatter would give them (ruff, 120 columns). PURE."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

WIDTH = 120


@dataclass(frozen=True, slots=True)
class Bracketed:
    """`head[items]` or `head(items)`; without a head in parentheses, a tuple."""

    head: str
    items: tuple[str | Bracketed | Joined, ...]
    brackets: str = "[]"


@dataclass(frozen=True, slots=True)
class Joined:
    """`a | b | c`."""

    items: tuple[str | Bracketed | Joined, ...]


def flat(expression: str | Bracketed | Joined) -> str:
    """The expression in one line."""
    match expression:
        case Bracketed(head, items, brackets):
            alone = "," if not head and len(items) == 1 else ""
            return f"{head}{brackets[0]}{', '.join(flat(item) for item in items)}{alone}{brackets[1]}"
        case Joined(items):
            return " | ".join(flat(item) for item in items)
        case str():
            return expression


def columns(text: str) -> int:
    """How wide a text is where Korean takes two columns a letter."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def laid_out(expression: str | Bracketed | Joined, indent: int, before: str, after: str = "") -> list[str]:
    """`before` + expression + `after`, in as many lines as it takes; `indent` spaces stand before the first."""
    line = f"{' ' * indent}{before}{flat(expression)}{after}"
    if columns(line) <= WIDTH or isinstance(expression, str):
        return [line]
    if isinstance(expression, Joined):
        return _joined(expression, indent, before, after)
    opening, closing = expression.brackets[0], expression.brackets[1]
    comma = "," if len(expression.items) > 1 or opening == "(" else ""
    return [
        f"{' ' * indent}{before}{expression.head}{opening}",
        *(line for item in expression.items for line in laid_out(item, indent + 4, "", comma)),
        f"{' ' * indent}{closing}{after}",
    ]


def _joined(expression: Joined, indent: int, before: str, after: str) -> list[str]:
    """One alternative a line; in parentheses unless brackets are around it."""
    inner = indent + 4 if before else indent
    lines = laid_out(expression.items[0], inner, "")
    for item in expression.items[1:]:
        lines += laid_out(item, inner, "| ")
    if not before:
        return [*lines[:-1], f"{lines[-1]}{after}"]
    return [f"{' ' * indent}{before}(", *lines, f"{' ' * indent}){after}"]

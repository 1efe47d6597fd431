"""Texts that a regular expression finds itself in. PURE.

Expressions are those of JavaScript, which is what JSON Schema means by `pattern`; those parts of it that Python writes
in another way are rewritten. Repeats are few and texts are short. Look-around is not understood: whoever asks checks.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from app.emulation.samples.draws import Draws

# The parser of Python's own expressions. Type checkers know of it only now and then.
ops: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

MAX_LENGTH = 20_000
"""Characters of a text that is made."""

MAX_PATTERN = 4_000
"""Characters of an expression."""

_FEW = 8
"""Repeats beyond the least number."""

_PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]
_WORDS = "abcdefghijklmnopqrstuvwxyz"
_CATEGORIES = {
    ops.CATEGORY_DIGIT: "0123456789",
    ops.CATEGORY_SPACE: " ",
    ops.CATEGORY_WORD: _WORDS,
    ops.CATEGORY_NOT_DIGIT: _WORDS,
    ops.CATEGORY_NOT_SPACE: _WORDS,
    ops.CATEGORY_NOT_WORD: " -.",
}
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_CLASSES = {"L": "a-zA-Z", "Ll": "a-z", "Lu": "A-Z", "N": "0-9", "Nd": "0-9", "P": "!-/", "Z": " ", "S": "$+"}
_SCRIPTS = {"Hangul": "가-힣", "Latin": "a-z", "Han": "一-龥", "Hiragana": "ぁ-ん", "Katakana": "ァ-ン"}
_PROPERTY = re.compile(r"\\(?:p\{(?:[A-Za-z_]+=)?([A-Za-z_]+)\}|u\{([0-9A-Fa-f]{1,6})\}|c([A-Za-z])|(.))", re.DOTALL)


class UnknownPattern(ValueError):
    """An expression that no text is made for; the text says why."""


def text_of(pattern: str, draws: Draws, low: int = 0, high: int = MAX_LENGTH) -> str:
    """A text in which `pattern` is found, of about `low` to `high` characters where the expression leaves it open.
    Raises `UnknownPattern`.
    """
    if len(pattern) > MAX_PATTERN:
        raise UnknownPattern(f"more than {MAX_PATTERN} characters")
    try:
        parsed = parser.parse(_python(pattern), re.ASCII)
        if parsed.getwidth()[0] > MAX_LENGTH:
            raise UnknownPattern(f"its texts have more than {MAX_LENGTH} characters")
        return _Writer(draws, low, high).write(parsed)
    except (re.error, OverflowError, RecursionError) as error:
        raise UnknownPattern(str(error)) from None


class _Writer:
    def __init__(self, draws: Draws, low: int, high: int) -> None:
        self._draws = draws
        self._low = low
        self._high = high
        self._groups: dict[int, str] = {}
        self._written = 0

    def write(self, parsed: Any) -> str:
        return "".join(self._part(op, value) for op, value in parsed)

    def _part(self, op: Any, value: Any) -> str:
        self._draws.spend(1)
        if op in _REPEATS:
            return self._repeat(*value)
        if op is ops.BRANCH:
            return self.write(self._draws.one_of(value[1]))
        if op is ops.SUBPATTERN:
            text = self.write(value[-1])
            if value[0] is not None:
                self._groups[value[0]] = text
            return text
        if op is ops.ATOMIC_GROUP:
            return self.write(value)
        if op is ops.GROUPREF:
            return self._count(self._groups.get(value, ""))
        if op in (ops.AT, ops.ASSERT, ops.ASSERT_NOT):
            return ""
        return self._count(self._letter(op, value))

    def _repeat(self, low: int, high: int, part: Any) -> str:
        wanted = self._draws.between(low, min(high, low + _FEW))
        texts: list[str] = []
        while len(texts) < high:
            done = len(texts) >= wanted and self._written >= self._low
            if len(texts) >= low and (done or self._written >= self._high):
                break
            before = self._written
            texts.append(self.write(part))
            if len(texts) >= wanted and self._written == before:
                break  # repeats of nothing
        return "".join(texts)

    def _letter(self, op: Any, value: Any) -> str:
        if op is ops.LITERAL:
            return chr(value)
        if op is ops.ANY:
            return self._draws.one_of(_WORDS)
        if op is ops.NOT_LITERAL:
            return self._draws.one_of([letter for letter in _WORDS if ord(letter) != value])
        if op is ops.IN:
            return self._draws.one_of(self._class(value))
        raise UnknownPattern(f"a part of an expression that is not known here ({str(op).lower()})")

    def _class(self, parts: Any) -> str:
        """Letters of a class, the plain ones first; a range stands for some of its own."""
        if parts[0][0] is ops.NEGATE:
            named = set(self._class(parts[1:])) if len(parts) > 1 else set()
            ranges = [value for op, value in parts if op is ops.RANGE]
            free = [
                letter
                for letter in (*_WORDS, *_PRINTABLE)
                if letter not in named and not any(low <= ord(letter) <= high for low, high in ranges)
            ]
            return "".join(free[: len(_WORDS)]) or "가"
        letters = ""
        for op, value in parts:
            if op is ops.LITERAL:
                letters += chr(value)
            elif op is ops.RANGE:
                step = max(1, (value[1] - value[0]) // 64)
                letters += "".join(map(chr, range(value[0], value[1] + 1, step)))
            elif op is ops.CATEGORY:
                letters += _CATEGORIES[value]
        return letters

    def _count(self, text: str) -> str:
        self._written += len(text)
        if self._written > MAX_LENGTH:
            raise UnknownPattern(f"its texts have more than {MAX_LENGTH} characters")
        return text


def _python(pattern: str) -> str:
    """An expression of JavaScript as Python writes it."""
    return _PROPERTY.sub(_escape, re.sub(r"\(\?<(?![=!])", "(?P<", pattern)).replace("[^]", r"[\s\S]")


def _escape(found: re.Match[str]) -> str:
    name, code, control, other = found.groups()
    if name is not None:
        letters = _SCRIPTS.get(name) or _CLASSES.get(name) or _CLASSES.get(name[:1], "a-z")
        return letters if _within_class(found) else f"[{letters}]"
    if code is not None:
        return re.escape(chr(min(int(code, 16), 0x10FFFF)))
    if control is not None:
        return f"\\x{ord(control.upper()) - 64:02x}"
    # Escapes that Python does not know are the letter itself.
    return found[0] if not other.isalpha() or other in "AbBdDfnrsStuvwWxZ0123456789" else other


def _within_class(found: re.Match[str]) -> bool:
    """Whether a place in an expression is inside of `[…]`."""
    inside = False
    escaped = False
    for letter in found.string[: found.start()]:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == "[":
            inside = True
        elif letter == "]":
            inside = False
    return inside

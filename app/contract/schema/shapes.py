"""What a value in a message may be: a small vocabulary that every renderer can say in its own language. PURE.

Patterns keep to what ECMAScript, Python and Rust read alike: no look-around, `[0-9]` for digits, `[\\s\\S]` for any
character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value may be."""


@dataclass(frozen=True, slots=True)
class Text(Shape):
    """A text of `least` to `most` characters that `pattern` matches. `media`: what the text itself is written in."""

    pattern: str | None = None
    least: int = 0
    most: int | None = None
    examples: tuple[str, ...] = ()
    media: str | None = None


@dataclass(frozen=True, slots=True)
class Phrase(Shape):
    """A fixed text with gaps: a `str` part stands for itself, `int` for digits, `str` (the type) for any text."""

    parts: tuple[str | type[int] | type[str], ...]

    @property
    def pattern(self) -> str:
        """The text as a regular expression."""
        gaps = {int: "-?[0-9]+", str: r"[\s\S]+"}
        return f"^{''.join(gaps[p] if isinstance(p, type) else escaped(p) for p in self.parts)}$"


@dataclass(frozen=True, slots=True)
class OneOf(Shape):
    """One of some values; a single one is a constant."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Whole(Shape):
    """An integer from `least` to `most`."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Number(Shape):
    """A number from `least` to `most`, a multiple of `step`. Written without a decimal point where it is whole."""

    least: float | None = None
    most: float | None = None
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Flag(Shape):
    """true or false."""


@dataclass(frozen=True, slots=True)
class Items(Shape):
    """An array of `least` to `most` items."""

    of: Shape
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an object. One that is not `required` may be left out."""

    name: str
    shape: Shape
    meaning: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Record(Shape):
    """An object. `open`: other keys may follow. `ordered`: its keys stand in this order on the wire."""

    keys: tuple[Key, ...] = ()
    open: bool = False
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Either(Shape):
    """What fits at least one of `choices`."""

    choices: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Anything(Shape):
    """Any JSON value."""


@dataclass(frozen=True, slots=True)
class Named(Shape):
    """A shape that has a name of its own (`ConnectionId`) where a language can give it one."""

    name: str
    shape: Shape
    meaning: str


NULL = OneOf((None,))


def or_null(shape: Shape) -> Shape:
    """The shape, or null."""
    return OneOf((*shape.values, None)) if isinstance(shape, OneOf) else Either((shape, NULL))


def escaped(text: str) -> str:
    """A text as the regular expression that matches it, in the spelling that all dialects read."""
    return re.sub(r"[\\^$.|?*+()\[\]{}]", r"\\\g<0>", text)


def parts_of(shape: Shape) -> Iterator[Shape]:
    """The shape and every one within, inner ones first; one that is used twice comes twice."""
    match shape:
        case Named():
            yield from parts_of(shape.shape)
        case Items():
            yield from parts_of(shape.of)
        case Record():
            for key in shape.keys:
                yield from parts_of(key.shape)
        case Either():
            for choice in shape.choices:
                yield from parts_of(choice)
    yield shape


def named_in(shape: Shape) -> Iterator[Named]:
    """Every named shape within, inner ones first."""
    return (part for part in parts_of(shape) if isinstance(part, Named))

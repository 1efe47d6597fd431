"""Draws from a source of randomness that is given, and how much work may be done with them. PURE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

MAX_WORK = 200_000
"""Draws, and what costs as much, for one answer: about half a second."""


class UnusableSchema(ValueError):
    """A schema that is none, or that no value was found for. The text says where and why."""


class Exhausted(UnusableSchema):
    """So much has been tried that it is given up."""


class Draws:
    """Whole numbers and choices. `fraction` gives at least 0 and less than 1."""

    def __init__(self, fraction: Callable[[], float]) -> None:
        self._fraction = fraction
        self._left = MAX_WORK

    def spend(self, work: int) -> None:
        """Counts work. Raises `Exhausted`."""
        self._left -= work
        if self._left < 0:
            raise Exhausted("a value would be too large, or too hard to find")

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        self.spend(1)
        return low + min(int(self._fraction() * (high - low + 1)), high - low)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of some things."""
        return choices[self.between(0, len(choices) - 1)]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """The same things in another order."""
        left, order = list(things), []
        while left:
            order.append(left.pop(self.between(0, len(left) - 1)))
        return order

"""Streams that clients send in pieces, sound for example, and how a tape answers another one. PURE.

Sound is never the same twice: neither its pieces nor how many there are can be compared. What counts is how far the
stream has come. A message of the server that a stream has brought about ("somebody speaks") is kept as a mark: it
stands so many bytes after the request before it. A client's stream that has come as far gets what stands at the mark,
and so does one that stops before it came to any: it was a shorter one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

PAUSE = 1.0
"""Seconds without a piece after which a client counts as having stopped."""


@dataclass(frozen=True, slots=True)
class StreamReading:
    """How a wire sends a stream. `size`: the bytes of it that a client's message carries, None where it carries none.
    `noticed`: whether a message of the server is the first that a stream has brought about.
    """

    size: Callable[[str], int | None]
    noticed: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a stream was noticed: in the exchange `number`, `sent` bytes after the one of the request `base`."""

    number: int
    base: int
    sent: int


class StreamPosition:
    """How far the stream of one connection has come on one tape."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self._marks = marks
        self._base = 0
        self._sent = 0
        self._due = self._given = 0
        """Marks that have been reached, and that have been given out."""
        self._pieces = self._noticed = False
        """Whether pieces have come since the last pause, and whether they have reached a mark."""

    def come(self, size: int) -> None:
        """A piece of so many bytes has come."""
        self._sent += size
        self._pieces = True
        while (mark := self._ahead()) is not None and mark.sent <= self._sent:
            self._due += 1
            self._noticed = True

    def stopped(self) -> None:
        """No piece has come for a while."""
        if self._pieces and not self._noticed and self._ahead() is not None:
            self._due += 1
        self._pieces = self._noticed = False

    def asked(self, number: int) -> None:
        """The request of an exchange has been answered; the stream goes on from there."""
        self._base, self._sent = number, 0
        self._pieces = self._noticed = False
        self._due = self._given = next(
            (at for at, mark in enumerate(self._marks) if mark.number > number), len(self._marks)
        )

    def take(self) -> int | None:
        """The next exchange that has been reached, once."""
        if self._given == self._due:
            return None
        self._given += 1
        return self._marks[self._given - 1].number

    def _ahead(self) -> Mark | None:
        """The next mark to be reached, if no other request comes before it."""
        mark = self._marks[self._due] if self._due < len(self._marks) else None
        return mark if mark is not None and mark.base == self._base else None

"""Code in a text that arrives bit by bit: between backticks on a line, or from three to the next three. PURE."""

from __future__ import annotations

from collections.abc import Callable

_INLINE_CODE = 256
"""Code points that code between single backticks has at most."""

_FENCE = 3
"""Backticks that begin and end a block of code."""


class CodeSpans:
    """The backticks of a text: whether a place is inside code. Places count from the beginning of the open sentence."""

    __slots__ = ("_began", "_run", "_run_end", "_ticks")

    def __init__(self) -> None:
        self._ticks = 0  # that began the code which is open, 0 where none is
        self._began = 0  # where it is
        self._run = 0  # backticks of the run that is being read
        self._run_end = 0

    def see(self, place: int, back: Callable[[int], str]) -> None:
        """A backtick; `back` gives so many code points before it."""
        if not self._run or place != self._run_end:
            self._settle()
            self._lapse(place, back)
        self._run += 1
        self._run_end = place + 1

    def holds(self, place: int, back: Callable[[int], str], sign: str) -> bool:
        """Whether a place is inside code; `sign` stands there."""
        self._settle()
        self._lapse(place, back)
        return self._ticks >= _FENCE or (self._ticks > 0 and sign != "\n")

    def pass_by(self, size: int) -> None:
        """A sentence of that size is over."""
        self._began -= size
        self._run_end -= size

    def end(self) -> None:
        """The text is over."""
        self._ticks = self._run = 0

    def _settle(self) -> None:
        run, self._run = self._run, 0
        if not run:
            return
        if not self._ticks:
            self._ticks, self._began = run, self._run_end
        elif run == self._ticks or (run >= _FENCE and self._ticks >= _FENCE):
            self._ticks = 0

    def _lapse(self, place: int, back: Callable[[int], str]) -> None:
        """Code on a line has to end there, and soon: else it was none."""
        if 0 < self._ticks < _FENCE:
            length = place - self._began
            if length > _INLINE_CODE or "\n" in back(length):
                self._ticks = 0

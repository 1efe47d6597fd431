"""Where an utterance begins and ends, from how likely each moment of a sound is speech. PURE.

    probability ─┐ two frames at or above `threshold`: it begins
                 └ none above `threshold` - MARGIN for `silence` seconds: it ends

Positions are seconds from the beginning of the sound, so they do not depend on how fast it arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FRAME_SECONDS = 0.032
"""What one probability stands for: 512 samples at 16 kHz."""

MARGIN = 0.15
"""How far below the threshold speech may fall and still go on."""

LEAST_FRAMES = 2
"""Frames of speech that are an utterance and no click."""


@dataclass(frozen=True, slots=True)
class Began:
    """An utterance has begun at `at`."""

    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """An utterance has ended: it lasted from `began` to `ended`, and `at` is where that became certain."""

    began: float
    ended: float
    at: float


class Endpointer:
    """Finds utterances in a sound. `silence` in seconds. The numbers may be changed while it listens.

    `longest`: seconds after which an utterance is ended although it goes on.
    """

    def __init__(self, *, threshold: float, silence: float, longest: float = 60.0) -> None:
        self.threshold = threshold
        self.silence = silence
        self.longest = longest
        self._from = 0.0
        self._frames = 0
        self._run = 0
        self._began: float | None = None
        self._last = 0.0

    @property
    def began(self) -> float | None:
        """Where the utterance under way began."""
        return self._began

    @property
    def last(self) -> float:
        """Where speech was last heard."""
        return self._last

    @property
    def heard(self) -> float:
        """Where the sound that has been judged so far ends."""
        return self._from + self._frames * FRAME_SECONDS

    def feed(self, probabilities: Sequence[float]) -> list[Began | Ended]:
        """What the next frames of the sound bring."""
        found: list[Began | Ended] = []
        for probability in probabilities:
            at = self.heard
            self._frames += 1
            if self._began is None:
                self._run = self._run + 1 if probability >= self.threshold else 0
                if self._run >= LEAST_FRAMES:
                    self._began = at - (self._run - 1) * FRAME_SECONDS
                    self._last = self.heard
                    found.append(Began(self._began))
                continue
            if probability >= max(self.threshold - MARGIN, 0.01):
                self._last = self.heard
            quiet = self.heard - self._last
            if quiet >= self.silence - 1e-9 or self.heard - self._began >= self.longest:
                found.append(self._end())
        return found

    def cut(self) -> Ended | None:
        """Ends the utterance under way by hand; None if there is none."""
        return None if self._began is None else self._end()

    def restart(self, at: float) -> None:
        """Forgets the utterance under way; the next frame begins at `at`, in seconds."""
        self._from, self._frames, self._run = at, 0, 0
        self._began, self._last = None, at

    def _end(self) -> Ended:
        assert self._began is not None
        ended = Ended(self._began, self._last, self.heard)
        self._began = None
        self._run = 0
        return ended

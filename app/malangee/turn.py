"""What waits to be answered, and who answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from app.emulation.exchanges import Exchange
from app.malangee.records import Record
from app.voice.listening import Utterance

MOST_TURNS = 16
"""Turns of the user that may wait to be answered."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the user that waits. `utterance` or `text`; neither: the AI is to speak. `seconds`: how long the user
    spoke, as the report has it; `answered`: whether it is to be answered; `began`: how often the user had begun to
    speak when it ended.
    """

    action: str
    utterance: Utterance | None = None
    text: str | None = None
    seconds: float = 0.0
    answered: bool = True
    began: int = 0

    @property
    def said(self) -> bool:
        """Whether the user said it."""
        return self.utterance is not None or self.text is not None


class Turns:
    """The turns that wait, in their order, and the one that is being taken."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Turn] = asyncio.Queue(MOST_TURNS)
        self._unrecorded: Turn | None = None
        self._taking = False

    @property
    def busy(self) -> int:
        """Turns under way or waiting."""
        return self._waiting.qsize() + self._taking

    def put(self, turn: Turn) -> bool:
        """Whether there was room for another."""
        if self._waiting.full():
            return False
        self._waiting.put_nowait(turn)
        return True

    async def next(self) -> Turn:
        """The next one, which is being taken from now on."""
        self._taking, self._unrecorded = False, None
        turn = await self._waiting.get()
        self._taking, self._unrecorded = True, turn
        return turn

    def recorded(self) -> None:
        """The one that is being taken is in the record."""
        self._unrecorded = None

    def left(self) -> list[Turn]:
        """What the user said and nothing has recorded, oldest first. None of it waits any longer."""
        found = [] if self._unrecorded is None else [self._unrecorded]
        while not self._waiting.empty():
            found.append(self._waiting.get_nowait())
        self._unrecorded = None
        return [turn for turn in found if turn.said]


class Mind(Protocol):
    """What is said on one kind of socket."""

    transcripts: tuple[str, ...]

    def opening(self) -> str | None:
        """What the AI says first, if it speaks first; may be asked again."""
        ...

    async def hear(self, text: str, exchange: Exchange) -> bool:
        """Takes in what the user said; whether that ended it, and nothing is to be said. Raises `AnswerFailed`, and
        OSError if the client is gone.
        """
        ...

    def answer(self, text: str | None, exchange: Exchange) -> AsyncGenerator[str, None]:
        """The sentences of the answer to the last thing said, or what the AI says on its own."""
        ...

    async def close(self, record: Record, ended: float) -> None:
        """Keeps what it came to."""
        ...

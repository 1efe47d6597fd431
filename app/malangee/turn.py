"""What waits to be answered, and who answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from app.emulation.exchanges import Exchange
from app.malangee.records import Record
from app.voice.listening import Utterance


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the user that waits. `utterance` or `text`; neither: the AI is to speak. `answered`: whether it is to
    be answered; `began`: how often the user had begun to speak when it ended.
    """

    action: str
    utterance: Utterance | None = None
    text: str | None = None
    answered: bool = True
    began: int = 0


class Mind(Protocol):
    """What is said on one kind of socket."""

    transcripts: tuple[str, ...]

    def opening(self) -> str | None:
        """What the AI says first, if it speaks first; may be asked again."""
        ...

    async def hear(self, text: str, exchange: Exchange) -> bool:
        """Takes in what the user said; whether that ended it, and nothing is to be said."""
        ...

    def answer(self, text: str | None, exchange: Exchange) -> AsyncGenerator[str, None]:
        """The sentences of the answer to the last thing said, or what the AI says on its own."""
        ...

    async def close(self, record: Record, ended: float) -> None:
        """Keeps what it came to."""
        ...

"""Earlier turns as the model is told them. Imports LangChain."""

from __future__ import annotations

from functools import lru_cache
from itertools import count

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from app.spaces.models import Turn

REMEMBERED_LENGTH = 4096
"""Characters of the longest turn that is kept so."""

REMEMBERED = 4096
"""Earlier turns whose messages are kept ready: making them anew for every turn is a tenth of its time."""


class Past:
    """Makes the messages of earlier turns, and keeps those of ordinary length ready. One for the whole program."""

    def __init__(self) -> None:
        self._kept = lru_cache(REMEMBERED)(self._make)
        self._numbers = count()

    def messages(self, turn: Turn) -> tuple[AnyMessage, ...]:
        """What was said in the turn, and the reply."""
        ordinary = len(turn.msg or "") + len(turn.reply) <= REMEMBERED_LENGTH
        return self._kept(turn) if ordinary else self._make(turn)

    def _make(self, turn: Turn) -> tuple[AnyMessage, ...]:
        number = next(self._numbers)  # an id of their own keeps LangGraph from making some up for each run
        reply = AIMessage(turn.reply, id=f"{number}-reply")
        return (reply,) if turn.msg is None else (HumanMessage(turn.msg, id=f"{number}-msg"), reply)

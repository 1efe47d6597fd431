"""What a space's memories do in a turn: which words are listened for, what is told when one is heard, what stands
in the prompt.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from app.agent.hotwords import HotwordBook
from app.spaces.models import Memory, Space

SPACES = 1024
"""Spaces whose memories are kept ready."""

FEW = 50
"""Memories that are made ready without a thread."""

FRAME_ROOM = 512
"""Bytes of a memory_dict frame that are not its text."""


@dataclass(frozen=True, slots=True)
class Memories:
    """The memories of one space, made ready. `dictionaries`: uid to the JSON text that memory_dict carries."""

    source: tuple[Memory, ...]
    book: HotwordBook
    dictionaries: dict[str, str]
    long_term: str


class MemoryShelf:
    """Keeps the memories of each space ready; a space whose memories change is made ready anew."""

    def __init__(self, frame_limit: int) -> None:
        self._frame_limit = frame_limit
        self._ready: dict[str, Memories] = {}

    async def of(self, space: Space) -> Memories:
        """The space's memories. Making thousands ready takes tens of milliseconds: not on the event loop."""
        known = self._ready.get(space.uid)
        if known is None or known.source is not space.memories:
            if len(self._ready) >= SPACES:
                self._ready.clear()
            few = len(space.memories) <= FEW
            known = self._prepare(space.memories) if few else await asyncio.to_thread(self._prepare, space.memories)
            self._ready[space.uid] = known
        return known

    def _prepare(self, memories: tuple[Memory, ...]) -> Memories:
        dictionaries: dict[str, str] = {}
        for memory in memories:
            if memory.hotword and memory.entries is not None:
                text = dictionary_text(memory.entries)
                # Over the frame limit only the uid is told (spec section 7). Escapes count twice:
                # the text is JSON inside JSON.
                if len(json.dumps(text)) + FRAME_ROOM <= self._frame_limit:
                    dictionaries[memory.uid] = text
        told = [f"{memory.name}: {_plain(memory)}" for memory in memories if memory.long_term]
        return Memories(memories, HotwordBook(memories), dictionaries, "\n".join(told))


def dictionary_text(entries: tuple[tuple[str, str], ...]) -> str:
    """A dictionary as `memory_dict` carries it: Python's `json.dumps` defaults, value before key."""
    return json.dumps([{"v": value, "k": key} for key, value in entries])


def _plain(memory: Memory) -> str:
    if memory.entries is not None:
        return ", ".join(f"{key}={value}" for key, value in memory.entries)
    return memory.text or memory.name

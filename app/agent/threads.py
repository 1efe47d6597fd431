"""A room's thread, for graphs that keep their own memory: a turn that fails, is cancelled or is not to be saved
leaves no trace in it.

The turn runs on a copy in memory; only `keep` writes what became of it back to the real saver. Imports LangGraph.
"""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from app.agent.graphs import Graph


class RoomThread:
    """One turn on a thread."""

    def __init__(self, graph: Graph, thread_id: str) -> None:
        assert isinstance(graph.checkpointer, BaseCheckpointSaver)
        self._saver: BaseCheckpointSaver[Any] = graph.checkpointer
        self._copy = InMemorySaver()
        self._at: RunnableConfig = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
        self.graph: Graph = graph.copy(update={"checkpointer": self._copy})

    async def recall(self) -> None:
        """Lets the turn see what the thread knows."""
        known = await self._saver.aget_tuple(self._at)
        if known is not None:
            versions = known.checkpoint["channel_versions"]
            await self._copy.aput(self._at, known.checkpoint, known.metadata, versions)

    async def keep(self) -> None:
        """Makes what the turn left in the thread its new state."""
        left = await self._copy.aget_tuple(self._at)
        if left is not None:
            await self._saver.aput(self._at, left.checkpoint, left.metadata, left.checkpoint["channel_versions"])

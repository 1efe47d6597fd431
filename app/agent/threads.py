"""Rooms' threads, for graphs that keep their own memory. Imports LangGraph.

A turn that fails, is cancelled or is not to be saved leaves no trace in its thread: it runs on a copy in memory, and
only `keep` writes what became of it back to the real saver.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.memory import InMemorySaver

from app.agent.graphs import Graph, GraphShelf


def thread_id(space_uid: str, room_uid: str) -> str:
    """What a room's thread is called."""
    return f"{space_uid}/{room_uid}"


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


class BadThread(Exception):
    """A thread of a snapshot that no saver wrote."""


@dataclass(frozen=True, slots=True)
class Thread:
    """The state of a room's thread, and the saver that keeps it."""

    saver: BaseCheckpointSaver[Any]
    name: str
    checkpoint: Checkpoint
    metadata: CheckpointMetadata


class Threads:
    """The threads of all rooms, of every graph that keeps any."""

    def __init__(self, graphs: GraphShelf) -> None:
        self._graphs = graphs

    async def forget(self, space_uid: str | None = None, room_uid: str | None = None) -> int:
        """Takes threads away: all, those of a space, of a room, or of the rooms of that name. How many."""
        gone = 0
        for saver in self._graphs.savers().values():
            for name in await _names(saver):
                space, _, room = name.partition("/")
                if space_uid in (None, space) and room_uid in (None, room):
                    await saver.adelete_thread(name)
                    gone += 1
        return gone

    async def take(self) -> list[list[str]]:
        """The newest state of every thread: graph, thread, and four texts only `put` understands."""
        taken: list[list[str]] = []
        for graph, saver in self._graphs.savers().items():
            seen: set[str] = set()
            async for known in saver.alist(None):
                at = known.config["configurable"]
                name = at["thread_id"]
                if at.get("checkpoint_ns") or name in seen:
                    continue
                seen.add(name)  # they come newest first
                kinds = [saver.serde.dumps_typed(part) for part in (known.checkpoint, known.metadata)]
                taken.append(
                    [graph, name, *(text for kind, data in kinds for text in (kind, b64encode(data).decode()))]
                )
        return taken

    def read(self, taken: list[list[str]]) -> list[Thread]:
        """What `take` gave, ready to be put back. A graph that is no longer loaded is left out. Raises `BadThread`."""
        savers = self._graphs.savers()
        return [_read(savers[one[0]], one) for one in taken if one and one[0] in savers]

    async def put(self, threads: list[Thread]) -> None:
        """Puts threads back, in place of those that are there."""
        await self.forget()
        for thread in threads:
            at: RunnableConfig = {"configurable": {"thread_id": thread.name, "checkpoint_ns": ""}}
            versions = thread.checkpoint["channel_versions"]
            await thread.saver.aput(at, thread.checkpoint, thread.metadata, versions)


def _read(saver: BaseCheckpointSaver[Any], one: list[str]) -> Thread:
    try:
        _, name, kind, data, other_kind, other_data = one
        checkpoint = saver.serde.loads_typed((kind, b64decode(data, validate=True)))
        metadata = saver.serde.loads_typed((other_kind, b64decode(other_data, validate=True)))
        if not isinstance(metadata, dict) or not isinstance(checkpoint["channel_versions"], dict):
            raise TypeError("not a checkpoint")
    except Exception as error:  # a deserialiser may raise anything
        raise BadThread(f"a thread of the graph {one[0]} cannot be read: {type(error).__name__}") from error
    return Thread(saver, name, checkpoint, cast(CheckpointMetadata, metadata))


async def _names(saver: BaseCheckpointSaver[Any]) -> list[str]:
    names = {known.config["configurable"]["thread_id"]: None async for known in saver.alist(None)}
    return list(names)

"""Rooms' threads, for graphs that keep their own memory. Imports LangGraph.

A turn that fails, is cancelled or is not to be saved leaves no trace in its thread: it runs on a copy in memory, and
only `keep` writes what became of it back to the real saver.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from app.agent.graphs import Graph, GraphShelf


def thread_id(space_uid: str, room_uid: str) -> str:
    """What a room's thread is called."""
    return f"{space_uid}/{room_uid}"


NESTED, ASKED = "chldo_nested", "chldo_asked"
"""Metadata of a thread that waits for an answer: the namespaces of its subgraphs, and the question that was asked."""


class RoomThread:
    """One turn on a thread."""

    def __init__(self, graph: Graph, thread_id: str) -> None:
        assert isinstance(graph.checkpointer, BaseCheckpointSaver)
        self._saver: BaseCheckpointSaver[Any] = graph.checkpointer
        self._copy = InMemorySaver()
        self._name = thread_id
        self.graph: Graph = graph.copy(update={"checkpointer": self._copy})
        self.messages: list[BaseMessage] = []
        """What the thread holds when the turn begins."""
        self.waits_for: str | None = None
        """The id of the question (`interrupt`) that the turn answers."""

    def _at(self, namespace: str = "") -> RunnableConfig:
        return {"configurable": {"thread_id": self._name, "checkpoint_ns": namespace}}

    async def recall(self) -> None:
        """Lets the turn see what the thread knows."""
        known = await self._saver.aget_tuple(self._at())
        if known is None:
            return
        await write(self._copy, known)
        about = cast(dict[str, Any], known.metadata)
        for namespace in about.get(NESTED, ()):
            nested = await self._saver.aget_tuple(self._at(namespace))
            if nested is not None:
                await write(self._copy, nested)
        state = await self.graph.aget_state(self._at())
        held = state.values.get("messages") if isinstance(state.values, dict) else None
        self.messages = [message for message in held or () if isinstance(message, BaseMessage)]
        questions = [question.id for question in state.interrupts]
        asked = about.get(ASKED)
        self.waits_for = asked if asked in questions else next(iter(questions), None)

    async def keep(self, asked: str | None = None) -> None:
        """Makes what the turn left in the thread its new state. `asked`: the question it ended with."""
        left = await self._copy.aget_tuple(self._at())
        if left is None:
            return
        more: dict[str, Any] = {}
        if asked is not None:
            nested = {
                str(known.config["configurable"]["checkpoint_ns"])
                async for known in self._copy.alist({"configurable": {"thread_id": self._name}})
            }
            more = {ASKED: asked, NESTED: sorted(nested - {""})}
        for namespace in more.get(NESTED, ()):
            inner = await self._copy.aget_tuple(self._at(namespace))
            if inner is not None:
                await write(self._saver, inner)
        metadata = {name: value for name, value in left.metadata.items() if name not in (NESTED, ASKED)}
        await write(self._saver, left._replace(metadata=cast(CheckpointMetadata, {**metadata, **more})))


async def write(saver: BaseCheckpointSaver[Any], known: CheckpointTuple) -> None:
    """Makes a checkpoint the newest one of its thread and namespace."""
    about = known.config["configurable"]
    at: RunnableConfig = {
        "configurable": {"thread_id": about["thread_id"], "checkpoint_ns": about.get("checkpoint_ns", "")}
    }
    put = await saver.aput(at, known.checkpoint, known.metadata, known.checkpoint["channel_versions"])
    by_task: dict[str, list[tuple[str, Any]]] = {}
    for task, channel, value in known.pending_writes or ():
        by_task.setdefault(task, []).append((channel, value))
    for task, writes in by_task.items():
        await saver.aput_writes(put, writes, task)


WHOLE = 9
"""Texts of a thread in a snapshot."""


class BadThread(Exception):
    """A thread of a snapshot that no saver wrote."""


@dataclass(frozen=True, slots=True)
class Thread:
    """The state of a thread, or of a subgraph of one, and the saver that keeps it."""

    saver: BaseCheckpointSaver[Any]
    known: CheckpointTuple


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
        """The newest state of every thread: graph, thread, and texts only `read` understands."""
        taken: list[list[str]] = []
        for graph, saver in self._graphs.savers().items():
            newest: dict[tuple[str, str], CheckpointTuple] = {}
            async for known in saver.alist(None):  # they come newest first
                at = known.config["configurable"]
                newest.setdefault((at["thread_id"], at.get("checkpoint_ns") or ""), known)
            for (name, namespace), known in newest.items():
                root = newest.get((name, ""))
                if namespace and (root is None or namespace not in cast(Any, root.metadata).get(NESTED, ())):
                    continue  # of a turn that is over
                taken.append(
                    [
                        graph,
                        name,
                        *_texts(saver, known.checkpoint, known.metadata, list(known.pending_writes or ())),
                        namespace,
                    ]
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
            await write(thread.saver, thread.known)


def _texts(saver: BaseCheckpointSaver[Any], *parts: object) -> list[str]:
    kinds = [saver.serde.dumps_typed(part) for part in parts]
    return [text for kind, data in kinds for text in (kind, b64encode(data).decode())]


def _read(saver: BaseCheckpointSaver[Any], one: list[str]) -> Thread:
    try:
        # Snapshots of before have neither writes nor namespaces.
        _, name, *texts = one if len(one) == WHOLE else [*one, *_texts(saver, []), ""]
        *texts, namespace = texts
        checkpoint, metadata, writes = (
            saver.serde.loads_typed((kind, b64decode(data, validate=True)))
            for kind, data in zip(texts[::2], texts[1::2], strict=True)
        )
        if not isinstance(metadata, dict) or not isinstance(checkpoint["channel_versions"], dict):
            raise TypeError("not a checkpoint")
        pending = [(str(task), str(channel), value) for task, channel, value in writes]
    except Exception as error:  # a deserialiser may raise anything
        raise BadThread(f"a thread of the graph {one[0]} cannot be read: {type(error).__name__}") from error
    at: RunnableConfig = {"configurable": {"thread_id": name, "checkpoint_ns": namespace}}
    return Thread(saver, CheckpointTuple(at, checkpoint, cast(CheckpointMetadata, metadata), None, pending))


async def _names(saver: BaseCheckpointSaver[Any]) -> list[str]:
    names = {known.config["configurable"]["thread_id"]: None async for known in saver.alist(None)}
    return list(names)

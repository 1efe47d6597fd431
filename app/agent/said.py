"""What a run of a graph says beside the tokens that its models stream. Imports LangChain and LangGraph.

An assistant message that the run adds to `messages` is said once, when its node has ended, unless its tokens have been
streamed: as in LangGraph's own stream mode `messages`. What was in the state before the run is not said again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage, convert_to_messages
from langgraph.constants import TAG_HIDDEN
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

from app.json_text import dumps, sound

MESSAGES = "messages"
INTERRUPT = "__interrupt__"
METADATA = "__metadata__"

QUESTION_KEYS = ("question", "message", "text", "description")
"""Keys of an interrupt's value, if it is a mapping; the first that holds a text is the question."""


class SaidMessages:
    """Which messages of one run are still to be said. `before`: what its state holds when it begins, and what is put
    into it.
    """

    def __init__(self, graph: CompiledStateGraph[Any, Any, Any, Any], before: Sequence[BaseMessage]) -> None:
        self._graph = graph
        self._before = before
        self._nested: set[tuple[str, ...]] | None = None
        self._ids: set[str] | None = None
        self._met: dict[int, BaseMessage] = {}  # by address; kept, so that no other message gets it
        self._streamed: dict[str, list[str]] = {}
        self._unnamed: dict[int, str] = {}  # texts said of messages that had no id yet, by their address
        self._results: list[ToolMessage] = []
        self.any = False

    def streamed(self, message_id: str | None, text: str) -> None:
        """A model has streamed a piece of a message."""
        self.any = True
        self._streamed.setdefault(message_id or "", []).append(text)

    def node_ended(self, event: Mapping[str, Any]) -> Iterator[str]:
        """What a node of a subgraph says, as soon as it has ended. What a graph says that a node runs by itself is for
        that node.
        """
        about = event["metadata"]
        if event["name"] != about.get("langgraph_node") or TAG_HIDDEN in event["tags"]:
            return
        path = tuple(step.partition(":")[0] for step in str(about.get("langgraph_checkpoint_ns", "")).split("|"))
        if len(path) > 1:
            if self._nested is None:
                self._nested = set(_subgraphs(self._graph))
            if path[:-1] in self._nested:
                yield from self._new(event["data"].get("output"))

    def graph_updated(self, chunk: object) -> Iterator[str]:
        """What nodes say whose results the graph has taken over."""
        if not isinstance(chunk, Mapping):
            return
        updates = [
            {MESSAGES: update} if node == MESSAGES else update
            for node, update in chunk.items()
            if node not in (METADATA, INTERRUPT)
        ]
        if (chunk.get(METADATA) or {}).get("cached") is True:  # said in the run that ended with a question
            said = self.any
            for _ in self._new(updates):
                pass
            self.any = said
        else:
            yield from self._new(updates)

    def graph_ended(self, state: object) -> Iterator[str]:
        """What is left to be said: if nothing was, the results of the tools that ended the run."""
        yield from self._new(state)
        if not self.any:
            yield from filter(None, (sound(str(result.text)) for result in self._results))

    def _new(self, update: object) -> Iterator[str]:
        messages = [message for message in _messages_of(update) if self._is_new(message)]
        claimed = {id(message) for message in messages if self._streamed.pop(message.id or "", None)}
        for message in messages:
            if isinstance(message, ToolMessage):
                self._results.append(message)
                continue
            self._results.clear()
            if isinstance(message, AIMessage) and id(message) not in claimed and (text := self._unsaid(message)):
                self.any = True
                yield text

    def _is_new(self, message: BaseMessage) -> bool:
        """Whether the run meets it for the first time. A message gets its id when it comes into the state."""
        if self._ids is None:
            self._ids = {known.id for known in self._before if known.id}
        address = id(message)
        new = address not in self._met and message.id not in self._ids
        self._met[address] = message
        if message.id:
            self._ids.add(message.id)
            if not new:
                self._unnamed.pop(address, None)
        return new

    def _unsaid(self, message: AIMessage) -> str:
        """What of a new message has not been said."""
        text = sound(str(message.text))
        if message.id is None:
            self._unnamed[id(message)] = text
        else:
            # It may be what a node has given as {"role": …, "content": …}: said then, and met again in the state.
            for address, said in self._unnamed.items():
                if said == text:
                    del self._unnamed[address]
                    return ""
        # A node may make a message of its own of what its model has streamed.
        for key, pieces in self._streamed.items():
            streamed = "".join(pieces).strip()
            if streamed and text.strip().startswith(streamed):
                del self._streamed[key]
                return text.strip()[len(streamed) :]
        return text


def question_text(value: object) -> str:
    """The question that a graph asks by `interrupt(value)`: a text, a message, a mapping with one of `QUESTION_KEYS`;
    anything else as JSON.
    """
    if isinstance(value, BaseMessage):
        return sound(str(value.text))
    if isinstance(value, Mapping):
        value = next((value[key] for key in QUESTION_KEYS if isinstance(value.get(key), str)), value)
    return sound(value) if isinstance(value, str) else dumps(value)


def _messages_of(update: object) -> list[BaseMessage]:
    """The messages in what a node returns, or in a state."""
    if isinstance(update, Command):
        return _messages_of(update.update)
    if isinstance(update, Mapping):
        found = update.get(MESSAGES)
    elif isinstance(update, list | tuple):
        if len(update) == 2 and update[0] == MESSAGES:
            found = update[1]
        else:
            return [message for part in update if not isinstance(part, str) for message in _messages_of(part)]
    else:
        found = getattr(update, MESSAGES, None)
    if found is None:
        return []
    try:
        return convert_to_messages(found if isinstance(found, list) else [found])
    except (ValueError, TypeError, KeyError, NotImplementedError):
        return []  # no messages, whatever they are called


def _subgraphs(graph: CompiledStateGraph[Any, Any, Any, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where graphs stand as nodes that share `messages` with the graph they stand in: names from the outside in."""
    for name, node in graph.nodes.items():
        inner = node.bound
        if isinstance(inner, CompiledStateGraph) and MESSAGES in inner.channels and MESSAGES in _output_of(inner):
            yield (*path, name)
            yield from _subgraphs(inner, (*path, name))


def _output_of(graph: CompiledStateGraph[Any, Any, Any, Any]) -> Sequence[str]:
    channels = graph.output_channels
    return [channels] if isinstance(channels, str) else channels

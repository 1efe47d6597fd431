"""Runs a LangGraph graph and says what happened, as typed events in order.

`astream_events(version="v2")` in, `AgentEvent` out. Imports LangChain: imported after the port is open.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Interrupt

from app.agent.inputs import GraphInput
from app.agent.said import INTERRUPT, SaidMessages

SILENT = "nostream"
"""LangGraph's own tag for a model whose tokens are not for the user."""

_SURROGATE = re.compile("[\ud800-\udfff]")

ROLES = {"ai": "assistant", "AIMessageChunk": "assistant", "human": "user", "system": "system", "tool": "tool"}


@dataclass(slots=True)
class AgentEvent:
    """A LangGraph event. `event` is LangChain's name of it; `data` is JSON-ready and empty for most events.

    Source of the shapes: LangChain's astream_events v2 and the captures of 2024-08.
    """

    event: str
    run_id: str
    parent_ids: list[str]
    tags: list[str]
    data: dict[str, Any]


@dataclass(slots=True)
class AgentToken:
    """A piece of the reply."""

    text: str
    run_id: str
    parent_ids: list[str]
    tags: list[str]


@dataclass(slots=True)
class AgentMessageEnd:
    """A model message is complete; text that follows belongs to another message."""


@dataclass(slots=True)
class AgentOffer:
    """What the graph's final state has under `choices`."""

    choices: object


Happening = AgentEvent | AgentToken | AgentMessageEnd | AgentOffer


async def run_graph(entry: GraphInput, config: RunnableConfig, *, events: bool) -> AsyncGenerator[Happening, None]:
    """Runs a graph; ends when it ends, raises what it raises, and `GraphError` for a question that nobody could answer.

    What its models stream comes token by token, other assistant messages and the question of an `interrupt()` as one
    token each. `events`: whether anybody wants the events that are no tokens.
    """
    said = SaidMessages(entry.graph, [*entry.messages, *entry.known])
    offered = False
    half = ""  # of a character that a model cut in two
    happenings = entry.graph.astream_events(entry.given, config, version="v2")
    async with aclosing(cast(AsyncGenerator[Any, None], happenings)) as stream:
        async for event in stream:
            name = event["event"]
            if name == "on_chat_model_stream":
                if SILENT in event["tags"]:
                    continue
                chunk: AIMessageChunk = event["data"]["chunk"]
                content = chunk.content
                text = content if type(content) is str else str(chunk.text)
                if text and (half or (not text.isascii() and _SURROGATE.search(text))):
                    text, half = _mend(half + text)
                if text:
                    said.streamed(chunk.id, text)
                    yield AgentToken(text, event["run_id"], event["parent_ids"], event["tags"])
                elif events and chunk.tool_call_chunks:
                    yield AgentEvent(name, event["run_id"], event["parent_ids"], event["tags"], _dump(chunk))
                continue
            if name == "on_chat_model_end" and SILENT not in event["tags"]:
                yield AgentMessageEnd()
            for text in _said_by(event, said, entry):
                yield AgentToken(text, event["run_id"], event["parent_ids"], [])
                yield AgentMessageEnd()
            if not event["parent_ids"]:
                offered = offered or (name == "on_chain_stream" and _offers(event["data"].get("chunk")))
                state = event["data"].get("output")
                if name == "on_chain_end" and offered and isinstance(state, dict) and "choices" in state:
                    yield AgentOffer(state["choices"])
            if events:
                yield _event(event)


def _said_by(event: Any, said: SaidMessages, entry: GraphInput) -> Iterator[str]:
    """What an event has to be said of, tokens apart."""
    name, inside = event["event"], bool(event["parent_ids"])
    if name == "on_chain_end":
        return said.node_ended(event) if inside else said.graph_ended(event["data"].get("output"))
    if name != "on_chain_stream" or inside:
        return iter(())
    chunk = event["data"].get("chunk")
    if isinstance(chunk, dict) and INTERRUPT in chunk:
        return iter(entry.ask(chunk[INTERRUPT]))
    return said.graph_updated(chunk)


def _offers(chunk: object) -> bool:
    """Whether a node offers choices. What an earlier run of the thread has offered is none of this one's."""
    return isinstance(chunk, dict) and any(isinstance(part, dict) and "choices" in part for part in chunk.values())


def _event(event: Any) -> AgentEvent:
    name = event["event"]
    data = {"chunk": _plain(event["data"].get("chunk"))} if name == "on_chain_stream" else {}
    return AgentEvent(name, event["run_id"], event["parent_ids"], event["tags"], data)


def _dump(chunk: AIMessageChunk) -> dict[str, Any]:
    """A chunk that calls tools, with the keys that LangChain dumped at the time of the captures."""
    return {
        "chunk": {
            "content": "",
            "additional_kwargs": {},
            "response_metadata": {},
            "type": "AIMessageChunk",
            "name": None,
            "id": None,
            "example": False,
            "tool_calls": [dict(call) for call in chunk.tool_calls],
            "invalid_tool_calls": [],
            "usage_metadata": None,
            "tool_call_chunks": [dict(call) for call in chunk.tool_call_chunks],
        }
    }


def _plain(value: object) -> Any:
    """A state update as JSON: messages become {role, content, tool_calls}, unknown objects their text."""
    if isinstance(value, BaseMessage):
        calls = getattr(value, "tool_calls", None) or None
        return {"role": ROLES.get(value.type, value.type), "content": value.content, "tool_calls": calls}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return whole(value)
    if value is None or isinstance(value, int | float | bool):
        return value
    if isinstance(value, Interrupt):
        return {"value": _plain(value.value), "id": value.id}
    return whole(str(value))


def _mend(text: str) -> tuple[str, str]:
    """`text` without halves of characters, and the half at its end that may still find its other."""
    half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
    return whole(text[: len(text) - len(half)]), half


def whole(text: str) -> str:
    """`text` with surrogate pairs joined and lone ones replaced: JSON on the wire is UTF-8."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

"""Runs a LangGraph graph and says what happened, as typed events in order.

`astream_events(version="v2")` in, `AgentEvent` out. Imports LangChain: imported after the port is open.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig

from app.agent.graphs import Graph

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


def conversation(
    prompt: str, earlier: Sequence[AnyMessage], msg: str | None, picture: str | None = None
) -> list[AnyMessage]:
    """The graph's input: the prompt, the earlier messages as far as they say anything, and the new one, with its
    `picture` (a data URL), if any.
    """
    messages: list[AnyMessage] = [SystemMessage(prompt, id="prompt")] if prompt.strip() else []
    messages.extend(message for message in earlier if not is_blank(message))
    if picture is not None:
        parts: list[str | dict[str, Any]] = [] if msg is None else [{"type": "text", "text": msg}]
        messages.append(HumanMessage([*parts, {"type": "image_url", "image_url": {"url": picture}}]))
    elif msg is not None:
        messages.append(HumanMessage(msg))
    return messages


def is_blank(message: BaseMessage) -> bool:
    """Whether a message says nothing and calls nothing: many providers refuse a conversation with such a one."""
    parts = message.content if isinstance(message.content, list) else [message.content]
    calls = any(getattr(message, kind, ()) for kind in ("tool_calls", "invalid_tool_calls"))
    return not calls and not any(map(_says, parts))


def _says(part: str | dict[str, Any]) -> bool:
    """Whether a part of a message is more than white space."""
    text = part if isinstance(part, str) else part.get("text", "…")
    return not isinstance(text, str) or bool(text.strip())


async def run_graph(
    graph: Graph, messages: list[AnyMessage], config: RunnableConfig, *, events: bool
) -> AsyncGenerator[Happening, None]:
    """Runs `graph` on `messages`; ends when the graph ends, raises what the graph raises.

    A graph that streams no token gives its last AI message as one token. `events`: whether anybody wants the events
    that are no tokens.
    """
    spoken = False
    half = ""  # of a character that a model cut in two
    happenings = graph.astream_events({"messages": messages}, config, version="v2")
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
                    spoken = True
                    yield AgentToken(text, event["run_id"], event["parent_ids"], event["tags"])
                elif events and chunk.tool_call_chunks:
                    yield AgentEvent(name, event["run_id"], event["parent_ids"], event["tags"], _dump(chunk))
            elif name == "on_chain_end" and not event["parent_ids"]:
                state = event["data"].get("output")
                text = "" if spoken else last_reply(state)
                if text:
                    yield AgentToken(text, event["run_id"], [], [])
                if isinstance(state, dict) and "choices" in state:
                    yield AgentOffer(state["choices"])
                if events:
                    yield _event(event)
            else:
                if name == "on_chat_model_end" and SILENT not in event["tags"]:
                    yield AgentMessageEnd()
                if events:
                    yield _event(event)


def last_reply(state: object) -> str:
    """The text of the last AI message of a graph's state; "" if there is none."""
    if isinstance(state, dict):
        for message in reversed(state.get("messages") or []):
            if isinstance(message, AIMessage):
                return whole(str(message.text))
    return ""


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

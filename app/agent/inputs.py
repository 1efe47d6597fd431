"""What a graph is given: a conversation, or the answer to the question it has asked. Imports LangGraph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command, Interrupt

from app.agent.graphs import Graph, GraphError, GraphShelf
from app.agent.said import question_text
from app.agent.threads import RoomThread

NO_THREAD = (
    "the graph asks a question (interrupt), but nobody could answer it: "
    "compile it with checkpointer=True, so that it keeps a thread"
)
STOPS = "the graph stops at a node (interrupt_before, interrupt_after): only interrupt() asks a question"


@dataclass(slots=True)
class GraphInput:
    """How a turn enters a graph. `messages`: what is put into its state; `known`: what stands there already.

    `thread`: where the turn is to be kept by `keep` once it has succeeded, None where it leaves no trace.
    """

    graph: Graph
    given: Any
    messages: Sequence[AnyMessage] = ()
    known: Sequence[BaseMessage] = ()
    thread: RoomThread | None = None
    asked: str | None = field(default=None, init=False)

    def ask(self, questions: Sequence[Interrupt]) -> Iterator[str]:
        """The question that the turn ends with, the first of those that the graph asks. Raises `GraphError`."""
        if not isinstance(self.graph.checkpointer, BaseCheckpointSaver):
            raise GraphError(NO_THREAD)
        if not questions:
            raise GraphError(STOPS)
        if self.asked is None:
            self.asked = questions[0].id
            yield question_text(questions[0].value)

    async def keep(self) -> None:
        """Keeps what the turn has left in its thread."""
        if self.thread is not None:
            await self.thread.keep(self.asked)


async def enter(
    graphs: GraphShelf,
    graph: Graph,
    thread_id: str,
    *,
    prompt: str,
    earlier: Sequence[AnyMessage],
    msg: str | None,
    picture: str | None = None,
    recall: bool = True,
) -> GraphInput:
    """The input of a turn. A graph that keeps its own thread is told nothing `earlier`; if it has asked a question, the
    message is the answer, as a text, or as the parts of a message where there is a `picture`. Without `recall` such a
    turn runs on a thread of its own, and leaves no trace.
    """
    if not graphs.remembers(graph):
        messages = conversation(prompt, earlier, msg, picture)
        return GraphInput(graph, {"messages": messages}, messages)
    thread = RoomThread(graph, thread_id)
    if not recall:
        messages = conversation(prompt, earlier, msg, picture)
        return GraphInput(thread.graph, {"messages": messages}, messages)
    await thread.recall()
    if thread.waits_for is not None:
        answer = [message.content for message in conversation("", (), msg, picture)]
        resume: Any = Command(resume={thread.waits_for: answer[0] if answer else ""})
        return GraphInput(thread.graph, resume, known=thread.messages, thread=thread)
    messages = conversation(prompt, (), msg, picture)
    return GraphInput(thread.graph, {"messages": messages}, messages, thread.messages, thread)


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

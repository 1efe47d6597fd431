"""Graphs as people write them, for tests. Each is an attribute that `langgraph.json` can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, MessagesState
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from app.agent.models import turn_model

Node = Callable[..., Any]


def chain(*nodes: Node | Any) -> StateGraph[Any, Any, Any, Any]:
    """Nodes one after the other."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    names = [f"node{number}" for number in range(len(nodes))]
    for name, node in zip(names, nodes, strict=True):
        builder.add_node(name, node)
    for before, after in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(before, after)
    return builder


def says(*texts: Any) -> Node:
    def node(state: MessagesState) -> Any:
        return {"messages": [AIMessage(text) for text in texts]}

    return node


def nothing(state: MessagesState) -> Any:
    return {}


async def model(state: MessagesState, config: RunnableConfig) -> Any:
    return {"messages": [await (await turn_model(config)).ainvoke(state["messages"], config)]}


async def rewrapped(state: MessagesState, config: RunnableConfig) -> Any:
    reply = await (await turn_model(config)).ainvoke(state["messages"], config)
    return {"messages": [{"role": "assistant", "content": f"{reply.text} (끝)"}]}


async def unstreamed(state: MessagesState, config: RunnableConfig) -> Any:
    llm = (await turn_model(config)).with_config(tags=["nostream"])
    return {"messages": [await llm.ainvoke(state["messages"], config)]}


def dicts(state: MessagesState) -> Any:
    return {"messages": [{"role": "assistant", "content": "첫째. "}, ("ai", "둘째. ")]}


def commands(state: MessagesState) -> Any:
    return Command(update={"messages": [AIMessage("명령입니다.")]}, goto=END)


def alone(state: MessagesState) -> Any:
    return {"messages": AIMessage([{"type": "text", "text": "하나"}, {"type": "text", "text": "둘"}])}


def works(state: MessagesState) -> Any:
    inside = chain(says("속말입니다.")).compile().invoke({"messages": [HumanMessage("일해")]})
    return {"messages": [AIMessage(f"결과: {len(inside['messages'])}")]}


@tool(return_direct=True)
def look_up(word: str) -> str:
    """Looks a word up."""
    return f"{word}: 뜻입니다."


def calls(state: MessagesState) -> Any:
    call = {"name": "look_up", "args": {"word": "나무"}, "id": "c1"}
    return {"messages": [AIMessage("", tool_calls=[call])]}


def calls_aloud(state: MessagesState) -> Any:
    call = {"name": "look_up", "args": {"word": "나무"}, "id": "c1"}
    return {"messages": [AIMessage("찾아볼게요.", tool_calls=[call])]}


def edits(state: MessagesState) -> Any:
    old = [message for message in state["messages"] if message.type == "ai"]
    return {"messages": [AIMessage(f"{message.text}!", id=message.id) for message in old]}


def trims(state: MessagesState) -> Any:
    kept = state["messages"][-3:]
    return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *kept]}


def once(node: Node) -> Node:
    """Does it in the first turn only."""

    def first(state: MessagesState) -> Any:
        return node(state) if not [one for one in state["messages"] if one.type == "ai"] else {}

    return first


def asks(*questions: Any) -> Node:
    def node(state: MessagesState) -> Any:
        answers = [interrupt(question) for question in questions]
        return {"messages": [AIMessage("/".join(map(str, answers)))]}

    return node


def both(*nodes: Node) -> StateGraph[Any, Any, Any, Any]:
    """Nodes beside each other."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    for number, node in enumerate(nodes):
        builder.add_node(f"node{number}", node)
        builder.add_edge(START, f"node{number}")
    return builder


def choosing(state: MessagesState) -> Any:
    first = not [one for one in state["messages"] if one.type == "ai"]
    return {"messages": [AIMessage("골라요.")], **({"choices": [{"text": "하나", "tone": "공손한"}]} if first else {})}


class Offering(MessagesState):
    choices: list[Any]


def offers() -> StateGraph[Any, Any, Any, Any]:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Offering)
    builder.add_node("choosing", choosing)
    builder.add_edge(START, "choosing")
    return builder


silent_after = chain(once(says("처음입니다."))).compile(checkpointer=True)
silent_own_saver = chain(once(says("처음입니다."))).compile(checkpointer=InMemorySaver())
editing = chain(once(says("처음입니다.")), edits).compile(checkpointer=True)
trimming = chain(once(says("처음입니다.")), trims).compile(checkpointer=True)
quiet = chain(nothing)
after_stream = chain(model, says("덧붙입니다."))
before_stream = chain(says("잠시만요. "), model)
several = chain(says("하나. ", "둘. "), says("셋."))
twice_alike = chain(says("네."), says("네."))
given_as_dicts = chain(dicts, dicts)
made_of_streamed = chain(rewrapped)
not_streamed = chain(unstreamed)
by_command = chain(commands)
one_of_parts = chain(alone)
nested = chain(chain(says("안에서. "), model, says("안에서. ")).compile(), says("안에서. "))
working = chain(works)
tool_result = chain(calls, ToolNode([look_up]))
tool_after_words = chain(calls_aloud, ToolNode([look_up]))
offering = offers().compile(checkpointer=True)

asking = chain(says("안녕하세요. "), asks("이름이 뭐예요?"), says(" 반가워요.")).compile(checkpointer=True)
asking_own_saver = chain(asks("이름이 뭐예요?")).compile(checkpointer=InMemorySaver())
asking_twice = chain(asks("이름?", {"question": "나이?", "choices": [1]}), asks(7)).compile(checkpointer=True)
asking_inside = chain(chain(asks("이름?", "나이?")).compile(), asks("끝?")).compile(checkpointer=True)
asking_at_once = both(asks("왼쪽?"), asks("오른쪽?")).compile(checkpointer=True)
asking_nobody = chain(asks("이름?"))
stopping = chain(says("하나.")).compile(checkpointer=True, interrupt_before=["node0"])

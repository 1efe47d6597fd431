"""The default graph: a model that answers, and tools if the model asks for some.

The same file runs in the emulator and under LangGraph's own tools (`langgraph.json` names it).
"""

from __future__ import annotations

from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from typing_extensions import TypedDict

from app.agent.models import AGENT_LLM, turn_model

TOOLS: list[BaseTool] = []


class Conversation(TypedDict):
    """The messages so far; the reply is appended."""

    messages: Annotated[list[AnyMessage], add_messages]


async def model(state: Conversation, config: RunnableConfig) -> dict[str, Any]:
    """Asks the turn's chat model."""
    llm = (await turn_model(config)).with_config(tags=[AGENT_LLM])
    return {"messages": [await llm.ainvoke(state["messages"], config)]}


def wants_tools(state: Conversation) -> str:
    """Where to go after the model: to the tools it called, or to the end."""
    last = state["messages"][-1]
    return "tools" if isinstance(last, AIMessage) and last.tool_calls else END


def build() -> StateGraph[Conversation]:
    """The graph, not yet compiled."""
    builder = StateGraph(Conversation)
    builder.add_node("model", model)
    builder.add_node("tools", ToolNode(TOOLS))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", wants_tools, ["tools", END])
    builder.add_edge("tools", "model")
    return builder


graph = build().compile()

"""A worked example of a graph with tools: a companion that can calculate.

Name it in a space (`graph: arithmetic`) and give the space a model that calls tools. docs/graphs.md walks through it.
"""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode

from app.agent.models import AGENT_LLM, turn_model
from graphs.companion import Conversation, wants_tools


@tool
def add(a: float, b: float) -> float:
    """Adds two numbers."""
    return a + b


@tool
def multiply(a: float, b: float) -> float:
    """Multiplies two numbers."""
    return a * b


TOOLS = [add, multiply]


async def model(state: Conversation, config: RunnableConfig) -> dict[str, Any]:
    """Asks the turn's chat model, which may answer or call a tool."""
    llm = (await turn_model(config)).bind_tools(TOOLS).with_config(tags=[AGENT_LLM])
    return {"messages": [await llm.ainvoke(state["messages"], config)]}


builder = StateGraph(Conversation)
builder.add_node("model", model)
builder.add_node("tools", ToolNode(TOOLS))
builder.add_edge(START, "model")
builder.add_conditional_edges("model", wants_tools, ["tools", END])
builder.add_edge("tools", "model")
graph = builder.compile()

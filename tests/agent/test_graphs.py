"""Finding graphs through langgraph.json, and what goes wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.agent.graphs import GraphError, GraphShelf

PLAIN = """
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState

def speak(state):
    return {"messages": [("ai", "고정된 대답입니다.")]}

builder = StateGraph(MessagesState)
builder.add_node("speak", speak)
builder.add_edge(START, "speak")
builder.add_edge("speak", END)
graph = builder.compile()
remembering = builder.compile(checkpointer=True)
def make():
    return builder
number = 5
"""


def listing(tmp_path: Path, **graphs: str) -> Path:
    (tmp_path / "mine.py").write_text(PLAIN)
    (tmp_path / "broken.py").write_text("import no_such_module_anywhere\n")
    path = tmp_path / "langgraph.json"
    path.write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
    return path


@pytest.mark.parametrize("attribute", ["graph", "builder", "make"])
def test_a_graph_a_builder_and_a_function_all_do(tmp_path: Path, attribute: str) -> None:
    shelf = GraphShelf(listing(tmp_path, mine=f"./mine.py:{attribute}"))
    answer = shelf.get("mine").invoke({"messages": [("user", "?")]})
    assert answer["messages"][-1].text == "고정된 대답입니다."
    assert shelf.get("mine") is shelf.get("mine")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("./mine.py:nothing", "nothing"),
        ("./mine.py:number", "found int"),
        ("./mine.py", "expected file.py:attribute"),
        ("./broken.py:graph", "no_such_module_anywhere"),
        ("./absent.py:graph", "no such file"),
        ("no.such.package:graph", "cannot be loaded"),
    ],
)
def test_a_graph_that_cannot_be_had_says_why(tmp_path: Path, entry: str, why: str) -> None:
    with pytest.raises(GraphError, match=why):
        GraphShelf(listing(tmp_path, mine=entry)).get("mine")


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="it names mine"):
        GraphShelf(listing(tmp_path, mine="./mine.py:graph")).get("other")


@pytest.mark.parametrize("text", ["{", "[]", '{"graphs": []}', '{"graphs": {"a": 5}}'])
def test_a_bad_listing_says_what_was_expected(tmp_path: Path, text: str) -> None:
    path = tmp_path / "langgraph.json"
    path.write_text(text)
    with pytest.raises(GraphError, match=r"langgraph\.json"):
        GraphShelf(path)


def test_a_declared_checkpointer_is_asked_for(tmp_path: Path) -> None:
    shelf = GraphShelf(listing(tmp_path, mine="./mine.py:remembering", plain="./mine.py:graph"))
    assert shelf.declares_checkpointer("mine")
    assert not shelf.declares_checkpointer("plain")
    with pytest.raises(GraphError, match="checkpoint"):
        shelf.get("mine")


def test_the_shipped_listing_names_graphs_that_load() -> None:
    shelf = GraphShelf(Path(__file__).parents[2] / "langgraph.json")
    assert shelf.names
    for name in shelf.names:
        assert shelf.get(name).nodes

"""Rooms' threads as a whole: forgotten, taken out, put back, in every saver there is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from app.agent.graphs import GraphShelf
from app.agent.inputs import enter
from app.agent.runner import AgentToken, run_graph
from app.agent.savers import open_saver
from app.agent.threads import BadThread, RoomThread, Threads, thread_id
from app.emulation.determinism import Ids
from tests.spaces.conftest import empty_database

__all__ = ["empty_database"]

MINE = """
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState

def one():
    builder = StateGraph(MessagesState)
    builder.add_node("model", lambda state: {"messages": []})
    builder.add_edge(START, "model")
    builder.add_edge("model", END)
    return builder

declared = one().compile(checkpointer=True)
also = one().compile(checkpointer=True)
own = one().compile(checkpointer=InMemorySaver())
forgetful = one().compile()
"""


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def saver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield InMemorySaver()
        elif request.param == "sqlite":
            yield await open_saver(None, tmp_path, stack)
        else:
            made: Callable[[], str] = request.getfixturevalue("empty_database")
            yield await open_saver(made(), tmp_path, stack)


@pytest.fixture
async def shelf(saver: BaseCheckpointSaver[Any], tmp_path: Path) -> AsyncIterator[GraphShelf]:
    (tmp_path / "mine.py").write_text(MINE)
    listing = tmp_path / "langgraph.json"
    names = ("declared", "also", "own", "forgetful")
    listing.write_text(json.dumps({"graphs": {name: f"./mine.py:{name}" for name in names}}))
    made = GraphShelf(listing, saver=saver)
    for name in names:
        made.get(name)
    await Threads(made).forget()
    yield made
    await Threads(made).forget()


async def say(shelf: GraphShelf, graph: str, space: str, room: str, *texts: str) -> None:
    for text in texts:
        thread = RoomThread(shelf.get(graph), thread_id(space, room))
        await thread.recall()
        at: RunnableConfig = {"configurable": {"thread_id": thread_id(space, room)}}
        await thread.graph.ainvoke({"messages": [HumanMessage(text)]}, at)
        await thread.keep()


async def heard(shelf: GraphShelf, graph: str, space: str, room: str) -> list[str]:
    state = await shelf.get(graph).aget_state({"configurable": {"thread_id": thread_id(space, room)}})
    return [message.text for message in state.values.get("messages", ())]


async def test_each_saver_is_known_once(shelf: GraphShelf) -> None:
    assert list(shelf.savers()) == ["", "own"]


async def test_threads_are_forgotten_by_room_by_space_and_all(shelf: GraphShelf) -> None:
    space = f"s{Ids().hexadecimal(6)}"
    for graph in ("declared", "own"):
        for room in ("r1", "r2"):
            await say(shelf, graph, space, room, "하나", "둘")
        await say(shelf, graph, "other", "r1", "셋")
    threads = Threads(shelf)
    assert await threads.forget(space, "r1") == 2
    assert await heard(shelf, "declared", space, "r1") == []
    assert await heard(shelf, "declared", space, "r2") == ["하나", "둘"]
    assert await threads.forget(space) == 2
    assert await heard(shelf, "own", space, "r2") == []
    assert await heard(shelf, "own", "other", "r1") == ["셋"]
    assert await threads.forget(room_uid="r1") == 2
    assert await threads.forget() == 0


async def test_what_was_taken_is_put_back_and_goes_on_from_there(shelf: GraphShelf) -> None:
    threads = Threads(shelf)
    await say(shelf, "declared", "s", "r1", "하나", "둘")
    await say(shelf, "own", "s", "r1", "셋 😀")
    taken = json.loads(json.dumps(await threads.take()))
    assert len(taken) == 2
    await say(shelf, "declared", "s", "r1", "넷")
    await say(shelf, "declared", "s", "r2", "다섯")
    await threads.put(threads.read(taken))
    assert await heard(shelf, "declared", "s", "r1") == ["하나", "둘"]
    assert await heard(shelf, "declared", "s", "r2") == []
    assert await heard(shelf, "own", "s", "r1") == ["셋 😀"]
    await say(shelf, "declared", "s", "r1", "여섯")
    assert await heard(shelf, "declared", "s", "r1") == ["하나", "둘", "여섯"]


async def test_threads_of_a_graph_that_is_not_loaded_are_passed_over(shelf: GraphShelf) -> None:
    threads = Threads(shelf)
    await say(shelf, "declared", "s", "r1", "하나")
    taken = await threads.take()
    await threads.put(threads.read([["gone", *taken[0][1:]], *taken]))
    assert await heard(shelf, "declared", "s", "r1") == ["하나"]


@pytest.mark.parametrize("spoilt", ["AAAA", "not base64!", "", "wA=="])
async def test_a_thread_that_no_saver_wrote_is_found_before_anything_changes(shelf: GraphShelf, spoilt: str) -> None:
    threads = Threads(shelf)
    await say(shelf, "declared", "s", "r1", "하나")
    whole = await threads.take()
    for place in (3, 5):
        taken = [[*whole[0][:place], spoilt, *whole[0][place + 1 :]]]
        with pytest.raises(BadThread, match="cannot be read"):
            threads.read(taken)
    with pytest.raises(BadThread, match="cannot be read"):
        threads.read([whole[0][:-1]])
    assert await heard(shelf, "declared", "s", "r1") == ["하나"]


async def test_an_open_question_is_kept_and_taken_with_its_subgraph(tmp_path: Path, shelf: GraphShelf) -> None:
    (tmp_path / "langgraph.json").write_text('{"graphs": {"asking": "tests.wire.own_graphs:asking_inside"}}')
    (saver,) = [saver for name, saver in shelf.savers().items() if name == ""]
    graphs = GraphShelf(tmp_path / "langgraph.json", saver=saver)
    threads, name = Threads(graphs), thread_id("s", f"asked-{Ids().hexadecimal(6)}")
    config: RunnableConfig = {"configurable": {"thread_id": name}}

    async def say(text: str) -> list[str]:
        entry = await enter(graphs, graphs.get("asking"), name, prompt="", earlier=(), msg=text)
        said = [one.text async for one in run_graph(entry, config, events=False) if isinstance(one, AgentToken)]
        await entry.keep()
        return said

    assert await say("안녕") == ["이름?"]
    assert await say("철수") == ["나이?"]
    taken = json.loads(json.dumps(await threads.take()))
    assert await say("9") == ["철수/9", "끝?"]
    assert await say("응") == ["응"]
    assert await say("또") == ["이름?"]
    await threads.put(threads.read([one for one in taken if one[1] == name]))
    assert await say("10") == ["철수/10", "끝?"]
    older = [one[:6] for one in await threads.take() if one[1] == name]
    assert len(threads.read(older)) == len(older)

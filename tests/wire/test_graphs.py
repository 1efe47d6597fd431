"""Graphs of one's own, run by the server: tools, a checkpointer, no streaming, a crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.live import Json, LiveServer, sendmsg, talk, write_fixtures
from tests.openai_server import OpenAIServer

MINE = """
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState
from app.agent.models import turn_model

def fixed(state):
    return {"messages": [AIMessage("흘려보내지 않는 대답입니다.")]}

def broken(state):
    raise KeyError("no such thing")

async def counting(state, config):
    llm = await turn_model(config)
    reply = await llm.ainvoke(state["messages"], config)
    said = [message.text for message in state["messages"] if message.type == "human"]
    return {"messages": [reply, AIMessage("/".join(said), name="heard")]}

def one(node):
    builder = StateGraph(MessagesState)
    builder.add_node("model", node)
    builder.add_edge(START, "model")
    builder.add_edge("model", END)
    return builder

fixed_graph = one(fixed).compile()
broken_graph = one(broken).compile()
remembering = one(counting).compile(checkpointer=True)
"""


def server(tmp_path: Path, graph: str, **space: object) -> LiveServer:
    (tmp_path / "mine.py").write_text(MINE)
    listing = tmp_path / "langgraph.json"
    graphs = {"fixed": "fixed_graph", "broken": "broken_graph", "remembering": "remembering"}
    entries = {name: f"./mine.py:{attribute}" for name, attribute in graphs.items()}
    root = Path(__file__).parents[2]
    listing.write_text(json.dumps({"graphs": {**entries, "arithmetic": f"{root}/graphs/arithmetic.py:graph"}}))
    fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space={"graph": graph, **space})
    return LiveServer(tmp_path / "data", fixtures=fixtures, agent={"graphs": listing})


def text(frames: list[Json]) -> str:
    return "".join(frame["msg"] for frame in frames if frame.get("status") == "stream")


@pytest.mark.parametrize("revision", ["2024-08-26", "2024-11-13"])
async def test_a_graph_that_does_not_stream_gives_its_message_as_one_token(tmp_path: Path, revision: str) -> None:
    with server(tmp_path, "fixed") as live:
        async with talk(live, revision=revision) as peer:
            frames = await peer.turn(sendmsg())
    tokens = [frame for frame in frames if frame.get("event") == "on_chat_model_stream"]
    assert [token["data"]["chunk"]["content"] for token in tokens] == ["흘려보내지 않는 대답입니다."]
    assert frames[-1]["status"] == "END"


async def test_a_graph_that_raises_fails_inside_the_flow_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with server(tmp_path, "broken") as live:
        async with talk(live) as peer:
            frames = await peer.turn(sendmsg())
    assert frames[-3]["msg"] == "'no such thing'"
    assert [frame["status"] for frame in frames[-2:]] == ["think", "END"]
    assert any(record.exc_info for record in caplog.records if "turn failed" in record.message)


async def test_a_graph_with_a_checkpointer_remembers_the_room_by_itself(tmp_path: Path) -> None:
    with server(tmp_path, "remembering") as live:
        async with talk(live) as peer:
            for msg in ("하나", "둘"):
                await peer.turn(sendmsg(msg))
            await peer.turn(sendmsg("몰래", no_save=1))
        graph = live.engine.graphs.get("remembering")
        state = await live.run(graph.aget_state({"configurable": {"thread_id": "test/51VPKp3F0yPX"}}))
    heard = [message.text for message in state.values["messages"] if message.name == "heard"]
    assert heard == ["하나", "하나/둘"]


async def test_a_graph_with_a_checkpointer_still_remembers_after_a_restart(tmp_path: Path) -> None:
    for msg in ("하나", "둘"):
        if (tmp_path / "fixtures").exists():
            (tmp_path / "fixtures").rename(tmp_path / "fixtures.old")
        with server(tmp_path, "remembering") as live:
            async with talk(live) as peer:
                await peer.turn(sendmsg(msg))
            graph = live.engine.graphs.get("remembering")
            state = await live.run(graph.aget_state({"configurable": {"thread_id": "test/51VPKp3F0yPX"}}))
    assert [m.text for m in state.values["messages"] if m.name == "heard"] == ["하나", "하나/둘"]


@pytest.mark.parametrize("revision", ["2024-08-27", "2024-11-13"])
async def test_the_worked_example_calls_its_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    async with OpenAIServer() as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        with server(tmp_path, "arithmetic", model="tools") as live:
            async with talk(live, revision=revision) as peer:
                frames = await peer.turn(sendmsg("2 더하기 3은?"))
    said = "".join(f["data"]["chunk"]["content"] for f in frames if f.get("event") == "on_chat_model_stream")
    assert said == "답은 5.0입니다."
    asked = upstream.requests
    assert [tool["function"]["name"] for tool in asked[0]["tools"]] == ["add", "multiply"]
    assert asked[1]["messages"][-1]["content"] == "5.0"
    tools = [frame["event"] for frame in frames if frame.get("event", "").startswith("on_tool")]
    assert tools == (["on_tool_start", "on_tool_end"] if revision < "2024-10" else [])
    assert frames[-1]["status"] == "END"


async def test_a_space_that_names_an_unknown_graph_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no graph named 'nowhere'"), server(tmp_path, "nowhere"):
        pass


@pytest.mark.parametrize("revision", ["2024-08-26", "2024-08-27", "2024-11-13"])
async def test_a_scripted_reply_calls_tools_first(tmp_path: Path, revision: str) -> None:
    root = Path(__file__).parents[2]
    listing = tmp_path / "langgraph.json"
    listing.write_text(json.dumps({"graphs": {"arithmetic": f"{root}/graphs/arithmetic.py:graph"}}))
    calls = [{"name": "add", "args": {"a": 2, "b": 3}}, {"name": "multiply", "args": {"a": 2, "b": 3}}]
    replies: list[Json] = [{"when": {"msg": "계산"}, "tool_calls": calls, "reply": "다섯과 여섯입니다."}]
    fixtures = write_fixtures(tmp_path / "fixtures", replies=replies, space={"graph": "arithmetic"})
    with LiveServer(tmp_path / "data", fixtures=fixtures, agent={"graphs": listing}) as live:
        async with talk(live, revision=revision) as peer:
            frames = await peer.turn(sendmsg("계산"))
    chunks = [frame["data"]["chunk"] for frame in frames if frame.get("event") == "on_chat_model_stream"]
    assert "".join(chunk["content"] for chunk in chunks) == "다섯과 여섯입니다."
    called = [call["name"] for chunk in chunks for call in chunk.get("tool_call_chunks", [])]
    tools = [frame for frame in frames if frame.get("event", "").startswith("on_tool")]
    if revision < "2024-10":
        assert called == ["add", "multiply"]
        assert sorted(tool["event"] for tool in tools) == ["on_tool_end"] * 2 + ["on_tool_start"] * 2
        assert all(list(tool) == ["event", "data", "run_id", "parent_ids", "tags"] for tool in tools)
        steps = {tag for frame in frames for tag in frame.get("tags", []) if tag.startswith("graph:step:")}
        assert steps == {f"graph:step:{number}" for number in range(4)}
    else:
        assert not called
        assert not tools
    assert frames[-1]["status"] == "END"

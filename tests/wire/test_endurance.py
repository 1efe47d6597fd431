"""What turns and connections do when the other side misbehaves: a graph or a voice that hangs, a client that reads
nothing.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.load import masked
from tests.live import DEMO_KEY, Json, LiveServer, sendmsg, talk, write_fixtures
from tests.wire.test_gateway import until

GRAPHS = """
import asyncio
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState
from app.agent.models import turn_model

async def hanging(state):
    await asyncio.Event().wait()

async def speaking(state, config):
    return {"messages": [await (await turn_model(config)).ainvoke(state["messages"], config)]}

async def paying(state, config):
    await turn_model(config)
    return {"messages": [AIMessage("셈했습니다.")]}

async def remembering(state, config):
    said = [message.text for message in state["messages"] if message.type == "human"]
    reply = await (await turn_model(config)).ainvoke(state["messages"], config)
    return {"messages": [reply, AIMessage("/".join(said), name="heard")]}

def one(*nodes):
    builder = StateGraph(MessagesState)
    for number, node in enumerate(nodes):
        builder.add_node(f"n{number}", node)
        builder.add_edge(START, f"n{number}")
        builder.add_edge(f"n{number}", END)
    return builder

hangs = one(hanging).compile()
plain = one(speaking).compile()
pays_twice = one(paying, paying).compile()
remembers = one(remembering).compile(checkpointer=True)
"""


def server(tmp_path: Path, graph: str, *, replies: list[Json] | None = None, **settings: Any) -> LiveServer:
    (tmp_path / "mine.py").write_text(GRAPHS)
    listing = tmp_path / "langgraph.json"
    names = ("hangs", "plain", "pays_twice", "remembers")
    listing.write_text(json.dumps({"graphs": {name: f"./mine.py:{name}" for name in names}}))
    space = {"graph": graph, "credit": 1000, "credit_per_turn": 10}
    fixtures = write_fixtures(tmp_path / "fixtures", replies=replies or [], space=space)
    return LiveServer(tmp_path / "data", fixtures=fixtures, agent={"graphs": listing}, **settings)


async def credit(live: LiveServer) -> int:
    return (await live.run(live.engine.store.charge("test", 0))).balance


@pytest.mark.parametrize("return_voice", [0, 1])
async def test_a_graph_that_hangs_ends_inside_the_flow_and_costs_nothing(tmp_path: Path, return_voice: int) -> None:
    with server(tmp_path, "hangs", v3={"turn_timeout": 0.3}) as live:
        async with talk(live) as peer:
            frames = await peer.turn(sendmsg(return_voice=return_voice))
            assert (await peer.ask({"action": "status"}))["status"] == "connected"
        assert await credit(live) == 1000
    assert [frame["status"] for frame in frames[-3:]] == ["connected", "think", "END"]
    assert frames[-3]["msg"] == "Request timed out."


async def test_a_voice_that_hangs_does_not_hold_the_turn_beyond_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.chldo.voices.PATIENCE", 0.5)
    replies: list[Json] = [{"when": {"msg": "길게"}, "tokens": ["이것은 아주 긴 이야기입니다.", *[" 말"] * 1500]}]
    with server(tmp_path, "plain", replies=replies) as live:
        speaker = live.engine.speaker

        async def hang(*args: Any, **options: Any) -> Any:
            await asyncio.Event().wait()

        monkeypatch.setattr(speaker, "say", hang)
        async with talk(live) as peer:
            frames = await peer.turn(sendmsg("길게", return_voice=1))
    assert frames[-1]["status"] == "END"
    assert sum(frame["status"] == "stream" for frame in frames) == 1501
    assert not any(frame["status"] == "voice_ready" for frame in frames)


async def test_a_client_that_pauses_still_gets_the_end_of_its_turn(tmp_path: Path) -> None:
    replies: list[Json] = [{"when": {"msg": "많이"}, "tokens": ["가" * 500] * 3000}]
    with server(tmp_path, "plain", replies=replies, v3={"turn_timeout": 0.5}) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port, limit=4096)
        writer.write(
            b"GET /v3/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.write(masked(json.dumps(sendmsg("많이")).encode()))
        await until(lambda: live.program.running == 1)
        await asyncio.sleep(1.0)  # the client's own pause, longer than the turn may last
        tail = b""
        async with asyncio.timeout(20):
            while b'"status":"END"' not in tail:
                tail = tail[-300:] + await reader.read(65536)
        writer.close()


async def test_nodes_that_ask_for_the_model_at_once_pay_once(tmp_path: Path) -> None:
    with server(tmp_path, "pays_twice") as live:
        async with talk(live) as peer:
            assert (await peer.turn(sendmsg()))[-1]["status"] == "END"
        assert await credit(live) == 990


async def test_a_failed_turn_gets_its_price_back_and_a_cancelled_one_does_not(tmp_path: Path) -> None:
    replies: list[Json] = [
        {"when": {"msg": "오류"}, "error": {"status": 500, "body": "x"}},
        {"when": {"msg": "천천히"}, "tokens": ["음 "] * 500, "pace": {"first": 0, "per_second": 50}},
    ]
    with server(tmp_path, "plain", replies=replies) as live:
        async with talk(live) as peer:
            await peer.turn(sendmsg("오류"))
            assert await credit(live) == 1000
            await peer.send(sendmsg("천천히"))
            while (await peer.receive())["status"] != "stream":
                pass
        await until(lambda: live.program.running == 0)
        assert await credit(live) == 990


async def test_failed_cancelled_and_unsaved_turns_leave_no_trace_in_a_remembering_graph(tmp_path: Path) -> None:
    replies: list[Json] = [
        {"when": {"msg": "실패"}, "error": {"status": 500, "body": "x"}},
        {"when": {"msg": "천천히"}, "tokens": ["음 "] * 500, "pace": {"first": 0, "per_second": 50}},
    ]
    with server(tmp_path, "remembers", replies=replies) as live:
        async with talk(live) as peer:
            await peer.turn(sendmsg("하나"))
            await peer.turn(sendmsg("실패"))
            await peer.turn(sendmsg("몰래 한 말", no_save=1))
            await peer.turn(sendmsg("따로", no_history=1))
            await peer.send(sendmsg("천천히"))
            while (await peer.receive())["status"] != "stream":
                pass
        await until(lambda: live.program.running == 0)
        async with talk(live) as peer:
            await peer.turn(sendmsg("둘"))
        graph = live.engine.graphs.get("remembers")
        state = await live.run(graph.aget_state({"configurable": {"thread_id": "test/51VPKp3F0yPX"}}))
        window = await live.run(live.engine.history.window("test", "51VPKp3F0yPX"))
    assert [m.text for m in state.values["messages"] if m.name == "heard"] == ["하나", "하나/둘"]
    assert [turn.msg for turn in window.turns] == ["하나", "따로", "둘"]
    for file in (tmp_path / "data").glob("graphs.sqlite3*"):
        assert "몰래 한 말".encode() not in file.read_bytes()


@pytest.mark.parametrize("return_voice", [0, 1])
async def test_overlapping_turns_of_a_remembering_graph_forget_nothing(tmp_path: Path, return_voice: int) -> None:
    with server(tmp_path, "remembers", voice={"engine": "tone", "workers": 1}) as live:
        async with talk(live) as peer:
            for msg in ("하나", "둘", "셋"):
                await peer.send(sendmsg(msg, return_voice=return_voice))
            ends = 0
            while ends < 3:
                ends += (await peer.receive())["status"] == "END"
        state = await live.run(
            live.engine.graphs.get("remembers").aget_state({"configurable": {"thread_id": "test/51VPKp3F0yPX"}})
        )
    heard = [message.text for message in state.values["messages"] if message.name == "heard"]
    assert heard == ["하나", "하나/둘", "하나/둘/셋"]


async def test_a_memory_that_cannot_be_written_fails_the_turn_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*args: Any, **options: Any) -> None:
        raise RuntimeError("host db.internal is gone")

    with server(tmp_path, "remembers") as live:
        monkeypatch.setattr("app.agent.threads.RoomThread.keep", lost)
        async with talk(live) as peer:
            frames = await peer.turn(sendmsg("하나"))
        window = await live.run(live.engine.history.window("test", "51VPKp3F0yPX"))
        assert await credit(live) == 1000
    assert frames[-3]["msg"] == "The turn could not be saved."
    assert window.saved == 0


async def test_an_unread_download_is_dropped(tmp_path: Path) -> None:
    replies: list[Json] = [{"when": {"msg": "많이"}, "tokens": ["가" * 500] * 5000}]
    with server(tmp_path, "plain", replies=replies, v3={"send_timeout": 0.4}) as live:
        body = json.dumps({"model": "scripted", "stream": True, "messages": [{"role": "user", "content": "많이"}]})
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port, limit=1024)
        writer.write(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEMO_KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()
        )
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        process = psutil.Process()
        mine = writer.get_extra_info("sockname")

        def held() -> bool:
            return any(c.raddr == mine and c.status == "ESTABLISHED" for c in process.net_connections("tcp"))

        assert held()
        await until(lambda: not held())
        writer.close()


async def test_a_character_that_the_model_cuts_in_two_arrives_whole(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from langchain_core.language_models import GenericFakeChatModel\n"
        "from langchain_core.messages import AIMessage, AIMessageChunk\n"
        "from langchain_core.outputs import ChatGenerationChunk\n"
        "from langgraph.graph import END, START, StateGraph\n"
        "from langgraph.graph.message import MessagesState\n"
        "class Halves(GenericFakeChatModel):\n"
        "    async def _astream(self, *args, **kwargs):\n"
        "        for text in ('\\ud83d', '\\ude00', ' ok', '\\udc00'):\n"
        "            yield ChatGenerationChunk(message=AIMessageChunk(content=text))\n"
        "async def node(state, config):\n"
        "    async for _ in Halves(messages=iter(())).astream(state['messages'], config):\n        pass\n"
        "    return {'messages': [AIMessage('x')]}\n"
        "builder = StateGraph(MessagesState)\nbuilder.add_node('node', node)\n"
        "builder.add_edge(START, 'node')\nbuilder.add_edge('node', END)\ngraph = builder.compile()\n"
    )
    listing = tmp_path / "langgraph.json"
    listing.write_text(json.dumps({"graphs": {"mine": "./mine.py:graph"}}))
    fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space={"graph": "mine", "sentence_mode": False})
    with LiveServer(tmp_path / "data", fixtures=fixtures, agent={"graphs": listing}) as live:
        async with talk(live) as peer:
            frames = await peer.turn(sendmsg())
    assert [frame["msg"] for frame in frames if frame["status"] == "stream"] == [
        *("\U0001f600", " ok", "\ufffd"),
        "x",  # what the node adds to the conversation is said, too
    ]


async def test_a_client_that_only_pings_and_never_reads_is_dropped(tmp_path: Path) -> None:
    with LiveServer(tmp_path, v3={"send_timeout": 0.5}) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port, limit=1024)
        writer.write(
            b"GET /v3/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        ping = b"\x89\xfd\x00\x00\x00\x00" + b"x" * 125

        async def flood() -> None:
            async with asyncio.timeout(20):
                while True:
                    writer.write(ping * 500)
                    await writer.drain()

        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await flood()
        await until(lambda: not live.program.stage.lines)
        writer.close()


async def test_a_request_that_never_ends_is_dropped(tmp_path: Path) -> None:
    with LiveServer(tmp_path, http={"head_timeout": 0.3}) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        writer.write(b"GET /v3/ HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()

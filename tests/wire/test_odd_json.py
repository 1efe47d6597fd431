"""JSON that Python reads and others do not: a cut emoji, numbers without an end. Every wire and door takes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.live import DEMO_KEY, Json, LiveServer, sendmsg, talk, write_fixtures

HUGE = 2**70
ODD_KEY = "1" * 22
ODD = r'"odd":[1e400,-1e400,NaN,12345678901234567890123,"\ud83d"]'
"""Members of an object that nobody looks at."""

GRAPH = """
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState
from uuid import UUID

class State(MessagesState):
    ids: object

def say(state):
    odd = [UUID(int=5), 2**70, float("nan"), b"bytes", {1}, "\\ud83d", object, [State]]
    return {"messages": [AIMessage("네.")], "ids": {"n": 2**127, "odd": odd}}

graph = StateGraph(State).add_node("model", say).add_edge(START, "model").add_edge("model", END).compile()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "odd.py").write_text(GRAPH)
    root = Path(__file__).parents[2]
    graphs = {"odd": "./odd.py:graph", "companion": f"{root}/graphs/companion.py:graph"}
    (folder / "langgraph.json").write_text(json.dumps({"graphs": graphs}))
    other: Json = {"uid": "odd", "name": "Odd", "org_id": "o", "api_keys": [ODD_KEY], "graph": "odd"}
    fixtures = write_fixtures(folder / "fixtures", replies=[], spaces=[{**other, "credit": 1000}])
    settings: dict[str, Any] = {
        "agent": {"graphs": folder / "langgraph.json"},
        "voice": {"engine": "tone", "workers": 1},
    }
    with LiveServer(folder / "data", fixtures=fixtures, **settings) as live:
        yield live


def odd(message: Json) -> str:
    """The message with a cut emoji at the end of its texts, and odd values in a key that nobody knows."""
    text = json.dumps({key: f"{value}\ud83d" if key in ("msg", "text") else value for key, value in message.items()})
    return f"{text[:-1]},{ODD}}}"


@pytest.mark.parametrize("revision", ["2024-08-26", "2024-10-06", "2024-11-13"])
async def test_a_message_that_ends_in_half_an_emoji_is_answered(server: LiveServer, revision: str) -> None:
    async with talk(server, revision=revision) as peer:
        await peer.send(odd(sendmsg("hi ")))
        first = await peer.receive()
        assert first.get("status") == "START", first
    async with httpx.AsyncClient(base_url=f"{server.http}/_emulator") as control:
        entries = (await control.get("/journal", params={"kind": "in", "text": "hi "})).json()["entries"]
    assert entries
    json.dumps(entries, ensure_ascii=False).encode("utf-8")


async def test_such_a_message_is_kept_and_a_turn_goes_to_its_end(server: LiveServer) -> None:
    async with talk(server, room_uid="kept") as peer:
        frames = await peer.turn(odd(sendmsg("hi ", room_uid="kept")))  # type: ignore[arg-type]
        assert frames[-1]["status"] == "END"
        frames = await peer.turn(sendmsg("again", room_uid="kept"))
    assert frames[-1]["status"] == "END"


@pytest.mark.parametrize("revision", ["2024-08-26", "2024-08-27", "2024-11-13"])
async def test_a_turn_ends_whatever_its_graph_puts_into_its_events(server: LiveServer, revision: str) -> None:
    async with talk(server, revision=revision, room_uid="graph") as peer:
        frames = await peer.turn(sendmsg("hi", room_uid="graph", api_key=ODD_KEY))
    assert not any(frame.get("msgtype") == "error" for frame in frames)
    assert [frame["status"] for frame in frames if "status" in frame][-2:] == ["think", "END"]
    if revision < "2024-10":
        assert str(2**127) in json.dumps(frames)


async def test_malangee_takes_it_as_typed_text(server: LiveServer) -> None:
    async with connect(f"{server.ws}/api/v1/chat/ws/guest-chat/odd", max_size=None) as socket:
        await socket.send(odd({"type": "text", "text": "hi "}))
        await socket.send(odd({"type": "no such thing"}))
        kinds: list[str] = []
        while "transcript.done" not in kinds[-1:]:
            kinds.append(json.loads(await socket.recv())["type"])
        await socket.send(json.dumps({"type": "disconnect"}))
        async for frame in socket:
            assert "invalid_json" not in str(frame)


@pytest.mark.parametrize(
    ("path", "body", "statuses"),
    [
        ("/v1/chat/completions", {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi \ud83d"}]}, {200}),
        ("/api/v1/auth/signup", {"login_id": "a@b.example", "nickname": "n\ud83d", "password": "12345678a!"}, {200}),
        ("/api/v1/auth/check-nickname", {"nickname": "n\ud83d"}, {200}),
        ("/api/v1/chat/sessions", {"scenarioPlace": "p\ud83d", "scenario_place": "p\ud83d"}, {200, 201, 401, 422}),
        ("/_emulator/faults", {"kind": "drop\ud83d"}, {400}),
        ("/_emulator/snapshots", {"name": "n\ud83d"}, {201}),
        ("/_emulator/clock/advance", {"seconds": HUGE}, {400, 409}),
        ("/_emulator/spaces/test/credit", {"credit": HUGE}, {400, 405}),
        ("/v3/files/presignedurl", {"room_uid": "r\ud83d", "filename": "a\ud83d.png", "api_key": DEMO_KEY}, {200, 400}),
    ],
)
def test_http_takes_it_or_says_no_in_its_own_way(server: LiveServer, path: str, body: Any, statuses: set[int]) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {DEMO_KEY}"}
    text = json.dumps(body)
    for content in (text, f"{text[:-1]},{ODD}}}"):
        answer = httpx.post(f"{server.http}{path}", content=content, headers=headers, timeout=30)
        expected = statuses if content == text else statuses | {400, 422}
        assert answer.status_code in expected, answer.text
        answer.json()


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/api/v1/auth/signup", 2 * 1024 * 1024, 413),
        ("/_emulator/replies", 9 * 1024 * 1024, 413),
        ("/api/v1/auth/login/password", 2 * 1024 * 1024, 413),
    ],
)
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_refused(
    server: LiveServer, path: str, size: int, status: int, declared: bool
) -> None:
    body = b'{"a":"' + b"x" * size + b'"}'
    content: Any = body if declared else iter([body[:1000], body[1000:]])
    answer = httpx.post(f"{server.http}{path}", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (status, 404)
    assert len(answer.content) < 1000

"""Snapshots over HTTP: taken, listed, put back, forgotten; with turns under way and graphs that remember."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.spaces import archive
from tests.control.conftest import Control
from tests.control.test_reset import ask, turn
from tests.live import LiveServer, sendmsg, talk, write_fixtures
from tests.wire.test_graphs import server as server_with_graphs


@pytest.fixture(autouse=True)
def no_snapshots(control: Control) -> Iterator[None]:
    yield
    for one in control.get("/snapshots")["snapshots"]:
        control.ask("DELETE", f"/snapshots/{one['id']}")


async def test_the_store_is_put_back_to_what_it_was(control: Control, shared: LiveServer) -> None:
    await turn(shared, "r1")
    control.ask("PATCH", "/spaces/second", {"strict": True})
    control.post("/spaces", {"uid": "third", "api_keys": ["k3"]}, 201)
    spaces = control.get("/spaces")
    made = control.post("/snapshots", {"name": "전"}, 201)
    assert (made["name"], made["spaces"], made["rooms"], made["turns"], made["threads"]) == ("전", 3, 1, 1, 0)
    assert control.get("/snapshots") == {"snapshots": [made]}
    await turn(shared, "r1")
    await turn(shared, "r2")
    control.post("/reset")
    assert control.post(f"/snapshots/{made['id']}/restore") == made
    assert control.get("/spaces") == spaces
    assert await turn(shared, "r1") == "turn 2"
    assert await turn(shared, "r2") == "turn 1"
    assert control.post("/snapshots/전/restore") == made
    assert await turn(shared, "r1") == "turn 2"


def test_a_snapshot_is_found_by_name_the_newest_first_and_forgotten(control: Control) -> None:
    first, second = (control.post("/snapshots", {"name": "x"}, 201)["id"] for _ in range(2))
    assert control.post("/snapshots/x/restore")["id"] == second
    assert control.ask("DELETE", f"/snapshots/{second}") == {"removed": 1}
    assert control.post("/snapshots/x/restore")["id"] == first
    assert control.ask("DELETE", "/snapshots/x") == {"removed": 1}
    assert control.refused(404, "POST", "/snapshots/x/restore") == "id: there is no snapshot x"
    assert control.refused(404, "DELETE", f"/snapshots/{first}") == f"id: there is no snapshot {first}"
    for strange in ("..%2f..%2fchldo", "%2e%2e", "s1.jsonl", "%00", "가"):
        control.refused(404, "POST", f"/snapshots/{strange}/restore")


def test_a_snapshot_needs_no_name_but_a_name_is_a_line(control: Control) -> None:
    assert control.post("/snapshots", status=201)["name"] == ""
    assert control.refused(400, "POST", "/snapshots", {"name": "a\nb"}).startswith("name: ")
    assert control.refused(400, "POST", "/snapshots", {"name": "x" * 101}).startswith("name: ")


def test_snapshots_are_bounded(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST", 1)
    control.post("/snapshots", status=201)
    assert control.refused(409, "POST", "/snapshots") == "snapshots: at most 1 snapshots are kept: delete one"


def test_a_damaged_snapshot_changes_nothing(control: Control, shared: LiveServer) -> None:
    made = control.post("/snapshots", status=201)
    control.ask("PUT", "/spaces/test/credit", {"credit": 3})
    file = shared.settings.data / "snapshots" / f"{made['id']}.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    message = control.refused(404, "POST", f"/snapshots/{made['id']}/restore")
    assert message.startswith(f"id: snapshot {made['id']} cannot be read")
    assert control.get("/spaces/test")["credit"] == 3


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b'"strict":{}', b'"strict":{"test":"maybe"}', 404),
        (b'"threads":[]', b'"threads":[["",{}]]', 404),
        (b'"api_keys","rows":[[', b'"api_keys","rows":[["k","nowhere",true],[', 409),
        (b'"api_keys","rows":[[', b'"api_keys","rows":[["k","test","maybe"],[', 404),
        (b'"api_keys","rows":[[', b'"api_keys","rows":[["k","test",true],["k","test",true],[', 409),
    ],
)
def test_a_tampered_snapshot_is_refused_whole(
    control: Control, shared: LiveServer, old: bytes, new: bytes, status: int
) -> None:
    made = control.post("/snapshots", status=201)
    control.ask("PUT", "/spaces/test/credit", {"credit": 3})
    file = shared.settings.data / "snapshots" / f"{made['id']}.jsonl"
    whole = file.read_bytes()
    assert old in whole
    file.write_bytes(whole.replace(old, new, 1))
    message = control.refused(status, "POST", f"/snapshots/{made['id']}/restore")
    assert message.startswith(f"id: snapshot {made['id']} cannot be re")
    assert control.get("/spaces/test")["credit"] == 3
    file.write_bytes(whole)
    assert control.post(f"/snapshots/{made['id']}/restore")["id"] == made["id"]
    assert control.get("/spaces/test")["credit"] == 1000


def test_a_snapshot_whose_first_line_is_not_ours_is_not_listed(control: Control, shared: LiveServer) -> None:
    made = control.post("/snapshots", status=201)
    file = shared.settings.data / "snapshots" / f"{made['id']}.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"name":""', b'"name":{}', 1))
    assert control.get("/snapshots")["snapshots"] == []


async def test_a_turn_under_way_at_a_restore_is_not_kept(control: Control, shared: LiveServer) -> None:
    control.post("/snapshots", {"name": "empty"}, 201)
    control.post("/replies", {"when": {"msg": "천천히"}, "reply": "예", "pace": {"first": 3600}}, 201)
    async with talk(shared, room_uid="r1") as peer:
        await peer.send(sendmsg("천천히", room_uid="r1"))
        await ask(control, "GET", "/journal/wait?kind=match&room=r1")
        await ask(control, "POST", "/snapshots/empty/restore")
        await ask(control, "POST", "/clock/advance", {"seconds": 3601})
        while (await peer.receive()).get("status") != "END":
            pass
    assert (await ask(control, "GET", "/spaces/test"))["credit"] == 1000
    assert await turn(shared, "r1") == "turn 1"


async def test_snapshots_outlive_the_server(tmp_path: Path) -> None:
    fixtures = write_fixtures(tmp_path / "fixtures", replies=[])
    with LiveServer(tmp_path / "data", fixtures=fixtures) as server:
        control = Control(server)
        await ask(control, "PUT", "/spaces/test/credit", {"credit": 42})
        await ask(control, "POST", "/snapshots", {"name": "kept"}, 201)
        await ask(control, "POST", "/reset")
        control.http.close()
    with LiveServer(tmp_path / "data", fixtures=fixtures) as server:
        control = Control(server)
        await ask(control, "POST", "/snapshots/kept/restore")
        assert (await ask(control, "GET", "/spaces/test"))["credit"] == 42
        control.http.close()


async def test_what_a_graph_remembers_is_reset_and_restored_with_the_rest(tmp_path: Path) -> None:
    async def say(server: LiveServer, msg: str) -> list[str]:
        """Says something; what the graph has heard in its room so far."""
        async with talk(server, room_uid="r1") as peer:
            await peer.turn(sendmsg(msg, room_uid="r1"))
        graph = server.engine.graphs.get("remembering")
        state = await server.run(graph.aget_state({"configurable": {"thread_id": "test/r1"}}))
        return [message.text for message in state.values["messages"] if message.type == "human"]

    with server_with_graphs(tmp_path, "remembering") as server:
        control = Control(server)
        assert await say(server, "하나") == ["하나"]
        made = await ask(control, "POST", "/snapshots", {"name": "one"}, 201)
        assert made["threads"] == 1
        assert await say(server, "둘") == ["하나", "둘"]
        await ask(control, "POST", "/snapshots/one/restore")
        assert await say(server, "셋") == ["하나", "셋"]
        for scope in ({"room": "r1"}, {"space": "test"}, None):
            await ask(control, "POST", "/reset", scope)
            assert await say(server, "넷") == ["넷"]
            assert await say(server, "다섯") == ["넷", "다섯"]
        control.http.close()


async def test_snapshots_and_turns_at_the_same_time_disturb_each_other_in_nothing(
    control: Control, shared: LiveServer
) -> None:
    async def talking(room: str) -> list[str]:
        return [await turn(shared, room) for _ in range(4)]

    control.ask("PUT", "/spaces/test/credit", {"credit": 100_000})
    turns = [talking(f"q{number}") for number in range(3)]
    shots = [ask(control, "POST", "/snapshots", status=201) for _ in range(4)]
    heard, made = await asyncio.gather(asyncio.gather(*turns), asyncio.gather(*shots))
    assert heard == [[f"turn {number}" for number in range(1, 5)]] * 3
    for one in made:
        lines = (shared.settings.data / "snapshots" / f"{one['id']}.jsonl").read_text().splitlines()
        tables = {line["table"]: line["rows"] for line in map(json.loads, lines[1:-1])}
        assert sum(row[2] for row in tables["rooms"]) == len(tables["turns"]) == one["turns"]

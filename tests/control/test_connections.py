"""Open sockets by hand, and the revision that new ones speak."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from app.emulation.lines import Line, LineGone
from tests.control.conftest import Control
from tests.control.test_reset import ask
from tests.live import LiveServer, sendmsg, talk


async def test_open_sockets_are_listed_with_what_went_over_them(control: Control, shared: LiveServer) -> None:
    assert control.get("/connections") == {"connections": []}
    async with talk(shared, room_uid="r1") as peer:
        frames = await peer.turn(sendmsg("turn", room_uid="r1"))
        (one,) = control.get("/connections")["connections"]
        assert one["id"] == frames[0]["connection_id"]
        assert one["opened"] == pytest.approx(shared.program.stage.world.clock.time(), abs=60)
        one.pop("opened")
        assert one == {
            "id": frames[0]["connection_id"],
            "wire": "chldo",
            "room": "r1",
            "user": "u1",
            "path": "/v3/",
            "frames_in": 1,
            "frames_out": len(frames),
            "exchanges": 1,
        }
        assert control.get(f"/connections/{one['id']}")["id"] == one["id"]
    await ask(control, "GET", "/journal/wait?kind=close")
    assert control.refused(404, "GET", f"/connections/{one['id']}") == f"id: no connection {one['id']} is open"


async def test_a_frame_is_pushed_as_text_or_as_json(control: Control, shared: LiveServer) -> None:
    async with talk(shared, room_uid="r1") as peer:
        uid = control.get("/connections")["connections"][0]["id"]
        control.post("/faults", {"fault": "drop"}, 201)
        for body, text in (
            ({"text": "그냥 글"}, "그냥 글"),
            ({"text": ""}, ""),
            ({"frame": {"b": [1, None], "a": "나"}}, '{"b":[1,null],"a":"나"}'),
            ({"frame": None}, "null"),
        ):
            await ask(control, "POST", f"/connections/{uid}/push", body)
            assert await asyncio.wait_for(peer.socket.recv(), 10) == text
    pushed = control.get("/journal", kind="out", room="r1")["entries"]
    assert pushed[0]["text"] == "그냥 글"


@pytest.mark.parametrize("code", [1000, 1001, 1007, 1011, 1012, 1014, 3000, 4999])
async def test_a_socket_is_closed_with_a_code(control: Control, shared: LiveServer, code: int) -> None:
    async with talk(shared, room_uid="r1") as peer:
        uid = control.get("/connections")["connections"][0]["id"]
        told = await ask(control, "POST", f"/connections/{uid}/close", {"code": code, "reason": "안녕히"})
        assert told["id"] == uid
        await peer.socket.wait_closed()
        assert (peer.socket.close_code, peer.socket.close_reason) == (code, "안녕히")
    closed = control.get("/journal", kind="close", connection=uid)["entries"]
    assert [(one["code"], one["by"]) for one in closed] == [(code, "control")]


async def test_without_a_body_a_socket_is_closed_with_1000_and_its_turns_end(
    control: Control, shared: LiveServer
) -> None:
    control.post("/replies", {"when": {"msg": "천천히"}, "reply": "예", "pace": {"first": 3600}}, 201)
    async with talk(shared, room_uid="r1") as peer:
        await peer.send(sendmsg("천천히", room_uid="r1"))
        await ask(control, "GET", "/journal/wait?kind=match&room=r1")
        uid = control.get("/connections")["connections"][0]["id"]
        await ask(control, "POST", f"/connections/{uid}/close")
        await peer.socket.wait_closed()
        assert peer.socket.close_code == 1000
    while control.get("/health")["turns"]:
        pass


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000, -1, 70000])
async def test_a_code_that_no_close_frame_carries_is_refused(control: Control, shared: LiveServer, code: int) -> None:
    async with talk(shared, room_uid="r1"):
        uid = control.get("/connections")["connections"][0]["id"]
        message = control.refused(400, "POST", f"/connections/{uid}/close", {"code": code})
        assert message == f"code: expected 1000 to 1014 but for 1004, 1005, 1006, or 3000 to 4999, found {code}"
        assert len(control.get("/connections")["connections"]) == 1


async def test_what_cannot_be_pushed_or_closed_is_refused_by_its_place(control: Control, shared: LiveServer) -> None:
    async with talk(shared, room_uid="r1"):
        uid = control.get("/connections")["connections"][0]["id"]
        for body in ({}, {"text": "a", "frame": 1}):
            told = control.refused(400, "POST", f"/connections/{uid}/push", body)
            assert told == "body: expected exactly one of text, frame"
        assert control.refused(400, "POST", f"/connections/{uid}/push", {"text": 5}).startswith("text: ")
        long = {"reason": "가" * 42}
        assert control.refused(400, "POST", f"/connections/{uid}/close", long).startswith(
            "reason: expected at most 123"
        )
        for path in ("push", "close"):
            assert control.refused(404, "POST", f"/connections/nope/{path}", {"text": "x"} if path == "push" else None)


async def test_a_socket_that_is_closing_or_not_yet_open_takes_nothing(control: Control, shared: LiveServer) -> None:
    async with talk(shared, room_uid="r1"):
        uid = control.get("/connections")["connections"][0]["id"]
        line = shared.program.stage.lines.get(uid)
        assert isinstance(line, Line)
        line.accepted = False
        for path, body in (("push", {"text": "x"}), ("close", None)):
            message = control.refused(409, "POST", f"/connections/{uid}/{path}", body)
            assert message == f"id: the connection {uid} is not open (not yet, or no longer)"
        line.accepted = True
        line.closed = (1000, "")
        with pytest.raises(LineGone):
            await line.push("x")
        line.closed = None


async def test_a_client_that_waits_for_its_handshake_is_listed_but_takes_nothing(
    control: Control, shared: LiveServer
) -> None:
    control.post("/faults", {"fault": "handshake-delay", "seconds": 3600, "when": {"room": "slow"}}, 201)

    async def come() -> None:
        async with talk(shared, room_uid="slow") as peer:
            await peer.turn(sendmsg("turn", room_uid="slow"))

    coming = asyncio.ensure_future(come())
    await ask(control, "GET", "/journal/wait?kind=fault&room=slow")
    (one,) = control.get("/connections")["connections"]
    assert control.refused(409, "POST", f"/connections/{one['id']}/push", {"text": "x"})
    await ask(control, "POST", "/clock/advance", {"seconds": 3600})
    await coming


async def test_new_sockets_speak_the_revision_that_is_set(control: Control, shared: LiveServer) -> None:
    told = control.get("/revision")
    assert (told["wire"], told["revision"], told["wires"][0]) == ("chldo", "2024-11-13", "chldo")
    assert told["revisions"][0] == "2023-12-28"
    async with talk(shared, room_uid="r1") as before:
        set_to = control.ask("PUT", "/revision", {"revision": "2024-10-06", "wire": "chldo"})
        assert set_to == {**told, "revision": "2024-10-06"}
        async with talk(shared, room_uid="r1") as after:
            old = (await before.turn(sendmsg("turn", room_uid="r1")))[0]
            new = (await after.turn(sendmsg("turn", room_uid="r1")))[0]
    assert list(old) != list(new)
    assert control.get("/health")["revision"] == "2024-10-06"


def test_a_revision_or_wire_that_is_not_there_is_refused(control: Control) -> None:
    message = control.refused(400, "PUT", "/revision", {"revision": "2025-01-01"})
    assert message.startswith("revision: expected one of 2023-12-28, ")
    assert control.refused(400, "PUT", "/revision", {"revision": "2024-10-07", "wire": "x"}).startswith("wire: ")
    assert control.refused(400, "GET", "/revision", params={"wire": "x"}).startswith("wire: expected one of chldo, ")


def test_the_index_lists_every_endpoint(control: Control, shared: LiveServer) -> None:
    told = control.get("/")
    listed = {(one["method"], one["path"]) for one in told["endpoints"]}
    paths = shared.app.openapi()["paths"]
    assert listed == {(m.upper(), p) for p, ms in paths.items() if p.startswith("/_emulator") for m in ms}
    assert all(one["about"] for one in told["endpoints"])
    for page in ("docs", "openapi"):
        assert httpx.get(f"{shared.http}{told[page]}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nothing", 404, "GET /_emulator/nothing: no such endpoint; GET /_emulator/ lists them"),
        ("PATCH", "/reset", 405, "PATCH /_emulator/reset: no such method; allowed: POST"),
        ("GET", "/faults?x=1", 400, "x: no such parameter; known: none"),
        ("GET", "/journal?rooom=1", 400, "rooom: no such parameter; known: after, connection, kind, limit"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(
    control: Control, method: str, path: str, status: int, message: str
) -> None:
    assert control.refused(status, method, path).startswith(message)


def test_elsewhere_nothing_has_changed(shared: LiveServer) -> None:
    assert httpx.get(f"{shared.http}/nothing").json() == {"detail": "Not Found"}

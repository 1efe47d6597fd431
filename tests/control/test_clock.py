"""The emulated clock by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import SettingsError, load_settings
from tests.control.conftest import Control, plain_fixtures
from tests.control.test_reset import ask
from tests.live import DEMO_KEY, LiveServer, sendmsg, talk
from tests.wire.test_files import PNG


def test_a_frozen_clock_stands_still_until_it_runs(control: Control) -> None:
    frozen = control.post("/clock/freeze")
    assert frozen["frozen"] is True
    assert control.get("/clock") == control.get("/clock") == frozen
    moved = control.post("/clock/advance", {"seconds": 1.5})
    assert moved["time"] == pytest.approx(frozen["time"] + 1.5)
    assert control.post("/clock/run")["frozen"] is False
    assert control.get("/clock")["time"] > moved["time"]


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        ("2024-12-24T18:00:00Z", "2024-12-24T18:00:00+00:00"),
        ("2024-12-24T18:00:00", "2024-12-24T18:00:00+00:00"),
        ("2024-12-24T18:00:00+09:00", "2024-12-24T09:00:00+00:00"),
        ("2024-12-24", "2024-12-24T00:00:00+00:00"),
        (1735063200, "2024-12-24T18:00:00+00:00"),
        (0, "1970-01-01T00:00:00+00:00"),
    ],
)
def test_the_wall_clock_is_set(control: Control, instant: Any, shown: str) -> None:
    control.post("/clock/freeze")
    assert control.post("/clock/set", {"instant": instant})["instant"] == shown
    assert control.get("/clock")["instant"] == shown


BOUNDS = "expected a moment from 1970-01-01T00:00:00+00:00 to 2262-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("advance", {"seconds": -1}, "seconds: Input should be greater than or equal to 0"),
        ("advance", {"seconds": "1"}, "seconds: Input should be a valid number"),
        ("advance", {}, "seconds: Field required"),
        ("advance", {"seconds": 1e10}, "seconds: Input should be less than or equal to"),
        ("set", {"instant": "yesterday"}, "instant: expected a moment like 2024-12-24T18:00:00Z, found yesterday"),
        ("set", {"instant": -1}, "instant: expected a moment from 1970-01-01"),
        ("set", {"instant": 1e15}, "instant: expected a moment from 1970-01-01"),
        ("set", {"instant": "9999-12-31T23:59:59Z"}, "instant: expected a moment from 1970-01-01"),
        ("set", {"instant": "0001-01-01T00:00:00+14:00"}, "instant: expected a moment"),
        ("set", {"instant": "2263-01-01"}, f"instant: {BOUNDS}, found 2263-01-01"),
        ("set", {"instant": "1969-12-31T23:59:59.999Z"}, f"instant: {BOUNDS}, found 1969-12-31T23:59:59.999Z"),
        ("set", {"instant": "2262-01-01T00:00:00-01:00"}, f"instant: {BOUNDS}"),
        ("set", {"instant": 9.3e9}, f"instant: {BOUNDS}, found 9300000000"),
        ("set", {"instant": None}, "instant"),
        ("set", None, "body: Field required"),
    ],
)
def test_a_time_that_cannot_be_is_refused_and_the_clock_stays(
    control: Control, path: str, body: Any, message: str
) -> None:
    before = control.post("/clock/freeze")
    assert control.refused(400, "POST", f"/clock/{path}", body).startswith(message)
    assert control.get("/clock") == before


def test_time_ends_before_turns_cannot_be_kept(control: Control) -> None:
    control.post("/clock/set", {"instant": "2261-12-31"})
    control.post("/clock/freeze")
    before = control.get("/clock")
    assert control.refused(400, "POST", "/clock/advance", {"seconds": 3e9}).startswith("seconds: time ends at 2262-")
    assert control.get("/clock") == before


@pytest.mark.parametrize("instant", ["1970-01-01", "2261-12-31T23:59:59.999Z", "2262-01-01"])
async def test_at_both_ends_of_time_turns_are_kept_and_voices_are_there(
    control: Control, shared: LiveServer, instant: str
) -> None:
    control.post("/clock/freeze")
    control.post("/clock/set", {"instant": instant})
    async with talk(shared, room_uid="ends") as peer, httpx.AsyncClient() as http:
        for number in (1, 2):
            frames = await peer.turn(sendmsg("turn", room_uid="ends", return_voice=1))
            assert "".join(frame["msg"] for frame in frames if frame["status"] == "stream") == f"turn {number}"
            (url,) = [frame["voice_url"] for frame in frames if "voice_url" in frame]
            assert (await http.get(url)).status_code == 200
        about = {"room_uid": "ends", "filename": "a.png"}
        asked = {"api_key": DEMO_KEY, **about}
        answer = await http.post(f"{shared.http}/v3/files/presignedurl", json=asked)
        signed = answer.json()["presigned_url"]
        sent = await http.post(signed["url"], data=signed["fields"], files={"file": ("a.png", PNG)})
        assert sent.status_code == 204, sent.text
        login = {"username": "someone@example.com", "password": "a-password"}
        made = {"login_id": login["username"], "nickname": "S", "password": login["password"]}
        await http.post(f"{shared.http}/api/v1/auth/signup", json=made)
        token = (await http.post(f"{shared.http}/api/v1/auth/login", data=login)).json()["access_token"]
        me = await http.get(f"{shared.http}/api/v1/users/me", headers={"authorization": f"Bearer {token}"})
        assert me.json()["login_id"] == login["username"]


@pytest.mark.parametrize("start", ["1969-12-31T23:59:59Z", "2263-01-01", "9999-12-31T23:59:59-14:00", "0001-01-01"])
def test_a_clock_does_not_start_where_no_time_is(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHLDO_START_AT", start)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert str(error.value) == f"CHLDO_START_AT: {BOUNDS} (got '{start}')"


async def test_a_pause_ends_when_time_is_advanced_and_waits_when_it_is_frozen(
    control: Control, shared: LiveServer
) -> None:
    control.post("/replies", {"when": {"msg": "천천히"}, "reply": "예", "pace": {"first": 3600}}, 201)
    control.post("/clock/freeze")
    async with talk(shared, room_uid="r1") as peer:
        await peer.send(sendmsg("천천히", room_uid="r1"))
        await ask(control, "GET", "/journal/wait?kind=match&room=r1")
        await ask(control, "POST", "/clock/advance", {"seconds": 3599})
        waited = await ask(control, "GET", "/journal/wait?type=END&room=r1&timeout=0.2")
        assert waited == {"complete": False, "entries": []}
        await ask(control, "POST", "/clock/advance", {"seconds": 1})
        assert (await ask(control, "GET", "/journal/wait?type=END&room=r1"))["complete"]


TEN = {
    "when": {"msg": "열"},
    "tokens": [f"{number} " for number in range(30)],
    "pace": {"first": 0.1, "per_second": 10},
}


async def tokens(control: Control, room: str) -> list[tuple[float, str]]:
    """The tokens that have been sent in a room: when, in seconds after START, and which."""
    sent = (await ask(control, "GET", f"/journal?kind=out&room={room}&limit=1000"))["entries"]
    began = next(entry["at"] for entry in sent if entry["type"] == "START")
    return [
        (round(entry["at"] - began, 3), json.loads(entry["text"])["msg"]) for entry in sent if entry["type"] == "stream"
    ]


async def test_a_second_at_ten_tokens_a_second_lets_ten_through(control: Control, shared: LiveServer) -> None:
    control.post("/replies", TEN, 201)
    control.post("/clock/freeze")
    async with talk(shared, room_uid="ten") as peer, talk(shared, room_uid="ten2") as other:
        for room, one in (("ten", peer), ("ten2", other)):
            await one.send(sendmsg("열", room_uid=room))
            await ask(control, "GET", f"/journal/wait?kind=match&room={room}")
        await ask(control, "POST", "/clock/advance", {"seconds": 1})
        for room, one in (("ten", peer), ("ten2", other)):
            assert await tokens(control, room) == [(round((n + 1) / 10, 1), f"{n} ") for n in range(10)]
            while (await one.receive()).get("msg") != "9 ":
                pass
        await ask(control, "POST", "/clock/advance", {"seconds": 0.25})
        assert [text for _, text in await tokens(control, "ten")][10:] == ["10 ", "11 "]


async def test_what_ends_a_socket_on_the_way_ends_it_there(control: Control, shared: LiveServer) -> None:
    """A fault that closes it after 0.55 s comes between the fifth token and the sixth, however far the step goes."""
    control.post("/replies", TEN, 201)
    closes = {"fault": "close", "code": 1001, "after_seconds": 0.55, "when": {"room": "cut", "action": "sendmsg"}}
    control.post("/faults", closes, 201)
    control.post("/clock/freeze")
    async with talk(shared, room_uid="cut") as peer:
        await peer.send(sendmsg("열", room_uid="cut"))
        await ask(control, "GET", "/journal/wait?kind=match&room=cut")
        await ask(control, "POST", "/clock/advance", {"seconds": 30})
        await peer.socket.wait_closed()
        assert peer.socket.close_code == 1001
    assert [text for _, text in await tokens(control, "cut")] == ["0 ", "1 ", "2 ", "3 ", "4 "]


async def test_a_socket_is_idle_from_the_end_of_its_turn_on_within_a_step_too(
    control: Control, shared: LiveServer
) -> None:
    control.post("/replies", TEN, 201)
    control.post("/clock/freeze")
    async with talk(shared, room_uid="idle") as peer:
        await peer.send(sendmsg("열", room_uid="idle"))
        await ask(control, "GET", "/journal/wait?kind=match&room=idle")
        await ask(control, "POST", "/clock/advance", {"seconds": 600})
        while (await peer.receive()).get("status") != "END":
            pass
        assert peer.socket.close_code is None, "its turn took three of these seconds"
        await ask(control, "POST", "/clock/advance", {"seconds": 601})
        await peer.socket.wait_closed()
    (closed,) = (await ask(control, "GET", "/journal?kind=close&room=idle"))["entries"]
    (started,) = (await ask(control, "GET", "/journal?type=START&room=idle"))["entries"]
    assert closed["reason"] == "Idle timeout"
    assert round(closed["at"] - started["at"], 2) == 603, "not at the end of the step, which is 1201"


async def test_idle_sockets_are_closed_when_time_is_advanced(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", fixtures=plain_fixtures(tmp_path / "fixtures")) as server:
        control = Control(server)
        async with talk(server, room_uid="r1") as peer:
            await ask(control, "POST", "/clock/advance", {"seconds": 601})
            await peer.socket.wait_closed()
            assert (peer.socket.close_code, peer.socket.close_reason) == (1001, "Idle timeout")
        control.http.close()


async def test_the_clock_of_a_seeded_world_moves_by_hand_and_goes_back_with_a_reset(tmp_path: Path) -> None:
    fixtures = plain_fixtures(tmp_path / "fixtures")
    with LiveServer(tmp_path / "data", fixtures=fixtures, seed=3, start_at="2024-11-13T09:00:00Z") as server:
        control = Control(server)
        start = await ask(control, "GET", "/clock")
        assert start == {
            "time": 1731488400.0,
            "instant": "2024-11-13T09:00:00+00:00",
            "frozen": False,
            "virtual": True,
            "seed": 3,
        }
        moved = await ask(control, "POST", "/clock/advance", {"seconds": 0.1})
        assert moved["time"] == 1731488400.1
        await ask(control, "POST", "/clock/freeze")
        await ask(control, "POST", "/reset")
        assert await ask(control, "GET", "/clock") == start
        control.http.close()

"""Start anew: everything, a space, a room; while turns run; in a seeded world."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tests.control.conftest import DEMO_KEY, Control
from tests.live import Json, LiveServer, Peer, sendmsg, talk, write_fixtures
from tests.wire.test_files import PNG


def said(frames: list[Json]) -> str:
    return "".join(frame["msg"] for frame in frames if frame.get("status") == "stream")


async def turn(server: LiveServer, room: str, msg: str = "turn") -> str:
    async with talk(server, room_uid=room) as peer:
        return said(await peer.turn(sendmsg(msg, room_uid=room)))


async def ask(control: Control, method: str, path: str, body: Json | None = None, status: int = 200) -> Json:
    answer: Json = await asyncio.to_thread(control.ask, method, path, body, status=status)
    return answer


async def test_everything_is_as_it_was_at_the_start(control: Control, shared: LiveServer) -> None:
    nouns = ("spaces", "faults", "replies", "clock", "revision", "profiles", "journal")
    control.post("/reset")
    before = {noun: control.get(f"/{noun}") for noun in nouns}
    assert await turn(shared, "r1") == "turn 1"
    assert await turn(shared, "r1") == "turn 2"
    control.post("/spaces", {"uid": "third", "api_keys": ["k3"], "default": True, "strict": True}, 201)
    control.ask("PATCH", "/spaces/test", {"language": "en", "strict": True})
    control.ask("PATCH", "/spaces/second/keys/k-second", {"usable": False})
    control.post("/replies", {"when": {"msg": "누구세요"}, "reply": "몰라요."}, 201)
    control.post("/faults", {"fault": "drop", "when": {"frame": "END"}}, 201)
    control.post("/profiles/quiet")
    control.ask("DELETE", "/faults", params={"source": "fixtures"})
    control.post("/clock/freeze")
    control.post("/clock/advance", {"seconds": 5000})
    control.post("/clock/set", {"instant": "2030-01-01"})
    control.ask("PUT", "/revision", {"revision": "2024-08-26"})
    assert control.post("/reset") == {"rooms": 1, "turns": 2}
    after = {noun: control.get(f"/{noun}") for noun in nouns}
    for told in (before, after):
        clock = told["clock"]
        assert abs(clock.pop("time") - shared.program.stage.world.clock.time()) < 60
        clock.pop("instant")
        told["faults"]["faults"][0].pop("id")
        assert told["journal"].pop("entries") == []
        told.pop("journal")
    assert after == before
    assert await turn(shared, "r1") == "turn 1"
    assert await turn(shared, "r1", "누구세요") == "저는 민트예요."


async def test_a_reset_counts_the_journal_on(control: Control, shared: LiveServer) -> None:
    await turn(shared, "r1")
    last = control.get("/journal")["last"]
    control.post("/reset")
    assert control.get("/journal") == {"entries": [], "last": last, "dropped": 0}
    await turn(shared, "r1")
    assert control.get("/journal")["entries"][0]["seq"] == last + 1


async def test_a_room_begins_anew_and_no_other_notices(control: Control, shared: LiveServer) -> None:
    control.post("/faults", {"fault": "duplicate", "when": {"frame": "START"}, "count": 1}, 201)
    async with talk(shared, room_uid="r2") as other:
        for number in (1, 2):
            assert said(await other.turn(sendmsg("turn", room_uid="r2"))) == f"turn {number}"
        assert await turn(shared, "r1") == "turn 1"
        credit = control.get("/spaces/test")["credit"]
        assert await ask(control, "POST", "/reset", {"room": "r1"}) == {"rooms": 1, "turns": 1}
        assert said(await other.turn(sendmsg("turn", room_uid="r2"))) == "turn 3"
    assert await turn(shared, "r1") == "turn 1"
    assert control.get("/spaces/test")["credit"] == credit - 20
    numbered = [
        (entry["room"], entry["kind"]) for entry in control.get("/journal", kind="control,fault", limit=100)["entries"]
    ]
    assert numbered[-2:] == [("r1", "control"), ("r1", "fault")], "the fault counts from 0 again in r1 alone"


async def test_a_space_begins_anew_and_no_other_notices(control: Control, shared: LiveServer) -> None:
    await turn(shared, "r1")
    control.ask("PUT", "/spaces/second/credit", {"credit": 7})
    assert control.post("/reset", {"space": "test"}) == {"rooms": 1, "turns": 1}
    assert control.get("/spaces/test")["credit"] == 1000
    assert control.get("/spaces/second")["credit"] == 7
    assert await turn(shared, "r1") == "turn 1"


@pytest.mark.parametrize("scope", [None, {"space": "test"}])
def test_responses_of_the_proxy_end_with_their_space(control: Control, shared: LiveServer, scope: Json | None) -> None:
    key = {"authorization": f"Bearer {DEMO_KEY}"}
    with httpx.Client(base_url=f"{shared.http}/v1", headers=key, timeout=30) as http:
        uid = http.post("/responses", json={"model": "m", "input": "누구세요"}).json()["id"]
        control.post("/reset", {"space": "second"})
        assert http.get(f"/responses/{uid}").status_code == 200
        control.post("/reset", scope)
        assert http.get(f"/responses/{uid}").status_code == 404


async def test_a_room_of_one_space_is_not_that_of_another(control: Control, shared: LiveServer) -> None:
    await turn(shared, "r1")
    async with talk(shared, room_uid="r1") as peer:
        await peer.turn(sendmsg("turn", room_uid="r1", api_key="k-second"))
    assert control.post("/reset", {"space": "second", "room": "r1"}) == {"rooms": 1, "turns": 1}
    assert await turn(shared, "r1") == "turn 2"


def test_what_cannot_be_reset_is_named(control: Control) -> None:
    assert control.refused(404, "POST", "/reset", {"space": "nowhere"}) == "space: there is no space nowhere"
    assert control.refused(400, "POST", "/reset", {"wire": "nope"}).startswith("wire: expected one of chldo, ")
    assert control.refused(400, "POST", "/reset", {"room": 5}) == "room: Input should be a valid string"
    assert control.refused(400, "POST", "/reset", {"rooms": "r"}) == "rooms: no such key"
    assert control.refused(400, "POST", "/reset", []).startswith("body: ")
    assert control.post("/reset", {"room": "nobody was here"}) == {"rooms": 0, "turns": 0}
    assert control.post("/reset", {}) == {"rooms": 0, "turns": 0}


def test_what_was_not_named_is_not_in_the_journal(control: Control) -> None:
    control.post("/reset", {"room": "r1"})
    control.post("/reset", {"wire": "chldo"})
    of_a_room, of_a_wire = control.get("/journal", kind="control")["entries"][-2:]
    assert (of_a_room["wire"], of_a_room["room"], "space" in of_a_room) == ("", "r1", False)
    assert (of_a_wire["wire"], of_a_wire["room"]) == ("chldo", "")


async def test_a_wire_begins_to_count_anew_and_the_store_stays(control: Control, shared: LiveServer) -> None:
    control.ask("PUT", "/revision", {"revision": "2024-10-07"})
    control.post("/faults", {"fault": "duplicate", "when": {"frame": "START"}, "count": 1}, 201)
    await turn(shared, "r1")
    assert control.post("/reset", {"wire": "chldo"}) == {"rooms": 0, "turns": 0}
    assert control.get("/revision")["revision"] == "2024-11-13"
    assert control.get("/faults")["faults"][-1]["strikes"] == 0
    assert await turn(shared, "r1") == "turn 2"


async def test_a_turn_under_way_goes_on_for_its_client_and_is_not_kept(control: Control, shared: LiveServer) -> None:
    slow = {"when": {"msg": "천천히"}, "tokens": ["하나 ", "둘 ", "셋"], "pace": {"first": 3600}}
    control.post("/replies", slow, 201)
    async with talk(shared, room_uid="r1") as peer:
        await peer.send(sendmsg("천천히", room_uid="r1"))
        while (await peer.receive()).get("status") != "think":
            pass
        await ask(control, "GET", "/journal/wait?kind=match&room=r1")
        assert (await ask(control, "GET", "/spaces/test"))["credit"] == 990
        await ask(control, "POST", "/reset")
        assert (await ask(control, "GET", "/spaces/test"))["credit"] == 1000
        await ask(control, "POST", "/clock/advance", {"seconds": 3601})
        frames: list[Json] = [await peer.receive()]
        while frames[-1].get("status") != "END":
            frames.append(await peer.receive())
        assert said(frames) == "하나 둘 셋"
    assert (await ask(control, "GET", "/spaces/test"))["credit"] == 1000
    assert await turn(shared, "r1") == "turn 1"


async def test_a_turn_that_fails_after_a_reset_gives_nothing_back(control: Control, shared: LiveServer) -> None:
    fails = {"when": {"msg": "실패"}, "error": {"status": 500, "body": {}}, "pace": {"first": 3600}}
    control.post("/replies", fails, 201)
    async with talk(shared, room_uid="r1") as peer:
        await peer.send(sendmsg("실패", room_uid="r1"))
        await ask(control, "GET", "/journal/wait?kind=match&room=r1")
        await ask(control, "POST", "/reset")
        await ask(control, "POST", "/clock/advance", {"seconds": 3601})
        while (await peer.receive()).get("status") != "END":
            pass
    assert (await ask(control, "GET", "/spaces/test"))["credit"] == 1000


async def test_voices_and_images_of_before_cannot_be_had(control: Control, shared: LiveServer) -> None:
    async def speak(room: str) -> str:
        async with talk(shared, room_uid=room) as peer:
            frames = await peer.turn(sendmsg("누구세요", room_uid=room, return_voice=1))
        return str(next(frame["voice_url"] for frame in frames if frame.get("status") == "voice_ready"))

    async def status(url: str) -> int:
        async with httpx.AsyncClient() as client:
            return (await client.get(url)).status_code

    async def upload(room: str) -> None:
        async with httpx.AsyncClient(base_url=shared.http, timeout=30) as client:
            asked = {"api_key": DEMO_KEY, "room_uid": room, "filename": "a.png"}
            post = (await client.post("/v3/files/presignedurl", json=asked)).json()["presigned_url"]
            done = await client.post(post["url"], data=post["fields"], files={"file": ("a.png", PNG)})
            assert done.status_code == 204, done.text

    async def knows(room: str) -> bool:
        async with talk(shared, room_uid=room) as peer:
            frames = await peer.turn(sendmsg("turn", room_uid=room, filename="a.png"))
        return frames[-1].get("status") == "END"

    first, second = await speak("r1"), await speak("r2")
    await upload("r1")
    await upload("r2")
    assert (await status(first), await knows("r1")) == (200, True)
    await ask(control, "POST", "/reset", {"room": "r1"})
    assert (await status(first), await status(second)) == (404, 200)
    assert (await knows("r1"), await knows("r2")) == (False, True)
    await ask(control, "POST", "/reset")
    assert (await status(second), await knows("r2")) == (404, False)


@pytest.fixture
def seeded(tmp_path: Path) -> LiveServer:
    fixtures = write_fixtures(
        tmp_path / "fixtures", replies=[{"when": {"msg": "안녕"}, "reply": "안녕하세요. 반가워요."}]
    )
    return LiveServer(tmp_path / "data", fixtures=fixtures, seed=7, voice={"workers": 1, "engine": "tone"})


async def script(peer: Peer) -> list[str]:
    """The raw frames of two turns, one with a voice."""
    frames: list[str] = []
    for number in range(2):
        await peer.send(sendmsg("안녕", return_voice=number))
        while True:
            frames.append(str(await asyncio.wait_for(peer.socket.recv(), 30)))
            if json.loads(frames[-1]).get("status") == "END":
                break
    return frames


@pytest.mark.parametrize("body", [None, {"room": "51VPKp3F0yPX"}])
async def test_in_a_seeded_world_the_same_script_gives_the_same_bytes_after_a_reset(
    seeded: LiveServer, body: Json | None
) -> None:
    runs: list[list[str]] = []
    with seeded as server:
        control = Control(server)
        for _ in range(3):
            async with talk(server) as peer:
                runs.append(await script(peer))
            await ask(control, "POST", "/reset", body)
            if body is None:
                await ask(control, "POST", "/clock/advance", {"seconds": 12.345})
                assert (await ask(control, "POST", "/reset"))["rooms"] == 0
        control.http.close()
    assert runs[0] == runs[1] == runs[2]


async def test_resets_of_many_rooms_at_once_disturb_nobody(control: Control, shared: LiveServer) -> None:
    async def test(room: str) -> list[str]:
        heard: list[str] = []
        for _ in range(3):
            await ask(control, "POST", "/reset", {"room": room})
            heard += [await turn(shared, room), await turn(shared, room)]
        return heard

    control.ask("PUT", "/spaces/test/credit", {"credit": 100_000})
    for heard in await asyncio.gather(*(test(f"p{number}") for number in range(6))):
        assert heard == ["turn 1", "turn 2"] * 3


async def test_what_wires_declare_is_made_anew_at_the_beginning_of_time(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", seed=7, start_at="2026-01-02T03:04:05Z", watch=False) as server:
        control = Control(server)

        def made() -> tuple[str, str]:
            """When the first scenario of MaLangEE and the first conversation of Hashee were made."""
            with httpx.Client(base_url=server.http) as client:
                body = {"email": "alice@example.com", "account_password": "hashee-demo"}
                token = client.post("/auth/login", json=body).json()["data"]["access_token"]
                told = client.get("/conversations", headers={"authorization": f"Bearer {token}"}).json()["data"]
                scenarios = client.get("/api/v1/scenarios").json()
            return scenarios[0]["created_at"], told[0]["created_at"]

        before = await asyncio.to_thread(made)
        await ask(control, "POST", "/clock/advance", {"seconds": 3600})
        await ask(control, "POST", "/reset")
        assert await asyncio.to_thread(made) == before
        control.http.close()

"""Spaces, credit and keys over HTTP, and what a client of the wire sees of them."""

from __future__ import annotations

import pytest

from tests.control.conftest import Control
from tests.control.test_reset import ask, turn
from tests.live import DEMO_KEY, Json, LiveServer, sendmsg, talk

WHOLE: Json = {
    "uid": "third",
    "name": "셋째",
    "org_id": "org-3",
    "api_keys": [{"key": "k3", "usable": True}, {"key": "k3-old", "usable": False}],
    "credit": 500,
    "credit_per_turn": 7,
    "return_voice": 1,
    "sentence_mode": False,
    "language": "en",
    "model": "scripted",
    "graph": "companion",
    "prompt": "",
    "default": False,
    "strict": True,
    "uploads": "lenient",
    "greetings": {"1": "안녕", "7": "또 왔네요"},
    "scenes": {"2": "책방", "3": {"name": "바다", "prompt": "등대지기"}},
    "memories": [
        {
            "uid": "0123456789abcdef0",
            "name": "튜베로즈",
            "variants": ["34", "34번가"],
            "hotword": True,
            "long_term": False,
            "dictionary": [{"k": "note", "v": "꽃"}, {"k": "빈", "v": ""}],
        },
        {
            "uid": "0123456789abcdef1",
            "name": "비밀",
            "variants": ["비밀"],
            "hotword": False,
            "long_term": True,
            "text": "아무도\n몰라요",
        },
    ],
}


async def refusal(server: LiveServer, key: str) -> str | None:
    """What a client with a key gets instead of a turn; None if it gets the turn."""
    async with talk(server, room_uid="r9") as peer:
        frame = (await peer.turn(sendmsg("turn", room_uid="r9", api_key=key)))[-1]
    return None if frame.get("status") == "END" else str(frame)


def test_a_space_is_told_as_it_would_be_written(control: Control) -> None:
    assert control.post("/spaces", WHOLE, 201) == WHOLE
    assert control.get("/spaces/third") == WHOLE
    listed = control.get("/spaces")["spaces"]
    assert [space["uid"] for space in listed] == ["second", "test", "third"]
    assert listed[2] == WHOLE
    control.ask("DELETE", "/spaces/third")
    assert control.post("/spaces", control.get("/spaces/test") | {"uid": "copy", "org_id": "o", "api_keys": []}, 201)


def test_a_space_may_be_given_as_yaml(control: Control) -> None:
    yaml = "uid: third\napi_keys: [k3]\nmemories:\n  - name: 바다\n    text: 파랗다\n"
    made = control.ask(
        "POST", "/spaces", status=201, content=yaml.encode(), headers={"content-type": "application/yaml"}
    )
    assert made["memories"][0]["text"] == "파랗다"


async def test_a_new_space_answers_at_once_and_a_deleted_one_no_more(control: Control, shared: LiveServer) -> None:
    assert await refusal(shared, "k3") is not None
    control.post("/spaces", {"uid": "third", "api_keys": ["k3"], "credit": 1000}, 201)
    assert await refusal(shared, "k3") is None
    control.ask("DELETE", "/spaces/third")
    assert await refusal(shared, "k3") is not None
    assert control.refused(404, "GET", "/spaces/third") == "uid: there is no space third"


async def test_what_is_changed_is_used_by_the_next_turn(control: Control, shared: LiveServer) -> None:
    changed = control.ask("PATCH", "/spaces/test", {"credit_per_turn": 100, "greetings": {"1": "어서 오세요"}})
    assert (changed["credit_per_turn"], changed["name"]) == (100, "Test")
    await turn(shared, "r1")
    assert control.get("/spaces/test")["credit"] == 900
    async with talk(shared, room_uid="r1") as peer:
        asked = {"action": "greeting", "room_uid": "r1", "user_id": "u", "api_key": DEMO_KEY, "greeting_number": 1}
        assert [frame["msg"] for frame in await peer.turn(asked) if frame["status"] == "greeting"] == ["어서 오세요"]


async def test_a_space_is_made_strict_and_lenient_at_runtime(control: Control, shared: LiveServer) -> None:
    asked = {"msg": "unheard of", "space": "test"}
    assert control.post("/replies/explain", asked)["source"] is not None
    assert control.ask("PATCH", "/spaces/test", {"strict": True})["strict"] is True
    assert control.post("/replies/explain", asked)["source"] is None
    assert control.ask("PATCH", "/spaces/test", {"strict": False})["strict"] is False
    assert control.post("/replies/explain", asked)["source"] is not None


async def test_a_balance_is_set_and_runs_out(control: Control, shared: LiveServer) -> None:
    assert control.ask("PUT", "/spaces/test/credit", {"credit": 105})["credit"] == 105
    assert await refusal(shared, DEMO_KEY) is None
    async with talk(shared, room_uid="r1") as peer:
        frames = await peer.turn(sendmsg("turn", room_uid="r1"))
    assert any("95" in str(frame.get("msg")) for frame in frames if frame.get("msgtype") == "error"), frames


async def test_a_key_is_made_revoked_and_taken_away(control: Control, shared: LiveServer) -> None:
    made = control.post("/spaces/second/keys", status=201)
    assert made["usable"] is True
    key = made["key"]
    assert len(key) == 22
    assert await refusal(shared, key) is None
    assert control.ask("PATCH", f"/spaces/second/keys/{key}", {"usable": False}) == {"key": key, "usable": False}
    refused = await refusal(shared, key)
    assert refused is not None
    assert control.ask("DELETE", f"/spaces/second/keys/{key}") == {"removed": 1}
    unknown = await refusal(shared, key)
    assert unknown not in (None, refused)
    assert control.post("/spaces/second/keys", {"key": "한 글자", "usable": False}, 201) == {
        "key": "한 글자",
        "usable": False,
    }
    assert control.ask("DELETE", "/spaces/second/keys/한 글자") == {"removed": 1}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "/spaces", {"uid": "test"}, 409, "uid: there is a space test already"),
        ("POST", "/spaces", {"uid": "x", "api_keys": [DEMO_KEY]}, 409, "api_keys: space test has one of these"),
        ("POST", "/spaces", {"uid": "x", "org_id": "org_test"}, 409, "org_id: space test has it already"),
        ("POST", "/spaces", {"name": "x"}, 400, "uid: expected this key, found nothing"),
        ("POST", "/spaces", {"uid": "x y"}, 400, 'uid: expected 1 to 64 of A-Z a-z 0-9 _ . -, found "x y"'),
        ("POST", "/spaces", {"uid": "x", "credits": 1}, 400, "credits: expected one of uid, name, org_id"),
        ("POST", "/spaces", {"uid": "x", "credit": -1}, 400, "credit: expected a whole number from 0 to"),
        ("POST", "/spaces", {"uid": "x", "api_keys": ["a", "a"]}, 400, "api_keys[1]: expected each api_key once"),
        ("POST", "/spaces", {"uid": "x", "memories": [{"text": "y"}]}, 400, "memories[0].name: expected this key"),
        ("POST", "/spaces", {"uid": "x", "graph": "nope"}, 400, "graph: no graph named 'nope'"),
        ("POST", "/spaces", [], 400, "body: expected a mapping with one of uid, name"),
        ("PATCH", "/spaces/nope", {"name": "x"}, 404, "uid: there is no space nope"),
        ("PATCH", "/spaces/test", {"uid": "other"}, 400, "uid: a space keeps its uid"),
        ("PATCH", "/spaces/test", {"default": False}, 409, "default: this space is the default"),
        ("PATCH", "/spaces/second", {"org_id": "org_test"}, 409, "org_id: space test has it already"),
        ("DELETE", "/spaces/test", None, 409, "test is the default space; make another one the default first"),
        ("PUT", "/spaces/test/credit", {"credit": "5"}, 400, "credit: Input should be a valid integer"),
        ("PUT", "/spaces/test/credit", {"credit": 2**63}, 400, "credit: Input should be less than or equal to"),
        ("PUT", "/spaces/test/credit", {}, 400, "credit: Field required"),
        ("PUT", "/spaces/nope/credit", {"credit": 5}, 404, "uid: there is no space nope"),
        ("POST", "/spaces/test/keys", {"key": ""}, 400, "key: String should have at least 1 character"),
        ("POST", "/spaces/test/keys", {"key": "k-second"}, 409, "api_keys: space second has one of these keys"),
        ("PATCH", f"/spaces/second/keys/{DEMO_KEY}", {"usable": True}, 404, "uid: space second has no such key"),
        ("DELETE", "/spaces/second/keys/nope", None, 404, "uid: space second has no such key"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_place_and_changes_nothing(
    control: Control, method: str, path: str, body: object, status: int, message: str
) -> None:
    before = control.get("/spaces")
    assert control.refused(status, method, path, body).startswith(message)
    assert control.get("/spaces") == before


def test_all_that_is_wrong_is_told(control: Control) -> None:
    told = control.post("/spaces", {"uid": "x", "credit": -1, "default": 3, "language": ""}, 400)
    assert [line.partition(":")[0] for line in told["problems"]] == ["credit", "language", "default"]
    assert told["message"] == told["problems"][0]


async def test_deleting_a_space_with_a_turn_under_way_ends_it_in_order(control: Control, shared: LiveServer) -> None:
    control.post("/replies", {"when": {"msg": "천천히"}, "reply": "예", "pace": {"first": 3600}}, 201)
    async with talk(shared, room_uid="r1") as peer:
        await peer.send(sendmsg("천천히", room_uid="r1", api_key="k-second"))
        await ask(control, "GET", "/journal/wait?kind=match&room=r1")
        await ask(control, "DELETE", "/spaces/second")
        await ask(control, "POST", "/clock/advance", {"seconds": 3601})
        while (await peer.receive()).get("status") != "END":
            pass

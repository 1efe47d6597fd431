"""Faults and profiles while the program runs."""

from __future__ import annotations

from typing import Any

import pytest

from app.emulation.faults import live
from app.emulation.faults.kinds import KINDS
from tests.control.conftest import Control
from tests.live import LiveServer, sendmsg, talk

DROP = {"fault": "drop", "when": {"frame": "END", "room": "r1"}, "count": 1}


def added(control: Control) -> list[dict[str, Any]]:
    return [one for one in control.get("/faults")["faults"] if not one["source"].startswith("fixtures:")]


async def test_a_rule_strikes_counts_and_is_removed(control: Control, shared: LiveServer) -> None:
    made = control.post("/faults", {"fault": "duplicate", "when": {"frame": "START", "room": "r1"}}, 201)["faults"]
    (rule,) = made
    assert rule == {
        "id": rule["id"],
        "strikes": 0,
        "source": "control",
        "fault": "duplicate",
        "when": {"frame": "START", "room": "r1"},
    }
    assert control.get(f"/faults/{rule['id']}") == rule
    async with talk(shared, room_uid="r1") as peer:
        frames = await peer.turn(sendmsg("turn", room_uid="r1"))
    assert [frame["status"] for frame in frames[:3]] == ["START", "START", "history"]
    assert control.get(f"/faults/{rule['id']}")["strikes"] == 1
    assert control.ask("DELETE", f"/faults/{rule['id']}") == {"removed": 1}
    assert control.refused(404, "GET", f"/faults/{rule['id']}") == f"id: no fault {rule['id']} is in force"
    assert control.refused(404, "DELETE", f"/faults/{rule['id']}") == f"id: no fault {rule['id']} is in force"
    async with talk(shared, room_uid="r1") as peer:
        frames = await peer.turn(sendmsg("turn", room_uid="r1"))
    assert [frame["status"] for frame in frames[:2]] == ["START", "history"]


RULES = [
    DROP,
    {"fault": "close", "code": 1011, "reason": "오류", "after_frames": 3, "when": {"message": None, "turn": 2}},
    {"fault": "edit", "set": {"a.b": [1, None, True]}, "remove": ["c"], "rename": {"d": "e"}, "order": ["f"]},
    {"fault": "llm-error", "status": 429, "body": {"x": "y"}, "probability": 0.25, "skip": 3, "count": 2},
    {"fault": "refuse", "when": {"user": {"contains": "u"}, "key": {"regex": "^k\\d+$"}, "wire": "chldo"}},
]


def test_several_rules_are_told_as_they_were_written(control: Control) -> None:
    made = control.post("/faults", {"faults": RULES}, 201)["faults"]
    assert [{key: one[key] for key in one.keys() - {"id", "strikes", "source"}} for one in made] == RULES
    assert added(control) == made
    assert control.ask("DELETE", "/faults") == {"removed": len(RULES)}
    assert added(control) == []


def test_rules_may_be_given_as_yaml(control: Control) -> None:
    yaml = "faults:\n  - {fault: drop, when: {frame: END}}\n  - fault: hang\n"
    headers = {"content-type": "application/yaml; charset=utf-8"}
    made = control.ask("POST", "/faults", status=201, content=yaml.encode(), headers=headers)["faults"]
    assert [one["fault"] for one in made] == ["drop", "hang"]


def test_json_is_taken_from_a_client_that_calls_it_a_form(control: Control) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    made = control.ask("POST", "/faults", status=201, content=b'{"fault":"hang"}', headers=headers)
    assert made["faults"][0]["fault"] == "hang"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"fault": "explode"}, "fault: expected one of refuse, handshake-delay, flap"),
        ({}, "body: expected a fault, one of refuse"),
        ([], "body: expected a mapping with fault, found a list of 0"),
        (None, "body: expected valid JSON, found an error at"),
        ({"faults": []}, None),
        ({"faults": {}}, "faults: expected a list, found a mapping of 0"),
        ({"faults": [DROP, 5]}, "faults[1]: expected a mapping with fault, found 5"),
        ({"faults": [DROP], "fault": "drop"}, "fault: expected faults, found an unknown key"),
        ({"fault": "delay"}, "seconds: expected this key, found nothing"),
        ({"fault": "drop", "seconds": 1}, "seconds: expected one of fault, when"),
        ({"fault": "drop", "count": 0}, "count: expected a whole number from 1 to 1000000000, found 0"),
        ({"fault": "drop", "when": {"turn": "x"}}, "when.turn: expected a whole number from 1"),
        ({"faults": [DROP, {**DROP, "when": {"turn": True}}]}, "faults[1].when.turn: expected a whole number from 1"),
        ({"faults": [{**DROP, "when": {"room": {"regex": "("}}}]}, "faults[0].when.room.regex: expected a valid reg"),
        ({"fault": "drop", "when": {"colour": "red"}}, "when.colour: expected one of wire, room"),
        ({"fault": "close", "after_frames": 1, "after_seconds": 1}, "after_seconds: expected only one of"),
        ({"fault": "drop", "probability": 2}, "probability: expected a number from 0 to 1, found 2"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_its_place_and_none_is_added(
    control: Control, body: object, message: str | None
) -> None:
    if message is None:
        assert control.post("/faults", body, 201) == {"faults": []}
    else:
        content = {"content": b"" if body is None else None}
        told = control.refused(400, "POST", "/faults", body, **(content if body is None else {}))
        assert told.startswith(message)
    assert added(control) == []


@pytest.mark.parametrize(
    "content",
    [b'{"fault": "drop"', b"\xff\xfe", b'{"fault": NaN}', b"{'fault': 'drop'}", b"fault: drop", b'{"a":1}{"b":2}'],
)
def test_what_is_no_json_is_told_with_the_place(control: Control, content: bytes) -> None:
    message = control.refused(400, "POST", "/faults", content=content)
    assert message.startswith("body: expected valid JSON, found an error at "), message


def test_a_key_that_is_there_twice_is_refused(control: Control) -> None:
    message = control.refused(400, "POST", "/faults", content=b'{"fault":"drop","fault":"hang"}')
    assert message.startswith("fault: expected each key once")


def test_a_body_is_bounded(control: Control) -> None:
    content = b'{"fault":"foreign","text":"' + b"x" * (8 * 1024 * 1024) + b'"}'
    assert control.refused(413, "POST", "/faults", content=content).startswith("body: expected at most 8388608 bytes")
    assert control.refused(413, "POST", "/clock/set", content=content).startswith("body: expected at most")


def test_all_rules_of_a_body_are_added_or_none(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_RULES", 3)
    control.post("/faults", {"faults": [DROP, DROP]}, 201)
    message = control.refused(409, "POST", "/faults", {"faults": [DROP, DROP]})
    assert message == "faults: at most 3 faults can be in force at once, beside those of the fixtures"
    assert len(added(control)) == 2
    assert control.refused(409, "POST", "/profiles/quiet").startswith("name: at most 3")
    assert len(added(control)) == 2


def test_what_is_removed_can_be_told_by_its_source(control: Control) -> None:
    control.post("/faults", DROP, 201)
    control.post("/profiles/quiet")
    assert control.ask("DELETE", "/faults", params={"source": "control"}) == {"removed": 1}
    assert [one["source"] for one in added(control)] == [f"profile:quiet:profiles/quiet.yaml:{n}" for n in (3, 4)]
    assert control.ask("DELETE", "/faults", params={"source": "fixtures"}) == {"removed": 1}
    assert control.ask("DELETE", "/faults", params={"source": "profile"}) == {"removed": 2}
    assert control.get("/faults") == {"faults": []}
    assert control.ask("DELETE", "/faults", params={"source": "nobody"}) == {"removed": 0}
    control.post("/fixtures/reload")
    assert added(control) == [], "a profile that was removed does not come back with the files"
    control.post("/reset")
    assert [one["source"] for one in control.get("/faults")["faults"]] == ["fixtures:faults.yaml:2"]


def test_a_profile_is_put_in_force_once_and_taken_out(control: Control) -> None:
    assert control.get("/profiles") == {
        "profiles": [{"name": "quiet", "about": "For tests.", "rules": 2, "in_force": False}]
    }
    made = control.post("/profiles/quiet")["faults"]
    assert [(one["fault"], one["source"]) for one in made] == [
        ("drop", "profile:quiet:profiles/quiet.yaml:3"),
        ("duplicate", "profile:quiet:profiles/quiet.yaml:4"),
    ]
    assert control.post("/profiles/quiet")["faults"] == made
    assert control.get("/profiles")["profiles"][0]["in_force"] is True
    assert control.ask("DELETE", "/profiles/quiet") == {"removed": 2}
    assert control.ask("DELETE", "/profiles/quiet") == {"removed": 0}
    assert added(control) == []
    for method in ("POST", "DELETE"):
        assert control.refused(404, method, "/profiles/loud") == "name: no profile loud; known: quiet"


def test_every_kind_is_described(control: Control) -> None:
    told = control.get("/faults/kinds")
    assert [kind["name"] for kind in told["kinds"]] == list(KINDS)
    close = next(kind for kind in told["kinds"] if kind["name"] == "close")
    assert close["place"] == "connection"
    assert close["one_of"] == ["after_frames", "after_seconds"]
    assert close["takes"]["code"] == {"about": "close code", "required": False, "default": 1011}
    assert told["when"] == ["wire", "room", "user", "key", "message", "action", "turn", "frame"]


def test_a_rule_for_open_sockets_reaches_those_that_are_open(control: Control) -> None:
    assert control.get("/connections") == {"connections": []}


async def test_a_socket_that_is_open_is_closed_by_a_new_rule(control: Control, shared: LiveServer) -> None:
    async with talk(shared, room_uid="r1") as peer:
        control.post("/faults", {"fault": "close", "code": 4001, "reason": "이제", "when": {"room": "r1"}}, 201)
        await peer.socket.wait_closed()
        assert (peer.socket.close_code, peer.socket.close_reason) == (4001, "이제")

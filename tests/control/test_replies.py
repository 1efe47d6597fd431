"""Replies added at runtime, and the files they come before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.emulation import replies
from tests.control.conftest import Control
from tests.control.test_reset import ask, turn
from tests.live import Json, LiveServer, write_fixtures


async def test_an_added_reply_answers_before_the_files_until_it_is_removed(
    control: Control, shared: LiveServer
) -> None:
    assert await turn(shared, "r1", "누구세요") == "저는 민트예요."
    made = control.post("/replies", {"when": {"msg": "누구세요"}, "reply": "비밀이에요."}, 201)["replies"]
    (one,) = made
    assert one == {"id": one["id"], "when": {"msg": "누구세요"}, "reply": "비밀이에요."}
    assert control.get("/replies") == {"replies": made}
    assert await turn(shared, "r1", "누구세요") == "비밀이에요."
    matched = control.get("/journal", kind="match", newest=True, limit=1)["entries"][0]
    assert (matched["matched"], matched["source"]) == (True, f"control:{one['id']}")
    assert control.ask("DELETE", f"/replies/{one['id']}") == {"removed": 1}
    assert control.refused(404, "DELETE", f"/replies/{one['id']}") == f"id: no reply {one['id']} was added"
    assert await turn(shared, "r1", "누구세요") == "저는 민트예요."


async def test_the_last_request_comes_first_and_its_entries_in_their_order(
    control: Control, shared: LiveServer
) -> None:
    def entry(text: str, **when: Any) -> Json:
        return {"when": when or {"msg": {"contains": "말"}}, "reply": text}

    control.post("/replies", {"replies": [entry("하나"), entry("둘")]}, 201)
    assert await turn(shared, "r1", "말해요") == "하나"
    control.post("/replies", {"replies": [entry("셋", room_uid="r2"), entry("넷"), entry("다섯")]}, 201)
    assert await turn(shared, "r1", "말해요") == "넷"
    assert await turn(shared, "r2", "말해요") == "셋"
    assert [one["reply"] for one in control.get("/replies")["replies"]] == ["셋", "넷", "다섯", "하나", "둘"]
    assert control.ask("DELETE", "/replies") == {"removed": 5}
    assert control.get("/replies") == {"replies": []}


async def test_everything_that_an_entry_of_a_file_can_say_it_can_say(control: Control, shared: LiveServer) -> None:
    entries: list[Json] = [
        {"when": {"msg": "a", "turn": 1}, "tokens": ["하", "나"], "choices": [{"text": "네", "tone": "밝은"}]},
        {"when": {"msg": None}, "error": {"status": 429, "body": {"why": "많아요"}}},
        {"when": {"msg": {"regex": "^b+$"}}, "reply": "{{msg}} {{turn}}"},
    ]
    made = control.post("/replies", {"replies": entries, "pace": {"per_second": 1000}}, 201)["replies"]
    for one, entry in zip(made, entries, strict=True):
        assert {key: one[key] for key in entry} == entry
        assert one["pace"] == {"first": 0.0, "per_second": 1000.0}
    assert await turn(shared, "r1", "a") == "하나"
    assert await turn(shared, "r1", "bbb") == "bbb 2"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "when: expected this key, found nothing"),
        ({"when": {}, "reply": "x"}, "when: expected at least one of msg, space"),
        ({"when": {"msg": "x"}}, "body: expected exactly one of reply, tokens, json, error, found none of them"),
        ({"when": {"msg": "x"}, "reply": "{{who}}"}, "reply: expected one of {{msg}}"),
        ({"when": {"msg": 5}, "reply": "x"}, "when.msg: expected text, contains or regex, in quotes, found 5"),
        ({"when": {"msg": "x"}, "reply": "x", "delay": 1}, "delay: expected one of when, reply"),
        ({"replies": [{"when": {"turn": 0}, "reply": "x"}]}, "replies[0].when.turn: expected a whole number from 1"),
        ({"replies": [], "default": {"reply": "x"}}, "default: expected one of replies, pace"),
        ({"replies": "x"}, 'replies: expected a list, found "x"'),
        (
            "x",
            "body: expected a mapping with one of when, reply, tokens, json, error, choices, tool_calls, pace, found",
        ),
    ],
)
def test_a_reply_that_cannot_be_is_refused_by_its_place_and_none_is_added(
    control: Control, body: object, message: str
) -> None:
    assert control.refused(400, "POST", "/replies", body).startswith(message)
    assert control.get("/replies") == {"replies": []}


def test_all_replies_of_a_body_are_added_or_none(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "MOST_ADDED", 2)
    entry = {"when": {"msg": "x"}, "reply": "y"}
    assert control.refused(409, "POST", "/replies", {"replies": [entry] * 3}) == (
        "replies: at most 2 replies can be added"
    )
    wrong = {"when": {"msg": "x"}}
    control.refused(400, "POST", "/replies", {"replies": [entry, wrong]})
    assert control.get("/replies") == {"replies": []}


def test_why_a_question_gets_its_reply_is_explained(control: Control) -> None:
    assert control.post("/replies/explain", {"msg": "누구세요"}) == {
        "matched": True,
        "source": "replies/test.yaml:1",
        "msg": "누구세요",
        "made": False,
        "nearest": None,
    }
    shaped = {"msg": "누구세요", "response_format": "json_schema", "json_schema": "Person"}
    assert control.post("/replies/explain", shaped)["made"]
    near = {"when": {"msg": "누구세욥", "space": "second"}, "reply": "x"}
    made = control.post("/replies", near, 201)["replies"][0]
    told = control.post("/replies/explain", {"msg": "누구세욥", "space": "test"})
    assert (told["matched"], told["nearest"][0]["source"]) == (False, f"control:{made['id']}")
    assert told["nearest"][0]["failed"] == [{"key": "space", "wanted": '"second"', "got": '"test"'}]
    assert control.post("/replies/explain", {"msg": "누구세욥", "space": "second"})["source"] == f"control:{made['id']}"
    assert control.refused(400, "POST", "/replies/explain", {"turn": 0}).startswith("turn: ")
    assert control.refused(400, "POST", "/replies/explain", {"mesg": "x"}) == "mesg: no such key"


async def test_added_replies_stay_when_the_files_are_read_again(tmp_path: Path) -> None:
    folder = write_fixtures(tmp_path / "fixtures", replies=[{"when": {"msg": "a"}, "reply": "old"}])
    with LiveServer(tmp_path / "data", fixtures=folder, watch=False) as server:
        control = Control(server)
        await ask(control, "POST", "/replies", {"when": {"msg": "b"}, "reply": "added"}, 201)
        script = {"replies": [{"when": {"msg": m}, "reply": f"new {m}"} for m in "ab"]}
        (folder / "replies" / "test.yaml").write_text(json.dumps(script))
        told = await ask(control, "POST", "/fixtures/reload")
        assert (told["replies"], told["problem"]) == (2, None)
        assert [await turn(server, "r1", msg) for msg in "ab"] == ["new a", "added"]
        (folder / "replies" / "test.yaml").write_text('{"replies": 5}')
        refused = await ask(control, "POST", "/fixtures/reload", status=409)
        assert refused["message"] == "replies/test.yaml:1: replies: expected a list, found 5"
        assert (await ask(control, "GET", "/fixtures"))["problem"] == refused["message"]
        assert [await turn(server, "r1", msg) for msg in "ab"] == ["new a", "added"]
        await ask(control, "POST", "/reset")
        assert await turn(server, "r1", "b") == "new b"
        control.http.close()


def test_what_is_in_force_of_the_files_is_told(control: Control, shared: LiveServer) -> None:
    assert control.get("/fixtures") == {
        "folder": str(shared.settings.fixtures),
        "files": ["spaces.yaml", "faults.yaml", "profiles/quiet.yaml", "replies/test.yaml"],
        "spaces": 2,
        "replies": 2,
        "faults": 1,
        "profiles": ["quiet"],
        "problem": None,
    }

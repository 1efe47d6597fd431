"""Tapes answer: which request gets which answer, when, to whom, and what happens where there is none."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from app.emulation.determinism import Signal, VirtualClock
from app.emulation.placeholders import Placeholders
from app.emulation.replay.library import Wire
from app.emulation.tapes import Refused, hidden
from tests.live import PATIENCE
from tests.replay.sessions import Client, server_of, talking, tape

ROOMS = Wire(conversation=("room_uid",))


class SetClock(VirtualClock):
    """A clock that is set by hand; whoever sleeps waits for that."""

    def __init__(self) -> None:
        super().__init__()
        self._sleeping = 0
        self._changed = asyncio.Event()

    async def sleep(self, seconds: float, unless: Signal | None = None) -> None:
        until = self.elapsed + seconds
        self._sleeping += 1
        while self.elapsed < until - 1e-9:
            self._changed.set()
            await asyncio.sleep(0)
        self._sleeping -= 1

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds

    async def wait_for_sleepers(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self._sleeping < count:
                self._changed.clear()
                await self._changed.wait()


def say(msg: str, **fields: Any) -> dict[str, Any]:
    return {"action": "say", "room_uid": "ROOM0002", "msg": msg, **fields}


TWICE = tape(
    (">", 1.0, {**say("hi"), "room_uid": "ROOM0001"}),
    ("<", 1.5, {"text": "first"}),
    (">", 2.0, {**say("hi"), "room_uid": "ROOM0001"}),
    ("<", 2.5, {"text": "second"}),
    (">", 3.0, {**say("bye"), "room_uid": "ROOM0001"}),
    ("<", 3.25, {"text": "see you"}),
)


async def test_the_nth_request_gets_the_nth_answer_and_then_the_last_again() -> None:
    async with talking(server_of([TWICE])) as client:
        answers = [(await client.ask(say("hi")))[0]["text"] for _ in range(4)]
        assert answers == ["first", "second", "second", "second"]
        assert await client.ask(say("bye")) == [{"text": "see you"}]


async def test_order_spaces_and_the_form_of_hangul_make_no_difference() -> None:
    taped = tape((">", 0, '{"a":1,"text":"한글","b":[1,{"c":2}]}'), ("<", 0, {"text": "same"}))
    async with talking(server_of([taped])) as client:
        assert await client.ask(
            '{ "b" : [1.0, {"c": 2}], "text": "\\u1112\\u1161\\u11ab\\u1100\\u1173\\u11af", "a": 1 }'
        ) == [{"text": "same"}]


@pytest.mark.parametrize(
    "changed", [{"msg": "Hi"}, {"extra": 1}, {"action": "other"}, {"n": 2}, {"n": "1"}, {"n": None}]
)
async def test_what_says_something_else_is_not_answered(changed: dict[str, Any]) -> None:
    taped = tape((">", 0, say("hi", n=1)), ("<", 0, {"text": "one"}))
    async with talking(server_of([taped])) as client:
        (answer,) = await client.ask(say("hi", n=1) | changed)
        assert answer["error"]["type"] == "not_on_tape"
        assert await client.ask(say("hi", n=1)) == [{"text": "one"}], "the connection stays open"


async def test_who_asks_makes_no_difference_but_is_preferred() -> None:
    one = tape((">", 0, say("hi", user_id="anna", room_uid="A")), ("<", 0, {"text": "anna's"}))
    other = tape((">", 0, say("hi", user_id="bert", room_uid="B")), ("<", 0, {"text": "bert's"}))
    for user, text in (("bert", "bert's"), ("anna", "anna's"), ("carl", "anna's")):
        async with talking(server_of([one, other], wire=ROOMS), "/v3/") as client:
            client_answer = await client.ask({**say("hi"), "user_id": user, "room_uid": "C"})
            assert client_answer == [{"text": text}], user


async def test_a_key_matches_whatever_stands_for_it_on_the_tape() -> None:
    taped = tape((">", 0, say("hi", api_key="redacted-key-1", password="redacted-secret-1")), ("<", 0, {"text": "in"}))
    async with talking(server_of([taped])) as client:
        assert await client.ask(say("hi", api_key="d4a3653a4ba72d6e04a293", password="geheim99")) == [{"text": "in"}]
        (answer,) = await client.ask(say("hi", password="geheim99"))
        assert "error" in answer, "a key that is missing is something else"


async def test_a_token_matches_whatever_stands_for_it_on_the_tape() -> None:
    """In a field, in a text, and as the subprotocol that the server repeated."""
    jwt, other = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.xyz-DEF_456"
    hide = Placeholders()
    asks = {"type": "auth", "token": "t0p-s3cret", "webhookSecret": "s", "note": f"as hsk_0123456789 and {jwt}"}
    taped = hidden(tape((">", 0, asks), (">", 0, f"hello {jwt}"), ("<", 0, {"text": "in"}), subprotocol=jwt), hide)
    assert taped.subprotocol == "redacted-token-1"
    asked = {"type": "auth", "token": "another1", "webhookSecret": "t", "note": f"as hsk_abcdefghij and {other}"}
    async with talking(server_of([taped]), subprotocols=("chat.v1", other)) as client:
        assert client.messages[0]["subprotocol"] == other
        client.send(asked)
        assert await client.ask(f"hello {other}") == [{"text": "in"}]


async def test_counts_belong_to_the_conversation_and_outlive_a_connection() -> None:
    server = server_of([TWICE], wire=ROOMS)
    async with talking(server) as one, talking(server, "/v3/?room_uid=OTHER") as other:
        assert await one.ask(say("hi")) == [{"text": "first"}]
        assert await other.ask(say("hi", room_uid="OTHER")) == [{"text": "first"}]
    async with talking(server) as again:
        assert await again.ask(say("hi")) == [{"text": "second"}]
    server.reset()
    async with talking(server) as anew:
        assert await anew.ask(say("hi")) == [{"text": "first"}]


async def test_without_conversations_every_connection_begins_anew() -> None:
    server = server_of([TWICE])
    for _ in range(2):
        async with talking(server) as client:
            assert await client.ask(say("hi")) == [{"text": "first"}]


async def test_what_follows_on_the_same_tape_comes_before_other_tapes() -> None:
    one = tape((">", 0, say("hello")), ("<", 0, {"text": "a1"}), (">", 1, say("yes")), ("<", 1, {"text": "a2"}))
    other = tape((">", 0, say("moin")), ("<", 0, {"text": "b1"}), (">", 1, say("yes")), ("<", 1, {"text": "b2"}))
    async with talking(server_of([one, other])) as client:
        assert await client.ask(say("moin")) == [{"text": "b1"}]
        assert await client.ask(say("yes")) == [{"text": "b2"}]
        assert await client.ask(say("yes")) == [{"text": "a2"}]


async def test_the_log_and_the_client_are_told_what_came_nearest(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="app.replay")
    key = "d4a3653a4ba72d6e04a293"
    async with talking(server_of([TWICE])) as client:
        (answer,) = await client.ask(say("hii", api_key=key, n=5))
    said = (
        "no tape answers this request; nearest: "
        't:2 (msg: wanted "hi", got "hii"; api_key: wanted nothing, got …; n: wanted nothing, got 5), '
        't:6 (msg: wanted "bye", got "hii"; api_key: wanted nothing, got …; n: wanted nothing, got 5)'
    )
    assert answer["error"]["message"] == said
    assert [record.message for record in caplog.records] == [said]
    assert key not in caplog.text


async def test_text_and_bytes_that_are_no_json_match_as_they_are() -> None:
    taped = tape(
        (">", 0, "PING"),
        ("<", 0, '{"text":"pong"}'),
        (">", 1, b"\0\1"),
        ("<", 1, b"\2"),
        (">", 2, b"\3"),
        ("<", 2, b"\4"),
    )
    async with talking(server_of([taped])) as client:
        assert await client.ask("PING") == [{"text": "pong"}]
        assert "error" in (await client.ask("ping"))[0]
        client.send(b"\3")
        assert (await client.receive())["bytes"] == b"\4"
        client.send(b"never recorded")
        assert (await client.receive())["bytes"] == b"\2", "sound is never the same twice"


async def test_a_request_that_nothing_answered_is_answered_by_nothing() -> None:
    taped = tape((">", 0, say("note")), (">", 1, say("hi")), ("<", 1, {"text": "one"}))
    async with talking(server_of([taped])) as client:
        client.send(say("note"))
        assert await client.ask(say("hi")) == [{"text": "one"}]


@pytest.mark.parametrize(("speed", "factor"), [(1.0, 1.0), (2.0, 0.5), (0.25, 4.0), (0.0, 0.0)])
async def test_answers_are_paced_as_recorded_or_by_a_factor(speed: float, factor: float) -> None:
    clock = VirtualClock()
    taped = tape(
        ("<", 0.25, {"text": "welcome"}),
        (">", 10.0, say("hi")),
        *(("<", 10.0 + n, {"text": str(n)}) for n in range(1, 5)),
    )
    async with talking(server_of([taped], speed=speed, clock=clock)) as client:
        await client.json()
        assert client.times[-1] == pytest.approx(0.25 * factor)
        asked = clock.elapsed
        await client.ask(say("hi"), 4)
        assert [time - asked for time in client.times[-4:]] == pytest.approx([n * factor for n in (1, 2, 3, 4)])


async def test_two_clients_at_once_get_whole_answers_of_their_own() -> None:
    lines = [("<", 1 + n / 10, {"connection_id": "cccccccccc000001", "n": n}) for n in range(30)]
    server = server_of([tape((">", 1, say("go")), *lines)], speed=1.0)
    async with talking(server) as one, talking(server) as other:
        answers = await asyncio.gather(one.ask(say("go"), 30), other.ask(say("go"), 30))
    for answer in answers:
        assert [line["n"] for line in answer] == list(range(30))
    ids = [{line["connection_id"] for line in answer} for answer in answers]
    assert len(ids[0] | ids[1]) == 2


async def test_answers_overlap_as_they_did() -> None:
    taped = tape(
        (">", 0.0, say("slow")),
        ("<", 1.0, {"turn_id": "turn00000001", "text": "s1"}),
        (">", 1.5, say("quick")),
        ("<", 1.6, {"turn_id": "turn00000002", "text": "q1"}),
        ("<", 3.0, {"turn_id": "turn00000001", "text": "s2"}),
    )
    clock = SetClock()
    async with talking(server_of([taped], speed=1.0, clock=clock)) as client:
        client.send(say("slow"))
        await clock.wait_for_sleepers(1)
        clock.advance(1.0)
        first = await client.json()
        client.send(say("quick"))
        await clock.wait_for_sleepers(2)
        clock.advance(0.1)
        second = await client.json()
        clock.advance(2.0)
        third = await client.json()
    assert [one["text"] for one in (first, second, third)] == ["s1", "q1", "s2"]
    assert first["turn_id"] == third["turn_id"] != second["turn_id"]


async def test_an_answer_ends_with_its_client() -> None:
    taped = tape((">", 0, say("go")), ("<", 1, {"n": 1}), ("<", 1e6, {"n": 2}))

    class Still(VirtualClock):
        async def sleep(self, seconds: float, unless: Signal | None = None) -> None:
            if seconds > 100:
                await asyncio.Event().wait()
            await super().sleep(seconds, unless)

    async with talking(server_of([taped], speed=1.0, clock=Still())) as client:
        await client.ask(say("go"))
    assert client.task.done()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "answer"]


@pytest.mark.parametrize(("recorded", "sent"), [((1009, "too big"), (1009, "too big")), ((1005, ""), (1000, ""))])
async def test_a_close_that_was_an_answer_is_given_again(recorded: tuple[int, str], sent: tuple[int, str]) -> None:
    taped = tape((">", 0, say("big")), close=recorded, closed_by="server", closed_at=0.5)
    clock = VirtualClock()
    async with talking(server_of([taped], speed=1.0, clock=clock)) as client:
        client.send(say("big"))
        message = await client.receive()
    assert (message["type"], message["code"], message["reason"]) == ("websocket.close", *sent)
    assert clock.elapsed == pytest.approx(0.5)


async def test_a_lost_connection_is_lost_again() -> None:
    taped = tape((">", 0, say("hi")), ("<", 0.5, {"text": "one"}), close=(1006, ""), closed_by="server", closed_at=0.6)
    async with talking(server_of([taped])) as client:
        await client.ask(say("hi"))
        await asyncio.wait_for(client.task, PATIENCE)
    assert [message["type"] for message in client.messages] == ["websocket.accept", "websocket.send"]


@pytest.mark.parametrize(
    "end",
    [
        {"close": (1000, ""), "closed_by": "client", "closed_at": 1.0},
        {"close": (1001, "the recording has ended"), "closed_by": "recorder", "closed_at": 1.0},
        {"close": (1001, "Idle timeout"), "closed_by": "server", "closed_at": 700.0},
        {},
    ],
)
async def test_other_ends_are_not(end: dict[str, Any]) -> None:
    taped = tape((">", 0, say("hi")), ("<", 0.5, {"text": "one"}), **end)
    async with talking(server_of([taped])) as client:
        for _ in range(2):
            assert await client.ask(say("hi")) == [{"text": "one"}]
        assert not client.task.done()


async def test_a_refused_handshake_is_refused_again_and_the_next_one_is_not() -> None:
    refused = tape(refused=Refused(503, '{"message":"later"}', "application/json"))
    server = server_of([refused, TWICE], wire=ROOMS)
    client = Client(server, "/v3/?room_uid=ROOM0002", ())
    start, body = await client.receive(), await client.receive()
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 503)
    assert (b"content-type", b"application/json") in start["headers"]
    assert body["body"] == b'{"message":"later"}'
    await client.task
    async with talking(server) as again:
        assert await again.ask(say("hi")) == [{"text": "first"}]


async def test_a_path_that_is_on_no_tape_is_404_and_a_slash_makes_no_difference() -> None:
    client = Client(server_of([TWICE]), "/v9/", ())
    start, body = await client.receive(), await client.receive()
    assert start["status"] == 404
    assert json.loads(body["body"]) == {"message": "no tape has a connection to /v9; there are: /v3"}
    async with talking(server_of([TWICE]), "/v3?room_uid=x") as other:
        assert await other.ask(say("hi")) == [{"text": "first"}]


async def test_what_came_upon_opening_comes_upon_opening() -> None:
    tapes = [tape(("<", 0.1, {"text": f"welcome {n}"}), url="ws://h/x") for n in (1, 2)]
    server = server_of(tapes)
    for expected in ("welcome 1", "welcome 2", "welcome 2"):
        async with talking(server, "/x") as client:
            assert await client.json() == {"text": expected}


async def test_the_opening_of_the_same_query_is_preferred() -> None:
    tapes = [tape(("<", 0.1, {"text": lang}), url=f"ws://h/x?lang={lang}") for lang in ("de", "ko")]
    async with talking(server_of(tapes), "/x?lang=ko") as client:
        assert await client.json() == {"text": "ko"}


async def test_the_recorded_subprotocol_is_chosen_if_it_is_offered() -> None:
    server = server_of([tape(("<", 0, {"text": "x"}), subprotocol="chat.v2")])
    for offered, chosen in ((("chat.v1", "chat.v2"), "chat.v2"), (("chat.v1",), None), ((), None)):
        client = Client(server, "/v3/", offered)
        assert (await client.receive())["subprotocol"] == chosen
        client.leave()
        await client.task


async def test_a_wire_nobody_knows_is_replayed() -> None:
    """Correlated requests out of order, a session, events with ids, numbers as times."""
    taped = tape(
        ("<", 0.1, {"ev": "hello", "session": {"id": "sess-Ab12Cd34Ef56Gh78", "ts": 1_700_000_000_100}}),
        (">", 1.0, {"id": 1, "method": "sum", "params": [1, 2], "sid": "sess-Ab12Cd34Ef56Gh78"}),
        (">", 1.1, {"id": 2, "method": "slow", "params": {}}),
        ("<", 1.2, {"id": 1, "result": 3, "evtId": "ev-0011223344aa"}),
        ("<", 1.3, {"id": 2, "result": "done", "evtId": "ev-0011223344bb", "at": "2023-11-14T22:13:21.300Z"}),
        url="ws://other/rpc",
    )
    async with talking(server_of([taped]), "/rpc") as client:
        hello = await client.json()
        (slow,) = await client.ask({"id": "b7", "method": "slow", "params": {}})
        (total,) = await client.ask({"id": 99, "method": "sum", "params": [1, 2], "sid": hello["session"]["id"]})
    session = hello["session"]["id"]
    assert session.startswith("sess-")
    assert len(session) == 21
    assert session != "sess-Ab12Cd34Ef56Gh78"
    assert hello["session"]["ts"] == 1_800_000_000_100
    assert (slow["id"], slow["result"], total["id"], total["result"]) == ("b7", "done", 99, 3)
    assert slow["at"] == "2027-01-15T08:00:00.200Z"
    assert slow["evtId"].startswith("ev-")
    assert slow["evtId"] not in ("ev-0011223344aa", "ev-0011223344bb")

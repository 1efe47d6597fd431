"""The journal over HTTP: asked, waited for, followed."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.control import journal as journal_routes
from app.emulation import journal as journals
from tests.control.conftest import DEMO_KEY, Control, plain_fixtures
from tests.control.test_reset import ask, turn
from tests.live import LiveServer, sendmsg, talk


def kinds(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["kind"] for entry in entries]


def test_a_parameter_is_given_once(control: Control) -> None:
    told = control.refused(400, "GET", "/journal?room=a&room=b")
    assert told == "room: expected one value, found several"
    control.get("/journal", kind=["in", "out"])


async def test_a_turn_is_written_from_the_first_byte_to_the_last(control: Control, shared: LiveServer) -> None:
    await turn(shared, "r1", "누구세요")
    await ask(control, "GET", "/journal/wait?kind=close&room=r1")
    told = control.get("/journal", room="r1")
    entries = told["entries"]
    assert told["last"] == entries[-1]["seq"]
    assert kinds(entries)[:2] == ["open", "in"]
    assert kinds(entries)[-1] == "close"
    assert set(kinds(entries)) == {"open", "in", "out", "match", "close"}
    assert [entry["type"] for entry in entries if entry["kind"] == "out"][::8][0] == "START"
    assert [entry["seq"] for entry in entries] == sorted(entry["seq"] for entry in entries)
    assert [entry["mono"] for entry in entries] == sorted(entry["mono"] for entry in entries)
    assert {entry["wire"] for entry in entries} == {"chldo"}
    assert len({entry["connection"] for entry in entries}) == 1
    assert DEMO_KEY not in json.dumps(entries)
    match = next(entry for entry in entries if entry["kind"] == "match")
    assert (match["matched"], match["source"], match["msg"]) == (True, "replies/test.yaml:1", "누구세요")


async def test_filters_hold_all_together(control: Control, shared: LiveServer) -> None:
    for room in ("r1", "r2"):
        await turn(shared, room)
    ends = control.get("/journal", type="END")["entries"]
    assert [entry["room"] for entry in ends] == ["r1", "r2"]
    assert control.get("/journal", type="END", room="r2")["entries"] == [ends[1]]
    assert control.get("/journal", type="END", connection=ends[0]["connection"])["entries"] == [ends[0]]
    assert control.get("/journal", type="END", after=ends[0]["seq"])["entries"] == [ends[1]]
    assert control.get("/journal", type="END", wire="nope")["entries"] == []
    assert control.get("/journal", turn=1, type="END", text="EOM", wire="chldo")["entries"] == ends
    assert control.get("/journal", turn=2)["entries"] == []
    assert set(kinds(control.get("/journal", kind="in,match")["entries"])) == {"in", "match"}
    both = control.http.get("/journal?kind=in&kind=match").json()["entries"]
    assert set(kinds(both)) == {"in", "match"}


async def test_the_first_or_the_last_so_many(control: Control, shared: LiveServer) -> None:
    await turn(shared, "r1")
    everything = control.get("/journal")["entries"]
    assert control.get("/journal", limit=2)["entries"] == everything[:2]
    assert control.get("/journal", limit=2, newest=True)["entries"] == everything[-2:]
    rest = control.get("/journal", after=everything[1]["seq"], limit=1)["entries"]
    assert rest == [everything[2]]


async def test_http_calls_of_the_wires_are_written_and_those_of_the_control_plane_are_not(
    control: Control, shared: LiveServer
) -> None:
    await asyncio.to_thread(httpx.get, f"{shared.http}/v3/room/uid/?api_key={DEMO_KEY}")
    control.get("/clock")
    (call,) = control.get("/journal", kind="http")["entries"]
    assert (call["method"], call["path"], call["status"]) == ("GET", "/v3/room/uid/", 200)
    assert call["query"] == f"api_key={DEMO_KEY[:4]}…"
    assert call["bytes"] > 0
    assert call["seconds"] > 0


def test_what_is_done_by_hand_is_written(control: Control) -> None:
    control.post("/clock/freeze")
    control.post("/clock/advance", {"seconds": 3})
    control.ask("PUT", "/spaces/test/credit", {"credit": 5})
    control.post("/reset", {"room": "r1"})
    control.refused(400, "POST", "/faults", {})
    told = [(entry["action"], entry["room"]) for entry in control.get("/journal", kind="control")["entries"]]
    assert told == [("clock freeze", ""), ("clock advance", ""), ("credit", ""), ("reset", "r1")]


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        ("/journal", {"kind": "in,nope"}, "kind: expected one of open, refused, in, out, close, http, match"),
        ("/journal", {"kind": ""}, "kind: expected one of open, refused, in, out, close, http, match"),
        ("/journal", {"turn": 0}, "turn: Input should be greater than or equal to 1"),
        ("/journal", {"turn": "x"}, "turn: Input should be a valid integer"),
        ("/journal", {"limit": 0}, "limit: Input should be greater than or equal to 1"),
        ("/journal", {"limit": 10001}, "limit: Input should be less than or equal to 10000"),
        ("/journal", {"after": -1}, "after: Input should be greater than or equal to 0"),
        ("/journal", {"newest": "perhaps"}, "newest: Input should be a valid boolean"),
        ("/journal/wait", {"count": 0}, "count: Input should be greater than or equal to 1"),
        ("/journal/wait", {"count": 10001}, "count: Input should be less than or equal to 10000"),
        ("/journal/wait", {"timeout": 301}, "timeout: Input should be less than or equal to 300"),
        ("/journal/wait", {"timeout": "nan"}, "timeout: "),
        ("/journal/wait", {"kind": "nope"}, "kind: expected one of"),
        ("/journal/feed", {"kind": "nope"}, "kind: expected one of"),
        ("/journal/feed", {"limit": 5}, "limit: no such parameter"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_its_place(
    control: Control, path: str, params: dict[str, Any], message: str
) -> None:
    assert control.refused(400, "GET", path, params=params).startswith(message)


async def test_a_wait_answers_as_soon_as_it_has_come(control: Control, shared: LiveServer) -> None:
    waiting = asyncio.ensure_future(ask(control, "GET", "/journal/wait?type=END&count=2&timeout=60"))
    await turn(shared, "r1")
    await turn(shared, "r2")
    told = await waiting
    assert told["complete"] is True
    assert [(entry["type"], entry["room"]) for entry in told["entries"]] == [("END", "r1"), ("END", "r2")]


async def test_a_wait_that_is_in_vain_answers_with_what_there_is(control: Control, shared: LiveServer) -> None:
    await turn(shared, "r1")
    told = await ask(control, "GET", "/journal/wait?type=END&count=2&timeout=0.05")
    assert told["complete"] is False
    assert len(told["entries"]) == 1
    assert (await ask(control, "GET", "/journal/wait?type=NEVER&timeout=0")) == {"complete": False, "entries": []}


def followers(server: LiveServer) -> int:
    return len(server.program.stage.journal._feeds)


async def until(followed: int, server: LiveServer) -> None:
    async with asyncio.timeout(30):
        while followers(server) != followed:
            await asyncio.sleep(0)


async def test_a_wait_ends_when_its_client_goes_away(control: Control, shared: LiveServer) -> None:
    assert followers(shared) == 0
    async with httpx.AsyncClient(base_url=shared.http) as client:
        asked = asyncio.ensure_future(client.get("/_emulator/journal/wait?type=NEVER&timeout=300", timeout=60))
        await until(1, shared)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await until(0, shared)


async def test_waits_are_bounded(control: Control, shared: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "MOST_FOLLOWERS", 0)
    for path in ("wait", "feed"):
        message = await asyncio.to_thread(control.refused, 409, "GET", f"/journal/{path}")
        assert message == "journal: at most 0 feeds and waits at a time"


class Stream:
    """A feed as a client reads it."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def event(self) -> dict[str, str]:
        """The fields of the next event, comments under ""."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(30):
            async for line in self._lines:
                if not line:
                    return fields
                name, _, value = line.partition(": ")
                fields[name.rstrip(":") if name != ":" else ""] = value
        raise AssertionError("the feed has ended")

    async def rest(self) -> list[str]:
        """What comes to the end of the feed, in order."""
        async with asyncio.timeout(30):
            return [line async for line in self._lines]

    async def entry(self) -> dict[str, Any]:
        event = await self.event()
        entry: dict[str, Any] = json.loads(event["data"])
        assert event["id"] == str(entry["seq"])
        return entry


@asynccontextmanager
async def feed(server: LiveServer, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(base_url=server.http, timeout=60) as client,
        client.stream("GET", f"/_emulator/journal/feed{query}", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        stream = Stream(answer.aiter_lines())
        assert list(await stream.event()) == [""]
        yield stream


async def test_a_feed_tells_what_happens_from_now_on(control: Control, shared: LiveServer) -> None:
    await turn(shared, "before")
    async with feed(shared, "?type=END,&kind=out") as stream, feed(shared, "?type=END") as ends:
        await turn(shared, "r1")
        await turn(shared, "r2")
        assert [(await ends.entry())["room"] for _ in range(2)] == ["r1", "r2"]
        assert stream is not None
    await until(0, shared)


async def test_a_feed_goes_on_where_it_was_broken_off(control: Control, shared: LiveServer) -> None:
    for room in ("r1", "r2", "r3"):
        await turn(shared, room)
    ends = control.get("/journal", type="END")["entries"]
    resumed = {"last-event-id": str(ends[0]["seq"])}
    async with feed(shared, "?type=END", **resumed) as stream:
        assert [(await stream.entry())["room"] for _ in range(2)] == ["r2", "r3"]
        await turn(shared, "r4")
        assert (await stream.entry())["room"] == "r4"
    async with feed(shared, f"?type=END&after={ends[1]['seq']}") as stream:
        assert (await stream.entry())["room"] == "r3"
    async with feed(shared, "?type=END", **{"last-event-id": str(10**12)}) as stream:
        assert "skipped" in (await stream.event()).get("event", "skipped")
        first = await stream.event()
        assert json.loads(first["data"])["room"] == "r1"
    refused = await asyncio.to_thread(control.refused, 400, "GET", "/journal/feed", headers={"last-event-id": "x"})
    assert refused.startswith("Last-Event-ID: ")


async def test_a_feed_says_what_it_has_missed(control: Control, shared: LiveServer) -> None:
    await turn(shared, "r1")
    seq = control.get("/journal")["entries"][0]["seq"]
    control.ask("DELETE", "/journal")
    last = control.get("/journal")["last"]
    async with feed(shared, "", **{"last-event-id": str(seq)}) as stream:
        event = await stream.event()
        assert (event["event"], json.loads(event["data"])) == ("skipped", {"entries": last - seq})


async def test_a_reader_that_is_too_slow_is_told_how_much_it_missed(
    control: Control, shared: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "BACKLOG", 5)

    async def burst() -> None:
        for number in range(20):
            shared.program.stage.journal.write("control", detail={"action": f"n{number}"})

    async with feed(shared, "?kind=control") as stream:
        await shared.run(burst())
        event = await stream.event()
        assert (event["event"], json.loads(event["data"])) == ("skipped", {"entries": 15})
        assert [(await stream.entry())["action"] for _ in range(5)] == [f"n{number}" for number in range(15, 20)]


async def test_a_quiet_feed_shows_that_it_is_alive(
    control: Control, shared: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_routes, "HEARTBEAT", 0.01)
    async with feed(shared, "?type=NEVER") as stream:
        for _ in range(2):
            assert await stream.event() == {"": "alive"}


async def test_a_feed_ends_when_its_client_goes_away(control: Control, shared: LiveServer) -> None:
    async with feed(shared):
        assert followers(shared) == 1
    await until(0, shared)


@pytest.fixture
def stopping(tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path / "data", fixtures=plain_fixtures(tmp_path / "fixtures")) as server:
        yield server


async def test_feeds_and_waits_end_in_order_when_the_server_stops(
    stopping: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with httpx.AsyncClient(base_url=stopping.http, timeout=60) as client:
        waiting = asyncio.ensure_future(client.get("/_emulator/journal/wait?type=NEVER&timeout=300"))
        async with feed(stopping) as stream:
            await until(2, stopping)
            await asyncio.to_thread(stopping.stop)
            assert await stream.rest() == []
        assert (await waiting).json() == {"complete": False, "entries": []}
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


async def test_a_feed_that_is_not_read_holds_up_nobody(control: Control, shared: LiveServer) -> None:
    """A client that asks for a feed and never reads it: turns go on, and it is a bounded burden."""
    raw = socket.create_connection(("127.0.0.1", shared.port))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.sendall(b"GET /_emulator/journal/feed HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await until(1, shared)

    async def flood() -> int:
        for _ in range(20_000):
            shared.program.stage.journal.write("control", detail={"action": "x" * 1000})
        (follower,) = shared.program.stage.journal._feeds
        await asyncio.sleep(0)
        return len(follower._entries)

    assert await shared.run(flood()) <= journals.BACKLOG
    assert await turn(shared, "r1") == "turn 1"
    raw.close()
    await until(0, shared)


async def test_turns_go_on_while_a_large_journal_is_read(control: Control, shared: LiveServer) -> None:
    async def fill() -> None:
        for _ in range(20_000):
            shared.program.stage.journal.write("in", room="big", text='{"msg":"안녕하세요 반갑습니다","n":12345}')

    await shared.run(fill())
    reading = asyncio.ensure_future(ask(control, "GET", "/journal?limit=10000&text=123"))
    async with talk(shared, room_uid="r1") as peer:
        frames = await peer.turn(sendmsg("turn", room_uid="r1"))
    assert frames[-1]["status"] == "END"
    assert not reading.done(), "the turn did not wait for the journal"
    assert len((await reading)["entries"]) == 10_000


def test_many_may_read_at_a_time(control: Control) -> None:
    failures: list[str] = []

    def read() -> None:
        answer = httpx.get(f"{control.server.http}/_emulator/journal", timeout=30)
        if answer.status_code != 200:
            failures.append(answer.text)

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []

"""The WebSocket route: actions, refusals, limits, lifetimes, concurrency, what is left when a socket goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.golden import SHAPES
from tests.live import PATIENCE, Json, LiveServer, Peer, sendmsg, talk, write_fixtures

ENDLESS: Json = {"when": {"msg": "endless"}, "tokens": ["음 "] * 2000, "pace": {"first": 0, "per_second": 200}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("gateway")
    replies: list[Json] = [
        ENDLESS,
        {"when": {"msg": {"contains": "천천히"}}, "tokens": ["하", "나"], "pace": {"first": 0.2, "per_second": 20}},
        {"when": {"msg": {"regex": "^turn"}}, "reply": "{{turn}}번째 {{msg}} {{visitor_name}}"},
    ]
    failing = [
        {"uid": "off", "api_keys": [{"key": "0" * 20 + "e1", "usable": False}], "credit": 1000},
        {"uid": "poor", "api_keys": ["0" * 20 + "e2"], "credit": 99},
    ]
    fixtures = write_fixtures(folder / "fixtures", replies=replies, spaces=failing)
    with LiveServer(folder / "data", fixtures=fixtures, voice={"engine": "tone", "workers": 1}) as live:
        yield live


@pytest.fixture
async def peer(server: LiveServer) -> AsyncIterator[Peer]:
    async with talk(server) as made:
        yield made


def error(msg: str, frame: Json) -> bool:
    return list(frame.items()) == [
        ("status", "connected"),
        ("connection_id", frame["connection_id"]),
        ("msg", msg),
        ("msgtype", "error"),
    ]


@pytest.mark.parametrize("path", ["/v3/", "/v3", "/v4/", "/v1/"])
async def test_status_is_answered_on_every_path(server: LiveServer, path: str) -> None:
    async with talk(server, path) as peer:
        frame = await peer.ask({"action": "status"})
    assert list(frame) == ["status", "connection_id", "msgtype"]
    assert (frame["status"], frame["msgtype"]) == ("connected", "info")
    assert SHAPES["connection_id"].fullmatch(frame["connection_id"])


async def test_a_socket_without_query_is_accepted(server: LiveServer) -> None:
    async with connect(f"{server.ws}/v3/") as socket:
        assert (await Peer(socket).ask({"action": "status"}))["status"] == "connected"


async def test_nothing_is_pushed_before_the_first_request(peer: Peer) -> None:
    assert await peer.ask({"action": "status"}) == await peer.ask({"action": "status"})


@pytest.mark.parametrize("text", ["안녕", "[]", '{"action":"dance"}', '{"msg":"no action"}', "{", "5"])
async def test_what_is_no_action_is_forbidden_and_the_socket_stays(peer: Peer, text: str) -> None:
    frame = await peer.ask(text)
    assert list(frame) == ["message", "connectionId", "requestId"]
    assert frame["message"] == "Forbidden"
    assert (await peer.ask({"action": "status"}))["connection_id"] == frame["connectionId"]


@pytest.mark.parametrize(
    ("fields", "msg"),
    [
        ({"api_key": None}, "api_key is required"),
        ({"room_uid": None}, "room_uid is required"),
        ({"user_id": None}, "user_id is required"),
        ({"return_voice": 2}, "return_voice must be a number (0, 1, '0', or '1')"),
        ({"api_key": "f" * 22}, "api_key is not exist"),
        ({"api_key": "0" * 20 + "e1"}, "api_key is not usable"),
        ({"api_key": "f" * 22, "return_voice": 2}, "return_voice must be a number (0, 1, '0', or '1')"),
        ({"msg": {"a": 1}}, "msg must be a string"),
    ],
)
async def test_a_wrong_request_gets_one_error_frame_and_the_socket_stays(
    peer: Peer, fields: dict[str, Any], msg: str
) -> None:
    frame = await peer.ask(sendmsg(**fields))
    assert error(msg, frame), frame
    assert (await peer.ask({"action": "status"}))["status"] == "connected"


async def test_too_little_credit_fails_inside_the_flow(peer: Peer) -> None:
    frames = await peer.turn(sendmsg(api_key="0" * 20 + "e2"))
    assert error("현재 크레딧은 99 입니다. 크레딧이 100원 이상 필요합니다.", frames[-3]), frames[-3]
    assert [frame["status"] for frame in frames[-2:]] == ["think", "END"]
    assert not [frame for frame in frames if frame["status"] == "stream"]


async def test_a_binary_frame_closes_1003(peer: Peer) -> None:
    await peer.send(b"\x00\x01")
    assert await closed(peer) == 1003


@pytest.mark.parametrize("size", [33 * 1024, 129 * 1024, 4 * 1024 * 1024])
async def test_a_frame_above_32_kb_closes_1009(peer: Peer, size: int) -> None:
    await peer.socket.send("x" * size)
    assert await closed(peer) == 1009


async def test_a_message_of_several_frames_may_have_128_kb_and_no_more(server: LiveServer) -> None:
    async with talk(server) as peer:
        await peer.socket.send(["x" * 20_000] * 6)
        assert (await peer.receive())["message"] == "Forbidden"
        await peer.socket.send(["x" * 20_000] * 7)
        assert await closed(peer) == 1009


async def test_a_frame_of_just_32_kb_is_taken(peer: Peer) -> None:
    request = sendmsg("가")
    space = 32 * 1024 - len(json.dumps(request, ensure_ascii=False).encode())
    frames = await peer.turn({**request, "msg": "가" + "x" * space})
    assert frames[-1]["status"] == "END"


async def test_an_unknown_revision_is_told_at_the_handshake(server: LiveServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{server.ws}/v3/?revision=2025-01-01"):
            pass
    assert refused.value.response.status_code == 400
    assert "2024-11-13" in (refused.value.response.body or b"").decode()


async def test_a_connection_may_choose_its_revision(server: LiveServer) -> None:
    async with talk(server, revision="2024-08-26") as old, talk(server) as new:
        assert "stream_uid" not in (await old.turn(sendmsg()))[0]
        assert "scene_number" in (await new.turn(sendmsg()))[0]


async def test_turns_of_one_socket_overlap_and_stay_in_order(peer: Peer) -> None:
    await peer.send(sendmsg("천천히"))
    await peer.send(sendmsg("turn b"))
    frames: list[Json] = []
    ends = 0
    while ends < 2:
        frames.append(await peer.receive())
        ends += frames[-1]["status"] == "END"
    uids = list(dict.fromkeys(frame["stream_uid"] for frame in frames))
    assert len(uids) == 2
    slow, fast = ([frame["status"] for frame in frames if frame["stream_uid"] == uid] for uid in uids)
    assert slow[0] == fast[0] == "START"
    assert slow[-1] == fast[-1] == "END"
    assert frames[-1]["stream_uid"] == uids[0], "the quick turn should end before the slow one"


async def test_turns_are_kept_in_the_order_in_which_they_began(server: LiveServer) -> None:
    room = "order0000001"
    async with talk(server, room_uid=room) as peer:
        await peer.send(sendmsg("천천히", room_uid=room))
        await peer.send(sendmsg("turn b", room_uid=room))
        ends = 0
        while ends < 2:
            ends += (await peer.receive())["status"] == "END"
    window = await saved(server, room)
    assert [turn.msg for turn in window.turns] == ["천천히", "turn b"]


async def test_turns_follow_each_other_though_the_clock_was_set_back(server: LiveServer) -> None:
    """What was said last is what a model is told of, not what was said at the latest time."""
    room, clock = "back00000001", server.program.stage.world.clock
    now = clock.time()
    async with talk(server, room_uid=room) as peer:
        for number in range(30):
            if number == 25:
                server.loop.call_soon_threadsafe(clock.set, now - 86_400 * 365)
            await peer.turn(sendmsg(f"turn {number}", room_uid=room))
    server.loop.call_soon_threadsafe(clock.set, now)
    window = await saved(server, room)
    assert [turn.msg for turn in window.turns] == [f"turn {number}" for number in range(10, 30)]


async def test_a_room_counts_its_turns_and_no_save_leaves_no_trace(server: LiveServer) -> None:
    room = "count0000001"
    async with talk(server, room_uid=room) as peer:
        texts = []
        for fields in ({}, {"no_save": 1}, {}, {"no_history": 1}):
            frames = await peer.turn(sendmsg("turn", room_uid=room, visitor_name="철수", **fields))
            texts.append("".join(frame["msg"] for frame in frames if frame["status"] == "stream"))
    assert texts == ["1번째 turn 철수", "2번째 turn 철수", "2번째 turn 철수", "3번째 turn 철수"]
    assert (await saved(server, room)).saved == 3


async def test_two_sockets_of_a_room_get_only_their_own_frames(server: LiveServer) -> None:
    async with talk(server) as one, talk(server) as two:
        await one.send(sendmsg("turn one"))
        await two.send(sendmsg("turn two"))
        heard = []
        for peer in (one, two):
            frames: list[Json] = []
            while not frames or frames[-1]["status"] != "END":
                frames.append(await peer.receive())
            assert len({frame["connection_id"] for frame in frames}) == 1
            heard.append("".join(frame["msg"] for frame in frames if frame["status"] == "stream"))
    assert "one" in heard[0]
    assert "two" in heard[1]


async def test_a_closed_socket_takes_its_turn_with_it_and_nothing_is_saved(server: LiveServer) -> None:
    room = "gone00000001"
    async with talk(server, room_uid=room) as peer:
        await peer.send(sendmsg("endless", room_uid=room, return_voice=1))
        while (await peer.receive())["status"] != "stream":
            pass
        assert server.program.running >= 1
    await until(lambda: server.program.running == 0)
    assert (await saved(server, room)).saved == 0


async def test_more_turns_at_once_than_allowed_are_refused(server: LiveServer) -> None:
    async with talk(server) as peer:
        for _ in range(33):
            await peer.send(sendmsg("endless"))
        while (frame := await peer.receive())["status"] != "connected":
            pass
        assert error("too many messages at once (at most 32)", frame)


@pytest.mark.parametrize(("limit", "reason"), [("idle_limit", "Idle timeout"), ("age_limit", "Connection duration")])
async def test_an_idle_or_old_socket_is_closed_1001(tmp_path: Path, limit: str, reason: str) -> None:
    with LiveServer(tmp_path, v3={limit: 0.2}) as server:
        async with talk(server) as peer:
            assert await closed(peer) == 1001
            assert peer.socket.close_reason is not None
            assert peer.socket.close_reason.startswith(reason)


async def test_stopping_the_server_closes_sockets_1012(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as server:
        async with talk(server) as peer:
            await peer.ask({"action": "status"})
            await asyncio.to_thread(server.stop)
            assert await closed(peer) in (1001, 1012)


async def test_a_client_that_stops_reading_is_dropped(tmp_path: Path) -> None:
    replies: list[Json] = [{"when": {"msg": "flood"}, "tokens": ["가" * 1000] * 2_500}]
    fixtures = write_fixtures(tmp_path / "fixtures", replies=replies)
    with LiveServer(tmp_path / "data", fixtures=fixtures, v3={"send_timeout": 0.3}) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(
            b"GET /v3/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        from bench.load import masked

        writer.write(masked(json.dumps(sendmsg("flood")).encode()))
        await until(lambda: server.program.running == 1)
        await until(lambda: not server.program.stage.lines)
        writer.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    body=st.dictionaries(
        st.sampled_from([*sendmsg(), "return_voice", "stream", "scene_number", "language", "x"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({"a": 1}),
    )
)
async def test_any_json_gets_exactly_one_answer_or_a_turn(server: LiveServer, body: Json) -> None:
    async with talk(server) as peer:
        await peer.send(json.dumps(body))
        first = await peer.receive()
        if first.get("status") == "START":
            while (await peer.receive())["status"] != "END":
                pass
        assert (await peer.ask({"action": "status"}))["status"] == "connected"


async def test_a_new_room_is_twelve_characters_and_readable_from_any_page(server: LiveServer) -> None:
    async with httpx.AsyncClient() as client:
        rooms = set()
        for path in ("/v3/room/uid/", "/v1/room/uid/", "/v3/room/uid"):
            answer = await client.get(server.http + path, headers={"Origin": "http://app.test"}, follow_redirects=True)
            assert answer.headers["access-control-allow-origin"] == "*"
            assert list(answer.json()) == ["room_uid"]
            rooms.add(answer.json()["room_uid"])
    assert all(len(room) == 12 and room.isalnum() for room in rooms)
    assert len(rooms) == 3


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("POST", "/v1/embeddings", 404, "unknown_url", None),
        ("GET", "/v1/files/file-1/content?x=1", 404, "unknown_url", None),
        ("DELETE", "/v1/nothing/", 404, "unknown_url", None),
        ("POST", "/v1//audio/speech", 404, "unknown_url", None),
        ("POST", "/v1/" + "x" * 5000, 404, "unknown_url", None),
        ("GET", "/v1/chat/completions", 405, "method_not_supported", "POST"),
        ("PUT", "/v1/models", 405, "method_not_supported", "GET"),
        ("DELETE", "/v1/models/gpt-4o", 405, "method_not_supported", "GET"),
        ("POST", "/v1/room/uid/", 405, "method_not_supported", "GET"),
    ],
)
async def test_what_is_not_served_below_v1_is_told_in_openais_form(
    server: LiveServer, method: str, path: str, status: int, code: str, allow: str | None
) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.request(method, server.http + path, headers={"Origin": "http://app.test"})
    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)
    assert answer.headers["access-control-allow-origin"] == "*"
    error = answer.json()["error"]
    assert (list(error), error["type"]) == (["message", "type", "param", "code"], "invalid_request_error")
    assert error["code"] == code
    told = ("POST /v1/chat/completions", "GET /v1/models/{model}") if status == 404 else (method, "this path takes")
    assert all(part in error["message"] for part in told)
    assert len(error["message"]) < 1000


async def test_other_wires_keep_their_paths_and_words_for_what_they_do_not_serve(server: LiveServer) -> None:
    async with httpx.AsyncClient() as client:
        for path in ("/api/v1/nothing", "/v2/nothing", "/v1nothing", "/"):
            answer = await client.get(server.http + path)
            assert "error" not in answer.json()
        listed = await client.get(f"{server.http}/api/v1/scenarios")
        led = await client.get(f"{server.http}/v1/room/uid")
    assert listed.status_code == 200
    assert (led.status_code, led.headers["location"].endswith("/v1/room/uid/")) == (307, True)


async def closed(peer: Peer) -> int | None:
    """The close code that the server sends."""
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionClosed):
            async for _ in peer.socket:
                pass
        await peer.socket.wait_closed()
    return peer.socket.close_code


async def until(condition: Any) -> None:
    """Waits for something that happens in the server's own thread."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def saved(server: LiveServer, room_uid: str, space: str = "test") -> Any:
    """What the server's store has of a room."""
    return await server.run(server.engine.history.window(space, room_uid))

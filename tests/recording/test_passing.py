"""A client of the recorder notices no difference: messages, fragments, handshakes, closes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from app.emulation.recording import relay
from tests.live import PATIENCE
from tests.recording.upstream import UpstreamServer, recording


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """Code and reason with which a socket closes."""
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                pass
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


MESSAGES: list[str | bytes] = [
    "",
    "안녕 \u2028 😀",
    '{"a": 1 , "b":"\\u0041"}',
    b"",
    bytes(range(256)),
    "x" * 100_000,
    b"\0" * 100_000,
]


async def test_messages_come_back_as_they_were_and_stand_on_the_tape(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/echo", max_size=None) as socket:
        for message in MESSAGES:
            await socket.send(message)
            assert await socket.recv() == message
    said = [frame.text if frame.data is None else frame.data for frame in at.tape.frames]
    assert said == [message for message in MESSAGES for _ in range(2)]
    assert [frame.direction for frame in at.tape.frames] == ["client", "server"] * len(MESSAGES)
    times = [frame.at for frame in at.tape.frames]
    assert times == sorted(times)


async def test_fragments_stay_fragments_and_are_one_message_on_the_tape(
    upstream: UpstreamServer, tmp_path: Path
) -> None:
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/fragments", max_size=None) as socket:
        await socket.send(["a" * 10, "b" * 70_000, "c"])
        # an asynchronous sender closes a message with an empty fragment
        assert json.loads(await socket.recv()) == [10, 70_000, 1, 0]
        assert [part async for part in socket.recv_streaming()] == ["one", "two", "three", ""]
    assert [len(frame.text or "") for frame in at.tape.frames] == [70_011, 17, 11]


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "Idle timeout"), (1009, "too big"), (4321, "이유 있음")]
)
async def test_a_close_of_the_server_comes_with_its_code_and_reason(
    upstream: UpstreamServer, tmp_path: Path, code: int, reason: str
) -> None:
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/close/{code}/{quote(reason)}") as socket:
        assert await closed(socket) == (code, reason)
    assert (at.tape.close, at.tape.closed_by) == ((code, reason), "server")


async def test_a_close_of_the_client_goes_to_the_server(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/hear") as socket:
        await socket.close(4001, "enough")
    assert (at.tape.close, at.tape.closed_by) == ((4001, "enough"), "client")


async def test_a_close_without_a_code_has_none_behind_the_recorder(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/no-code") as socket:
        assert await closed(socket) == (1005, "")
    assert at.tape.close == (1005, "")


async def test_a_lost_server_is_lost_to_the_client_after_what_it_said(
    upstream: UpstreamServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "CLOSING", 10 * PATIENCE)  # nor does it take a time-out
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/die") as socket:
        assert await socket.recv() == "before"
        assert await closed(socket) == (1006, "")
    assert (at.tape.close, at.tape.closed_by) == ((1006, ""), "server")
    assert [frame.text for frame in at.tape.frames] == ["before"]


async def test_a_lost_client_is_lost_to_the_server(
    upstream: UpstreamServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "CLOSING", 10 * PATIENCE)
    async with recording(upstream.url, tmp_path) as at:
        socket = await connect(f"{at.ws}/hear")
        await socket.send("I am about to go")
        socket.transport.abort()
        await socket.wait_closed()
        async with asyncio.timeout(PATIENCE):
            while at.tape.close is None:
                await asyncio.sleep(0.01)
    assert (at.tape.close, at.tape.closed_by) == ((1006, ""), "client")


async def test_what_is_no_websocket_closes_with_1002(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/garbage") as socket:
        assert (await closed(socket))[0] == 1002
    assert at.tape.close is not None
    assert (at.tape.close[0], at.tape.closed_by) == (1002, "server")


async def test_text_that_is_not_utf8_is_not_held_back(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/broken-text") as socket:
        assert await socket.recv(decode=False) == b"\xff\xfe!"
    assert at.tape.frames[0].data == b"\xff\xfe!"


async def test_pings_of_both_sides_are_answered(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/pings", ping_interval=None) as socket:
        await asyncio.wait_for(await socket.ping(), PATIENCE)
        assert await socket.recv() == "pong came"
        await socket.send("thanks")
    assert [frame.text for frame in at.tape.frames] == ["pong came", "thanks"]


async def test_pings_go_on_so_that_time_outs_see_them(tmp_path: Path) -> None:
    seen: asyncio.Queue[Frame] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = ServerProtocol()
        while not protocol.close_rcvd:
            protocol.receive_data(await reader.read(1000))
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                elif isinstance(event, Frame):
                    seen.put_nowait(event)
            writer.writelines(protocol.data_to_send())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, recording(f"ws://127.0.0.1:{port}", tmp_path) as at, connect(at.ws) as socket:
        await asyncio.wait_for(await socket.ping(b"still there"), PATIENCE)
        frame = await asyncio.wait_for(seen.get(), PATIENCE)
    assert (frame.opcode, frame.data) == (Opcode.PING, b"still there")


async def test_a_refused_handshake_is_passed_on_whole(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{at.ws}/refuse?api_key=d4a3653a4ba72d6e04a293")
    answer = refused.value.response
    assert answer.status_code == 403
    assert (answer.headers["Content-Type"], answer.headers["X-Why"]) == ("application/json", "because")
    assert json.loads(answer.body) == {"message": "not with this key", "api_key": "d4a3653a4ba72d6e04a293"}
    told = at.tape.refused
    assert told is not None
    assert (told.status, told.content_type) == (403, "application/json")
    assert json.loads(told.body) == {"message": "not with this key", "api_key": "redacted-key-1"}
    assert "d4a3653a4ba72d6e04a293" not in at.written


async def test_a_redirect_is_the_clients_to_follow(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(
            b"GET /redirect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 302 ")
    assert b"https://elsewhere.example/" in head


async def test_path_query_subprotocol_and_headers_go_there_and_back(upstream: UpstreamServer, tmp_path: Path) -> None:
    sent = {"Authorization": "Bearer secret-of-the-client-1", "Cookie": "a=b", "X-Own": "mine"}
    async with (
        recording(f"{upstream.url}/headers?from=upstream", tmp_path) as at,
        connect(
            f"{at.ws}/deep%20er/?room_uid=R&q=%EA%B0%80",
            subprotocols=[Subprotocol("none"), Subprotocol("chat.v1")],
            additional_headers=sent,
            origin="http://localhost:5173",  # type: ignore[arg-type]
            user_agent_header="a client",
        ) as socket,
    ):
        headers = dict(json.loads(await socket.recv()))
        path = json.loads(await socket.recv())
        assert socket.subprotocol == "chat.v1"
        assert socket.response is not None
        assert socket.response.headers["Set-Cookie"] == "session=cookie-of-the-server; Path=/"
    assert path == "/headers/deep%20er/?from=upstream&room_uid=R&q=%EA%B0%80"
    assert {name: headers[name] for name in sent} == sent
    assert (headers["Origin"], headers["User-Agent"]) == ("http://localhost:5173", "a client")
    assert headers["Host"] == f"127.0.0.1:{upstream.port}"
    assert at.tape.path == "/deep%20er/?room_uid=R&q=%EA%B0%80"
    assert at.tape.url == upstream.url + path
    assert at.tape.subprotocol == "chat.v1"
    header = json.loads(at.written.splitlines()[0])["headers"]
    assert header["request"]["authorization"] == "Bearer redacted-token-1"
    assert header["request"]["cookie"] == "redacted-cookie-1"
    assert header["response"]["set-cookie"] == "redacted-cookie-2"
    for secret in ("secret-of-the-client-1", "cookie-of-the-server"):
        assert secret not in at.written.partition("\n")[0]


async def test_tokens_go_there_and_not_onto_the_tape(upstream: UpstreamServer, tmp_path: Path) -> None:
    """Offered as a subprotocol, which the server repeats; in a field; in a text."""
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123"
    said = json.dumps({"type": "auth", "token": "t0p-s3cret", "hint": "hsk_0123456789abcdefghij"})
    async with (
        recording(f"{upstream.url}/echo", tmp_path) as at,
        connect(f"{at.ws}/", subprotocols=[Subprotocol(jwt)]) as socket,
    ):
        assert socket.subprotocol == jwt
        await socket.send(said)
        assert await socket.recv() == said
    assert at.tape.subprotocol == "redacted-token-1"
    for secret in (jwt, jwt[:30], "t0p-s3cret", "hsk_0123456789"):
        assert secret not in at.written


async def test_what_is_no_handshake_is_refused_here(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        writer.close()
    assert at.tapes == []


async def test_a_server_that_is_down_is_502_with_the_reason(tmp_path: Path) -> None:
    async with recording("ws://127.0.0.1:9", tmp_path) as at:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{at.ws}/v3/")
    assert refused.value.response.status_code == 502
    assert json.loads(refused.value.response.body)["message"].startswith("cannot reach 127.0.0.1:9: ")
    assert at.tapes == []
    assert at.done is not None
    assert at.done.tapes == 0


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b"nonsense\r\n\r\n", 502, "no valid answer from 127.0.0.1:"),
        (b"", 502, "no valid answer from 127.0.0.1:"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", 502, "no valid answer from 127.0.0.1:"),
        (b"HTTP/1.1 403 No\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 2\r\n\r\nno", 403, "no"),
        (b"HTTP/1.1 503 Later\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 503, "no"),
    ],
)
async def test_what_answers_a_handshake_oddly_is_told_in_order(
    tmp_path: Path, answer: bytes, status: int, said: str
) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(odd, "127.0.0.1", 0)
    async with server, recording(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", tmp_path) as at:
        with pytest.raises(InvalidStatus) as refused:
            await connect(at.ws)
    assert refused.value.response.status_code == status
    assert said in bytes(refused.value.response.body).decode()
    assert len(at.tapes) == (status != 502)


async def test_two_clients_at_once_have_a_tape_each(upstream: UpstreamServer, tmp_path: Path) -> None:
    async def talk(ws: str, word: str) -> None:
        async with connect(f"{ws}/echo") as socket:
            for number in range(50):
                await socket.send(f"{word} {number}")
                assert await socket.recv() == f"{word} {number}"

    async with recording(upstream.url, tmp_path) as at:
        await asyncio.gather(talk(at.ws, "one"), talk(at.ws, "two"))
    assert len(at.tapes) == 2
    for tape in at.tapes:
        assert len({(frame.text or "").split()[0] for frame in tape.frames}) == 1
        assert len(tape.frames) == 100
    assert at.done is not None
    assert (at.done.tapes, at.done.messages) == (2, 200)

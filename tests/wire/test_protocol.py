"""What HTTP clients of all kinds send before they are answered, over raw sockets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect

from tests.live import DEMO_KEY, PATIENCE, LiveServer

ASKED = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}).encode()
HANDSHAKE = (
    b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
PATHS = ("/v3/", "/api/v1/chat/ws/guest-chat/x", "/ws/agent")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    quick = {"head_timeout": 2.0, "body_timeout": 0.3}
    with LiveServer(tmp_path_factory.mktemp("protocol"), http=quick, voice={"engine": "tone", "workers": 1}) as live:
        yield live


async def answer(server: LiveServer, *parts: bytes) -> tuple[int, bytes]:
    """Status, and all of the first answer, to bytes that are sent as they are; the connection is closed then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(PATIENCE):
            for part in parts:
                writer.write(part)
                await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(line[15:]) for line in head.lower().splitlines() if line[:15] == b"content-length:"), 0)
            return int(head.split()[1]), head + await reader.readexactly(length)
    finally:
        writer.close()


def post(*headers: bytes, path: bytes = b"/v1/chat/completions") -> bytes:
    given = (b"Host: localhost", b"Authorization: Bearer " + DEMO_KEY.encode(), b"Content-Type: application/json")
    return b"\r\n".join((b"POST " + path + b" HTTP/1.1", *given, *headers, b"", b""))


def chunked(body: bytes, trailers: bytes = b"") -> bytes:
    return b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers)


@pytest.mark.parametrize("offer", [b"h2c", b"foo/2", b"TLS/1.0, HTTP/1.1", b"websocket2", b"IRC/6.9"])
async def test_an_offer_to_speak_another_protocol_is_ignored_and_the_body_read(
    server: LiveServer, offer: bytes
) -> None:
    """curl --http2 and Java's HttpClient offer h2c with every request."""
    upgrade = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + offer, b"HTTP2-Settings: AAMAAABkAAQAAP__")
    whole = post(*upgrade, b"Content-Length: %d" % len(ASKED)) + ASKED
    pieces = post(*upgrade, b"Transfer-Encoding: chunked") + chunked(ASKED)
    for sent in ((whole,), (pieces,), (whole[:-20], whole[-20:]), (whole[:60], whole[60:])):
        status, said = await answer(server, *sent)
        assert status == 200, said
        assert b'"chat.completion"' in said


async def test_a_connection_that_offered_an_upgrade_goes_on(server: LiveServer) -> None:
    upgrade = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c")
    once = post(*upgrade, b"Content-Length: %d" % len(ASKED)) + ASKED
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(once + once + b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            everything = await reader.read(-1)
    finally:
        writer.close()
    assert everything.count(b"HTTP/1.1 200") == 2
    assert everything.count(b"HTTP/1.1 ") == 3


@pytest.mark.parametrize("path", PATHS)
async def test_a_handshake_may_be_as_large_as_a_request(server: LiveServer, path: str) -> None:
    """Browsers send all cookies of 127.0.0.1, whatever port set them."""
    cookies = {"Cookie": "; ".join(f"c{number}={'x' * 90}" for number in range(100))}
    async with connect(f"{server.ws}{path}?q={'q' * 20_000}", additional_headers=cookies) as socket:
        await socket.close()
    many = {f"X-Header-{number}": "x" for number in range(300)}
    async with connect(f"{server.ws}{path}", additional_headers=many) as socket:
        await socket.close()


@pytest.mark.parametrize("first", [b"GET /v3/", b"GET /api/v1/chat/ws/guest-chat/x", b"GET /_emulator/health"])
@pytest.mark.parametrize("handshake", [True, False])
async def test_too_much_before_the_body_is_refused_alike_for_sockets_and_http(
    server: LiveServer, first: bytes, handshake: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app.http")
    headers = HANDSHAKE if handshake else b"Host: localhost\r\n"
    end = b" HTTP/1.1\r\n" + headers
    origin = b"Origin: http://page.example\r\n"
    assert (await answer(server, first + b"?" + b"q" * 70_000 + end + b"\r\n"))[0] == 414
    assert (await answer(server, first + end + origin + b"X-Large: " + b"x" * 70_000 + b"\r\n\r\n"))[0] == 431
    assert (await answer(server, first + end + b"X: " + b"x" * 200_000))[0] == 431, "a line that does not end"
    assert (await answer(server, first + end + b"X: x\r\n" * 20_000))[0] == 431, "headers that do not end"
    lines = [record.getMessage() for record in caplog.records if record.name == "app.http"]
    assert len(lines) == 4
    assert "414" in lines[0]
    assert "431 more than 65536 bytes (origin: http://page.example)" in lines[1]
    assert all(len(line) < 400 for line in lines)


@pytest.mark.parametrize("path", PATHS)
async def test_a_handshake_with_a_body_is_refused_and_does_not_hang(server: LiveServer, path: str) -> None:
    first = b"GET %b HTTP/1.1\r\n" % path.encode()
    for extra in (b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"):
        status, said = await answer(server, first + HANDSHAKE + extra)
        assert (status, b"a WebSocket handshake has no body" in said) == (400, True)
    assert (await answer(server, first + HANDSHAKE + b"Content-Length: 0\r\n\r\n"))[0] == 101
    assert (await answer(server, first.replace(b"GET", b"POST") + HANDSHAKE + b"\r\n"))[0] == 400


@pytest.mark.parametrize("version", [b"8", b"0", b"thirteen", b"13, 8"])
async def test_another_version_of_the_protocol_is_told_which_one_is_spoken(server: LiveServer, version: bytes) -> None:
    wrong = HANDSHAKE.replace(b"Version: 13", b"Version: " + version)
    status, said = await answer(server, b"GET /v3/ HTTP/1.1\r\n" + wrong + b"\r\n")
    assert status == 426
    assert b"\r\nsec-websocket-version: 13\r\n" in said.lower()


@pytest.mark.parametrize("path", [b"/v3/", b"/v1/", b"/ws/human"])
async def test_a_get_of_a_sockets_path_says_that_it_is_one(server: LiveServer, path: bytes) -> None:
    status, said = await answer(server, b"GET %b?room_uid=x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path)
    assert status == 426
    assert b"\r\nupgrade: websocket\r\n" in said.lower()
    assert b'connect to ws://127.0.0.1%b"' % path in said


async def test_refused_handshakes_leave_a_line_with_path_reason_and_origin(
    server: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app.http")
    origin = b"Origin: https://a.example\r\n"
    key = DEMO_KEY.encode()
    for path in (b"/v9/?api_key=" + key, b"/v3/?revision=1999-01-01", b"/api/v1/chat/ws/chat/x"):
        status, _ = await answer(server, b"GET %b HTTP/1.1\r\n" % path + HANDSHAKE + origin + b"\r\n")
        assert status in (400, 403, 404)
    await answer(server, b"GET /v3/ HTTP/1.1\r\n" + HANDSHAKE.replace(b"Sec-WebSocket-Key", b"X") + b"\r\n")
    async with asyncio.timeout(PATIENCE):
        while len(lines := [one.getMessage() for one in caplog.records if one.name == "app.http"]) < 4:
            await asyncio.sleep(0.01)
    assert lines[0].startswith("handshake /v9/?api_key=d4a3… refused: 404 ")
    assert all("(origin: https://a.example)" in line for line in lines[:3])
    assert "403 Missing token" in lines[2]
    assert "missing Sec-WebSocket-Key" in lines[3]


async def test_trailers_are_dropped_and_bounded(server: LiveServer) -> None:
    head = post(b"Transfer-Encoding: chunked")
    key = b"Authorization: Bearer nobody\r\nContent-Type: text/plain\r\n"
    assert (await answer(server, head + chunked(ASKED, key)))[0] == 200
    many = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 1000) for number in range(100))
    status, _ = await answer(server, head + chunked(ASKED, many))
    assert status == 431


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/chat/completions",
        b"/api/v1/auth/signup",
        b"/_emulator/faults",
        b"/api/v1/auth/login/password",
        b"/nowhere",
    ],
)
@pytest.mark.parametrize("upgrade", [(), (b"Connection: Upgrade", b"Upgrade: h2c")])
async def test_a_body_that_never_comes_is_given_up(server: LiveServer, path: bytes, upgrade: tuple[bytes, ...]) -> None:
    started = post(*upgrade, b"Content-Length: 100", path=path) + b"{"
    status, _ = await answer(server, started)
    assert status in (408, 404, 405)


async def test_a_body_that_never_comes_ends_the_connection(server: LiveServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(b"PUT /_emulator/spaces/demo/credit HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            everything = await reader.read(-1)
    finally:
        writer.close()
    assert everything.startswith(b"HTTP/1.1 408 ")

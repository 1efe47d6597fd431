"""Servers that are no chldo at all: a clear finding or a clear refusal, and an end within bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from app.contract.checks.report import Report
from app.contract.checks.rig import PATIENCE
from tests.contract.stage import broken, checked, told

SILENCE = 0.3
"""Seconds until the checks give up waiting."""


async def echoes(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


async def is_silent(socket: ServerConnection) -> None:
    await socket.wait_closed()


async def leaves(socket: ServerConnection) -> None:
    await socket.close(1011, "not today")


async def leaves_politely(socket: ServerConnection) -> None:
    await socket.close(1000)


async def breaks(socket: ServerConnection) -> None:
    socket.transport.abort()


async def babbles(socket: ServerConnection) -> None:
    async for _ in socket:
        await socket.send("잘 모르겠어요")


async def answers_in_binary(socket: ServerConnection) -> None:
    async for _ in socket:
        await socket.send(b"\x00\xff\x80")


async def answers_in_lists(socket: ServerConnection) -> None:
    async for _ in socket:
        await socket.send('[{"status":"START"}]')


async def speaks_something_else(socket: ServerConnection) -> None:
    async for _ in socket:
        await socket.send('{"type":"session.created","event_id":"event_1"}')


async def floods(socket: ServerConnection) -> None:
    while True:
        await socket.send('{"type":"tick"}')
        await asyncio.sleep(0)  # it shares the loop with the checks


async def sends_no_utf8(socket: ServerConnection) -> None:
    async for _ in socket:
        await socket.send(b"\xff\xfe", text=True)


async def starts_and_stops(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(json.dumps({"status": "START", "msg": str(message)[:20]}))


@asynccontextmanager
async def serving(handler: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v3/"


async def check(url: str) -> Report:
    async with asyncio.timeout(60 * PATIENCE * SILENCE):
        return await checked(url, patience=SILENCE, say=(), failing_keys=())


@pytest.mark.parametrize(
    ("handler", "rule"),
    [
        (echoes, "wire.known"),
        (is_silent, "wire.answers"),
        (leaves, "wire.open"),
        (leaves_politely, "wire.open"),
        (breaks, "wire.open"),
        (babbles, "wire.json"),
        (answers_in_binary, "wire.json"),
        (answers_in_lists, "wire.json"),
        (speaks_something_else, "wire.known"),
        (floods, "wire.known"),
        (sends_no_utf8, "wire.json"),
        (starts_and_stops, "keys.start"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
async def test_a_server_of_something_else_is_found_out(
    handler: Callable[[ServerConnection], Awaitable[None]], rule: str
) -> None:
    async with serving(handler) as url:
        report = await check(url)
    assert rule in broken(report), told(report)
    assert report.exit_code == 1
    if handler is not starts_and_stops:
        assert "nothing that came back is of the chldo wire, so no more was tried" in report.notes
        assert report.subjects[0].believed == ""
        assert report.turns <= 1


async def raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Plain HTTP, and nothing else."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail ready\r\n")


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """The port of a server that hands its connections to `handler`; none is left open."""
    running: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handler(reader, writer)
        writer.close()
        await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.create_task(carry(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.parametrize(
    ("handler", "said"), [(raw, "HTTP 200"), (nonsense, "no WebSocket server"), (mute, "does not answer")]
)
async def test_what_is_no_websocket_server_is_no_connection(handler: Handler, said: str) -> None:
    async with listening(handler) as port:
        report = await check(f"ws://127.0.0.1:{port}/v3/")
    assert report.exit_code == 3
    assert said in report.problem
    assert report.problem.startswith(f"cannot connect to ws://127.0.0.1:{port}/v3/")
    assert (report.rules, report.subjects) == ([], [])


async def test_a_port_without_a_server_is_no_connection() -> None:
    report = await check("ws://127.0.0.1:9/v3/")
    assert report.exit_code == 3
    assert "Connection refused" in report.problem


async def test_a_server_that_takes_one_socket_only_is_judged_by_that() -> None:
    sockets: list[ServerConnection] = []

    async def one(socket: ServerConnection) -> None:
        sockets.append(socket)
        async for message in socket:
            action = json.loads(message).get("action")
            frame = {"status": "connected", "connection_id": "ArIz-dpIoE0CEeg="}
            frame |= {"msgtype": "info"} if action == "status" else {"msg": "api_key is required", "msgtype": "error"}
            await socket.send(json.dumps(frame))

    def first(connection: ServerConnection, request: object) -> object:
        return connection.respond(429, "one socket only\n") if sockets else None

    async with serve(one, "127.0.0.1", 0, process_request=first) as server:  # type: ignore[arg-type]
        port = server.sockets[0].getsockname()[1]
        report = await check(f"ws://127.0.0.1:{port}/v3/")
    found = next(result for result in report.rules if result.id == "wire.open")
    assert "HTTP 429" in found.findings[0].got
    assert report.exit_code == 1

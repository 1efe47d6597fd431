"""Which pages may open WebSockets."""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from app.cors import SocketOrigins
from tests.live import LiveServer

NAMED = SocketOrigins(frozenset(("https://app.example",)), "emulator.lan")


def scope(origin: str | None, host: str = "127.0.0.1:8765") -> dict[str, object]:
    headers = [(b"host", host.encode())] + ([] if origin is None else [(b"origin", origin.encode("latin-1"))])
    return {"type": "websocket", "headers": headers}


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "127.0.0.1:8765"),
        (None, "evil.example"),
        ("https://app.example", "anything"),
        ("http://127.0.0.1:8765", "127.0.0.1:8765"),
        ("http://[::1]:8765", "[::1]:8765"),
        ("http://emulator.lan:8765", "emulator.lan:8765"),
    ],
)
def test_pages_of_named_origins_and_its_own_may(origin: str | None, host: str) -> None:
    assert NAMED.admit(scope(origin, host))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "127.0.0.1:8765"),
        ("null", "127.0.0.1:8765"),
        ("", "127.0.0.1:8765"),
        ("http://evil.example:8765", "evil.example:8765"),
        ("http://localhost:3000", "localhost:8765"),
        ("http://app.example", "127.0.0.1:8765"),
        ("https://app.example.evil", "127.0.0.1:8765"),
        ("http://[", "["),
        ("http://127.0.0.1:x", "127.0.0.1:x"),
        ("file://", "127.0.0.1:8765"),
        ("\xff", "127.0.0.1:8765"),
    ],
)
def test_other_pages_may_not(origin: str, host: str) -> None:
    assert not NAMED.admit(scope(origin, host))


def test_with_a_star_all_may() -> None:
    assert SocketOrigins(frozenset("*"), "").admit(scope("null"))


async def test_where_origins_are_named_they_hold_for_the_sockets_of_every_wire(tmp_path: Path) -> None:
    with LiveServer(tmp_path, cors="https://app.example", voice={"engine": "tone", "workers": 1}) as server:
        for path in ("/v3/", "/api/v1/chat/ws/guest-chat/x", "/ws/agent", "/nowhere"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{server.ws}{path}", origin=Origin("https://evil.example"))
            assert refused.value.response.status_code == 403
        for path in ("/v3/", "/api/v1/chat/ws/guest-chat/x", "/ws/agent"):
            for origin in (None, Origin("https://app.example"), Origin(server.http)):
                async with connect(f"{server.ws}{path}", origin=origin):
                    pass

"""uvicorn, set up for long-lived sockets: its protocols (`app.http_protocol`, `app.socket_protocol`), signals, memory.

uvicorn gives the WebSocket implementation (websockets-sansio), uvloop and httptools.
"""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from app.http_protocol import RequestProtocol
from app.socket_protocol import SocketProtocol

if TYPE_CHECKING:
    from app.settings import Settings


class Server(uvicorn.Server):
    """Tells the application that it stops, so that answers without an end come to theirs, before it waits for them."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._stopping is not None:
            self._stopping()
        await super().shutdown(sockets)


def server_of(app: Any, settings: Settings) -> uvicorn.Server:
    """A uvicorn server for `app`, not yet running."""
    v3 = settings.v3
    protocol = type("SocketProtocol", (SocketProtocol,), {"send_timeout": v3.send_timeout})
    limits = {"send_timeout": v3.send_timeout} | settings.http.model_dump()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="auto",
        http=type("RequestProtocol", (RequestProtocol,), limits),
        ws=protocol,
        ws_max_size=cast(int, (v3.message_limit, v3.frame_limit)),
        ws_per_message_deflate=v3.compression,
        ws_ping_interval=None,
        lifespan="on",
        log_config=None,
        access_log=settings.log_level == "debug",
        server_header=False,
        proxy_headers=False,  # the application itself judges them, with the host and the path in front
        timeout_graceful_shutdown=2,
    )
    sys.setswitchinterval(SWITCH)
    return Server(config, getattr(app, "stopping", None))


SWITCH = 0.0005
"""Seconds after which Python lets another thread run (its default: 0.005). The store commits in a thread of its own
and would wait ten times
longer for the interpreter than for the disk while the event loop is busy."""


def keep_loaded() -> None:
    """Tells the garbage collector that what is loaded now stays.

    LangChain, SQLAlchemy and FastAPI are some 600,000 objects that every full collection would walk again:
    measured, 40 % of the time of a turn. Call it once, when everything is loaded.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def listen(host: str, port: int) -> socket.socket:
    """A bound, listening socket; port 0 takes a free one. Raises OSError if the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(2048)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made

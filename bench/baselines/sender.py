"""The ceiling of replay: a plain ASGI loop under uvicorn that answers every message with a list of texts, the same each
time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

FRAMES: list[str] = json.loads(Path(os.environ["BENCH_FRAMES"]).read_text(encoding="utf-8"))

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            for frame in FRAMES:
                await send({"type": "websocket.send", "text": frame})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(os.environ["BENCH_PORT"]),
        loop="uvloop",
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
        ws_per_message_deflate=False,
    )

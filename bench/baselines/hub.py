"""A bare hub: whatever a client sends over its socket, every other socket of the room gets; nothing is kept.

Run as `python -m bench.baselines.hub` with BENCH_PORT set; `/ws?room=…` is the room.
"""

from __future__ import annotations

import os
from collections import defaultdict

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
rooms: dict[str, set[WebSocket]] = defaultdict(set)


@app.get("/_emulator/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.websocket("/ws")
async def hub(socket: WebSocket, room: str) -> None:
    await socket.accept()
    rooms[room].add(socket)
    try:
        while True:
            text = await socket.receive_text()
            for other in tuple(rooms[room]):
                if other is not socket:
                    await other.send_text(text)
    except WebSocketDisconnect:
        rooms[room].discard(socket)


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), log_level="warning", ws_per_message_deflate=False
    )

"""The baseline: what one writes in an hour. FastAPI, the same graph with an InMemorySaver, `send_json` for each
frame.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from app.agent.models import OPEN_MODEL
from app.agent.scripted import ScriptedChatModel
from app.emulation.determinism import RealClock
from app.emulation.fixtures import load_fixtures
from app.emulation.replies import ReplyAsk
from graphs.companion import build

app = FastAPI()
graph = build().compile(checkpointer=InMemorySaver())
book = load_fixtures(Path(os.environ["BENCH_FIXTURES"])).replies


@app.get("/_emulator/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.websocket("/v3/")
async def v3(ws: WebSocket) -> None:
    await ws.accept()
    try:
        while True:
            ask = await ws.receive_json()
            same = {
                "connection_id": "ArIz-dpIoE0CEeg=",
                "stream_uid": "s" * 25,
                "scene_number": 1,
                "room_uid": ask["room_uid"],
            }
            c_at = str(time.time())

            async def notice(status: str, msg: str, same: dict[str, Any] = same) -> None:
                await ws.send_json({"status": status, **same, "msg": msg, "is_stream": True, "msgtype": "info"})

            await ws.send_json(
                {"status": "START", **same, "msg": "<SOM>", "is_stream": True, "cAt": c_at, "msgtype": "info"}
            )
            for status in ("history", "history", "memory", "memory", "think"):
                await notice(status, "대화 기억을 찾고 있습니다.")

            async def model(msg: str = ask["msg"]) -> ScriptedChatModel:
                return ScriptedChatModel(book=book, ask=ReplyAsk(msg=msg), clock=RealClock())

            config: Any = {"configurable": {"thread_id": ask["room_uid"], OPEN_MODEL: model}}
            async for event in graph.astream_events({"messages": [HumanMessage(ask["msg"])]}, config, version="v2"):
                if event["event"] == "on_chat_model_stream" and (text := event["data"]["chunk"].content):
                    data = {"chunk": {"content": text}}
                    frame = {"status": "stream", **same, "sent_uid": "x" * 28, "event": "on_chat_model_stream"}
                    await ws.send_json({**frame, "data": data, "msg": text, "is_stream": True, "msgtype": "stream"})
            await notice("think", "생각이 끝났습니다.")
            await ws.send_json(
                {"status": "END", **same, "msg": "<EOM>", "cAt": c_at, "is_stream": True, "msgtype": "info"}
            )
    except WebSocketDisconnect:
        return


if __name__ == "__main__":
    deflate = os.environ.get("BENCH_DEFLATE") == "1"
    port = int(os.environ["BENCH_PORT"])
    uvicorn.run(
        app, port=port, loop="uvloop", ws="websockets-sansio", log_level="warning", ws_per_message_deflate=deflate
    )

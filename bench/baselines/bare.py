"""The ceiling: the default graph's `astream_events` alone, 20 conversations at once under uvloop, no network, no
checkpointer.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from langchain_core.messages import HumanMessage

from app.agent.models import OPEN_MODEL
from app.agent.scripted import ScriptedChatModel
from app.emulation.determinism import RealClock
from app.emulation.fixtures import load_fixtures
from app.emulation.replies import ReplyAsk
from graphs.companion import graph


async def main(fixtures: Path) -> float:
    book = load_fixtures(fixtures).replies

    async def model() -> ScriptedChatModel:
        return ScriptedChatModel(book=book, ask=ReplyAsk(msg="bench"), clock=RealClock())

    async def turn() -> int:
        config: Any = {"configurable": {OPEN_MODEL: model}}
        tokens = 0
        async for event in graph.astream_events({"messages": [HumanMessage("bench")]}, config, version="v2"):
            tokens += event["event"] == "on_chat_model_stream" and bool(event["data"]["chunk"].content)
        return tokens

    async def conversation(turns: int) -> int:
        return sum([await turn() for _ in range(turns)])

    await conversation(3)
    began = time.perf_counter()
    tokens = sum(await asyncio.gather(*(conversation(15) for _ in range(20))))
    return tokens / (time.perf_counter() - began)


print(uvloop.run(main(Path(sys.argv[1]))))

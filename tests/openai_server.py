"""A real OpenAI-compatible HTTP server for tests. What it does depends on the model that is asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Self

from tests.live import PATIENCE

Json = dict[str, Any]


class OpenAIServer:
    """Serves `POST /v1/chat/completions` as server-sent events. `requests` holds what was asked, `authorizations`
    by whom.
    """

    def __init__(self) -> None:
        self.requests: list[Json] = []
        self.authorizations: list[str] = []
        self.dropped = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            body = json.loads(await reader.readexactly(int(fields.get("content-length", 0))))
            self.requests.append(body)
            self.authorizations.append(fields.get("authorization", ""))
            async for part in self._answer(body, reader):
                writer.write(part)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.dropped.set()
        finally:
            writer.close()

    async def _answer(self, body: Json, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        model = body["model"]
        if model == "missing":
            text = json.dumps({"status": "failure", "message": "API_KEY does not exist."}).encode()
            yield b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nConnection: close\r\n"
            yield b"Content-Length: %d\r\n\r\n" % len(text) + text
            return
        suggesting = {tool["function"]["name"] for tool in body.get("tools", [])} & {"SuggestedChoices"}
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        yield _event({"role": "assistant", "content": ""})
        if suggesting and model == "drips":
            while True:
                call = {"name": "SuggestedChoices", "arguments": " "}
                yield _event({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]})
                await asyncio.sleep(0.2)
        if suggesting:
            offered = {"choices": [{"text": "더 알려 주세요.", "tone": "공손한"}] * (3 if model == "suggests" else 0)}
            arguments = json.dumps(offered) if model == "suggests" else "{broken"
            call = {"name": "SuggestedChoices", "arguments": arguments}
            yield _event({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]})
            yield _event({}, finish="tool_calls")
            yield b"data: [DONE]\n\n"
            return
        if model == "tools":
            last = body["messages"][-1]
            if last["role"] == "tool":
                yield _event({"content": f"답은 {last['content']}입니다."})
            else:
                call = {"name": "add", "arguments": '{"a": 2, "b": 3}'}
                yield _event({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]})
            yield _event({}, finish="stop" if last["role"] == "tool" else "tool_calls")
            yield b"data: [DONE]\n\n"
            return
        yield _event({"content": "안녕하세요! "})
        if model == "malformed":
            yield b"data: {this is no json\n\n"
            return
        if model == "stalls":
            async with asyncio.timeout(PATIENCE):
                await reader.read()
            self.dropped.set()
            return
        yield _event({"content": "저는 진짜 모델입니다."})
        yield _event({}, finish="stop")
        yield b"data: [DONE]\n\n"


def _event(delta: Json, finish: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"

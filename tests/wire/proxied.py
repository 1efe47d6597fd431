"""The routes of the proxy on a real port, and what tests ask of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import orjson
import uvicorn
from fastapi import FastAPI
from openai.types.chat import ChatCompletionChunk
from starlette.middleware.cors import CORSMiddleware

from app.agent.models import ChatModels, Upstream
from app.chldo.proxy import NO_KEY, proxy_routes
from app.chldo.proxy_answers import unserved
from app.emulation.determinism import Ids, RealClock
from app.emulation.fixtures import load_fixtures
from app.serving import listen
from app.spaces.database import Database
from app.spaces.store import SpaceStore
from tests.live import DEMO_KEY, PATIENCE, Json, write_fixtures

UNUSABLE = "00000000000000000000e1"
TOKENS = ["안", "녕", "하세요", "!", " 반", "갑", "습니다", "."]
REPLIES: list[Json] = [
    {"when": {"msg": "안녕"}, "tokens": TOKENS},
    {"when": {"msg": "천천히"}, "tokens": TOKENS, "pace": {"first": 0, "per_second": 0.01}},
    {"when": {"msg": "오류"}, "error": {"status": 404, "body": NO_KEY}},
    {"when": {"msg": "비밀"}, "error": {"status": 401, "body": {"error": {"message": f"no such key: {DEMO_KEY}"}}}},
    {"when": {"msg": "더해 줘"}, "reply": "답은 5입니다.", "tool_calls": [{"name": "add", "args": {"a": 2, "b": 3}}]},
    {"when": {"filename": "cat.png"}, "reply": "고양이네요."},
    {"when": {"msg": "그림", "filename": "image.png"}, "reply": "그림이네요."},
    {"when": {"turn": 2}, "reply": "두 번째예요."},
]
ADD: Any = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@dataclass(slots=True)
class Proxied:
    """A server with the routes of the proxy, and what it runs on."""

    http: str
    store: SpaceStore
    models: ChatModels
    space: str = "test"
    clients: list[openai.AsyncOpenAI] = field(default_factory=list)

    def client(self, key: str = DEMO_KEY, path: str = "/v1", **options: Any) -> openai.AsyncOpenAI:
        made = openai.AsyncOpenAI(base_url=self.http + path, api_key=key, max_retries=0, timeout=PATIENCE, **options)
        self.clients.append(made)
        return made

    async def balance(self) -> int:
        return (await self.store.charge(self.space, 0)).balance

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=PATIENCE, headers={"authorization": f"Bearer {DEMO_KEY}"}) as client:
            return await client.get(self.http + path)

    async def post(
        self, body: Any, key: str | None = DEMO_KEY, path: str = "/v1/chat/completions", **headers: str
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        sent = headers if key is None else {"authorization": f"Bearer {key}", **headers}
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            return await client.post(self.http + path, content=content, headers=sent)


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    replies: list[Json] | None = None,
    space: Json | None = None,
    others: list[Json] | None = None,
    upstream: Upstream | None = None,
    **options: Any,
) -> AsyncIterator[Proxied]:
    other = {"uid": "off", "name": "Off", "org_id": "org_off", "api_keys": [{"key": UNUSABLE, "usable": False}]}
    fixtures = load_fixtures(
        write_fixtures(
            folder / "fixtures",
            replies=REPLIES if replies is None else replies,
            space=space,
            spaces=[other, *(others or [])],
        )
    )
    database = Database(None, folder=folder)
    await database.open()
    clock = RealClock()
    store = SpaceStore(database, clock=clock)
    await store.seed(fixtures.spaces)
    models = ChatModels(book=fixtures.replies, clock=clock, upstream=upstream or Upstream())
    listener = listen("127.0.0.1", 0)
    proxied = Proxied(f"http://127.0.0.1:{listener.getsockname()[1]}", store, models)

    async def opened() -> Proxied:
        return proxied

    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"])
    routes = proxy_routes(opened, clock, Ids(), **options)
    app.router.routes += [*routes.routes, *unserved(routes).routes]
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=2))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0)
    try:
        yield proxied
    finally:
        for client in proxied.clients:
            await client.close()
        server.should_exit = True
        await task
        await models.close()
        await database.close()


def user(text: Any) -> Any:
    return [{"role": "user", "content": text}]


async def collect(stream: Any) -> list[ChatCompletionChunk]:
    return [chunk async for chunk in stream]


def said(answer: httpx.Response) -> tuple[str, str]:
    """The text of an answer in either form, and why it ended."""
    if answer.headers["content-type"].startswith("application/json"):
        choice = answer.json()["choices"][0]
        return choice["message"]["content"], choice["finish_reason"]
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]
    choices = [event["choices"][0] for event in events]
    return "".join(choice["delta"].get("content") or "" for choice in choices), choices[-1]["finish_reason"]

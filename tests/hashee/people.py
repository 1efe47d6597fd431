"""People and agents for tests: they log in, call, listen."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.emulation.keepalive import pongs
from app.hashee.fixtures import PASSWORD, uid
from app.hashee.profiles import FIRST
from app.hashee.wire import HasheeWire
from tests.contract.judges import judge
from tests.live import PATIENCE, Json, LiveServer

PAYLOAD = base64.b64encode(b"sealed").decode()
USERS = 200
AGENTS = 150


def email(number: int) -> str:
    return f"user{number}@example.com"


def agent_token(number: int) -> str:
    return f"hsk_{number:040d}"


def write_cast(folder: Path, extra: str = "") -> Path:
    """A fixtures folder with people and agents who know nobody, and what `extra` (YAML) declares."""
    (folder / "replies").mkdir(parents=True)
    (folder / "spaces.yaml").write_text("spaces: [{uid: test, default: true}]", encoding="utf-8")
    users = "\n".join(f"  - {{email: {email(n)}, display_name: User {n}}}" for n in range(USERS))
    agents = "\n".join(f"  - {{name: agent{n}, owner: {email(0)}, token: '{agent_token(n)}'}}" for n in range(AGENTS))
    (folder / "hashee.yaml").write_text(f"users:\n{users}\nagents:\n{agents}\n{extra}", encoding="utf-8")
    return folder


@dataclass
class Ear:
    """A socket, and what it has heard."""

    socket: ClientConnection
    heard: list[Json] = field(default_factory=list)

    async def say(self, frame: Json | str | bytes) -> None:
        await self.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    async def next(self, kind: str | None = None) -> Json:
        """The next frame; of that type, passing over others."""
        async with asyncio.timeout(PATIENCE):
            while True:
                frame: Json = json.loads(await self.socket.recv())
                self.heard.append(frame)
                if kind is None or frame["type"] == kind:
                    return frame

    async def closed(self) -> tuple[int, str]:
        """How the socket was closed; what came before is in `heard`."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    self.heard.append(json.loads(await self.socket.recv()))
            except ConnectionClosed:
                return self.socket.close_code or 0, self.socket.close_reason or ""

    async def quiet(self) -> list[Json]:
        """What has come up to now: the answer to a ping ends it."""
        await self.say({"type": "ping"})
        before = len(self.heard)
        await self.next("pong")
        return self.heard[before:-1]


@dataclass
class Person:
    """Somebody who is logged in, or an agent with its token."""

    server: LiveServer
    id: str
    token: str
    http: httpx.AsyncClient
    agent: bool = False

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """What an answer has under `data`; raises for a refusal."""
        answer = await self.http.request(method, path, json=body, **options)
        assert answer.status_code < 400, answer.text
        return answer.json()["data"]

    async def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str]:
        """The status and code of a refusal."""
        answer = await self.http.request(method, path, json=body, **options)
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        assert list(error) == ["code", "message", "i18n_key", "params"]
        return answer.status_code, error["code"]

    @asynccontextmanager
    async def listening(self, **query: str) -> AsyncIterator[Ear]:
        """A socket that is authenticated."""
        path = "/ws/agent" if self.agent else "/ws/human"
        asked = {"agent_id": self.id, **query} if self.agent else query
        async with opened(self.server, path, **asked) as ear:
            await ear.say({"type": "auth", "token": self.token} | ({"agent_id": self.id} if self.agent else {}))
            assert await ear.next() == {"type": "auth.ok"}
            yield ear
            # Whatever a test is about: all that it has heard is as documented.
            judge("hashee", query.get("profile", FIRST), "Frame", ear.heard)

    async def pair(self, other: Person) -> str:
        """The conversation with another user."""
        made = await self.call("POST", "/conversations", {"user_id": other.id})
        return str(made["conversation_id"])

    async def use(self, agent: Person) -> str:
        """The conversation with an agent."""
        made = await self.call("POST", f"/agents/{agent.id}/relation", {"referral_source": "invite_link"})
        return str(made["conversation"]["conversation_id"])

    async def send(self, conversation: str, payload: str = PAYLOAD, **fields: Any) -> Json:
        """Says something."""
        body = {"content_type": "text", "encrypted_payload": payload, **fields}
        if self.agent:
            path, body = f"/agents/{self.id}/messages", {**body, "conversation_id": conversation}
        else:
            path = f"/conversations/{conversation}/messages"
        sent: Json = await self.call("POST", path, body)
        return sent


@asynccontextmanager
async def opened(server: LiveServer, path: str, **query: str) -> AsyncIterator[Ear]:
    """A socket that has said nothing yet."""
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    async with connect(f"{server.ws}{path}?{asked}", compression=None, max_size=None, ping_interval=None) as socket:
        yield Ear(socket)


class Town:
    """A server, and people of it that no other test has met."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.clients: list[httpx.AsyncClient] = []

    def client(self) -> httpx.AsyncClient:
        made = httpx.AsyncClient(base_url=self.server.http, timeout=PATIENCE)
        self.clients.append(made)
        return made

    async def person(self, number: int | None = None) -> Person:
        """The next person (0 owns all agents), in a session of their own."""
        chosen = taken(self.server, "user") if number is None else number
        http = self.client()
        answer = await http.post("/auth/login", json={"email": email(chosen), "account_password": PASSWORD})
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        http.headers["Authorization"] = f"Bearer {data['access_token']}"
        return Person(self.server, data["user_id"], data["access_token"], http)

    async def owner(self) -> Person:
        """Who owns all agents."""
        return await self.person(0)

    def agent(self) -> Person:
        """The next agent."""
        number = taken(self.server, "agent")
        http = self.client()
        token = agent_token(number)
        http.headers["Authorization"] = f"Bearer {token}"
        return Person(self.server, uid("agent", f"agent{number}"), token, http, agent=True)

    @property
    def wire(self) -> HasheeWire:
        return next(wire for wire in self.server.program.wires if isinstance(wire, HasheeWire))

    async def on_loop(self, work: Callable[[], Any]) -> Any:
        """What a function gives on the server's own loop."""

        async def run() -> Any:
            return work()

        return await self.server.run(run())

    async def advance(self, seconds: float) -> None:
        """Moves the emulated clock, for servers whose time stands still."""
        await self.server.advance(seconds)

    async def pass_time(self, seconds: float) -> None:
        """As `advance`, in steps that let every socket answer the server's control pings."""
        while seconds > 0:
            await self.advance(min(seconds, 31))
            seconds -= 31
            async with asyncio.timeout(PATIENCE):
                while not await self.on_loop(self._all_alive):
                    await asyncio.sleep(0.01)

    def _all_alive(self) -> bool:
        now = self.server.program.stage.world.clock.monotonic()
        return all(
            socket.closing
            or not socket.principal
            or now - socket.heard_at < 30
            or (pongs(socket.websocket.scope) or 0) > socket.pongs
            for socket in self.wire.gateway.sockets
        )


_TAKEN: dict[tuple[int, str], int] = {}


def taken(server: LiveServer, kind: str) -> int:
    """A number that was not given before; 0 is the owner's."""
    key = (id(server), kind)
    _TAKEN[key] = number = _TAKEN.get(key, 0) + 1
    assert number < (USERS if kind == "user" else AGENTS), "declare more in write_cast"
    return number

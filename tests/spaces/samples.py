"""Spaces and turns for the store's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sqlalchemy import Connection, func, select

from app.spaces.database import Database
from app.spaces.models import ApiKey, Greeting, Memory, Scene, Space, SpaceSeed, Turn
from app.spaces.tables import turns

T = TypeVar("T")


def space(uid: str = "demo", **changes: Any) -> Space:
    values: dict[str, Any] = {
        "org_id": f"org_{uid}",
        "name": "데모",
        "credit": 1000,
        "credit_per_turn": 0,
        "return_voice": 1,
        "sentence_mode": True,
        "language": "ko",
        "model": "scripted",
        "graph": "companion",
        "prompt": "너는 친구야.",
        "default": False,
    }
    return Space(uid, **(values | changes))


def seed(uid: str = "demo", *keys: str, **changes: Any) -> SpaceSeed:
    return SpaceSeed(space(uid, **changes), tuple(ApiKey(key, True) for key in keys))


def memory(number: int = 1, **changes: Any) -> Memory:
    values: dict[str, Any] = {"uid": f"{number:017x}", "name": f"기억 {number}", "hotword": True}
    return Memory(**({"variants": (f"기억 {number}",)} | values | changes))


LORE: dict[str, Any] = {
    "greetings": (Greeting(1, "안녕하세요~"), Greeting(7, "또 오셨네요!")),
    "scenes": (Scene(1, "책방"), Scene(3, "등대지기", "바다")),
    "memories": (
        memory(1, entries=(("note", "튜베로즈"), ("a", "")), variants=("34", "34번가")),
        memory(2, hotword=False, text="여러\n줄 😀", long_term=True),
        memory(3, entries=()),
    ),
}
"""Something of everything that a space says and knows."""


def turn(began: int = 1, reply: str = "응, 안녕!", **changes: Any) -> Turn:
    values: dict[str, Any] = {"began": began, "user_id": "u1", "msg": "안녕", "reply": reply}
    return Turn(**(values | changes))


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits: no thread, no socket, no other task. Fails if it does wait."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    work.close()
    raise AssertionError("the coroutine waits")


class SlowAnswers:
    """Has a database read at once and answer only when `release` is set, so that something can happen in between."""

    def __init__(self, database: Database) -> None:
        self._read = database.read
        self.read = asyncio.Event()
        self.release = asyncio.Event()
        database.read = self._answer  # type: ignore[method-assign]

    async def _answer(self, work: Any, **options: Any) -> Any:
        answer: Any = await self._read(work, **options)
        self.read.set()
        await self.release.wait()
        return answer


async def count_turns(database: Database) -> int:
    def work(connection: Connection) -> int:
        return connection.scalar(select(func.count()).select_from(turns)) or 0

    return await database.read(work)

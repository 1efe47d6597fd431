"""Fixtures that change under a running server, and strict spaces, over a real socket."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from tests.live import DEMO_KEY, PATIENCE, LiveServer, Peer, sendmsg, talk, write_fixtures

TAKEN = "fixtures read again"
REFUSED = "the old ones stay"


class Told(logging.Handler):
    """The log lines about fixtures, to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Queue[str] = Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.put(record.getMessage())

    async def until(self, part: str) -> None:
        while part not in await asyncio.to_thread(self.lines.get, True, PATIENCE):
            pass


@contextmanager
def listening() -> Iterator[Told]:
    told, logger = Told(), logging.getLogger("app.fixtures")
    before = logger.level
    logger.addHandler(told)
    logger.setLevel(logging.INFO)
    try:
        yield told
    finally:
        logger.removeHandler(told)
        logger.setLevel(before)


def rewrite(folder: Path, replies: list[dict[str, Any]], **more: Any) -> None:
    """Saves the reply file as editors do: beside it, then by rename."""
    beside = folder / "replies" / ".saving"
    beside.write_text(json.dumps({"replies": replies, **more}, ensure_ascii=False), encoding="utf-8")
    beside.rename(folder / "replies" / "test.yaml")


async def said(peer: Peer, msg: str, **fields: Any) -> str:
    frames = await peer.turn(sendmsg(msg, no_save=1, **fields))
    return "".join(frame["msg"] for frame in frames if frame.get("status") == "stream")


async def test_a_change_holds_from_the_next_turn_on_and_a_bad_one_never(tmp_path: Path) -> None:
    folder = write_fixtures(tmp_path / "fixtures", replies=[{"when": {"msg": "a"}, "reply": "하나"}])
    with listening() as told, LiveServer(tmp_path / "data", fixtures=folder) as server:
        async with talk(server) as peer:
            assert await said(peer, "a") == "하나"
            rewrite(folder, [{"when": {"msg": "a"}, "reply": "둘"}])
            await told.until(TAKEN)
            assert await said(peer, "a") == "둘"
            rewrite(folder, [{"when": {"msg": "a"}, "reply": "셋"}, {"when": {"turn": 0}, "reply": "x"}])
            await told.until(REFUSED)
            await told.until("replies/test.yaml:1: when.turn: expected")
            assert await said(peer, "a") == "둘"
            rewrite(folder, [{"when": {"msg": "a"}, "reply": "넷"}])
            await told.until(TAKEN)
            assert await said(peer, "a") == "넷"


async def test_a_reply_under_way_goes_on_as_it_began(tmp_path: Path) -> None:
    slow = {"when": {"msg": "a"}, "tokens": ["하나", " 둘", " 셋"], "pace": {"first": 0, "per_second": 2}}
    folder = write_fixtures(tmp_path / "fixtures", replies=[slow])
    with listening() as told, LiveServer(tmp_path / "data", fixtures=folder) as server:
        async with talk(server) as peer:
            await peer.send(sendmsg("a", no_save=1))
            text = ""
            while not text:
                frame = await peer.receive()
                text += frame["msg"] if frame.get("status") == "stream" else ""
            rewrite(folder, [{"when": {"msg": "a"}, "reply": "새것"}])
            await told.until(TAKEN)
            while frame.get("status") != "END":
                frame = await peer.receive()
                text += frame["msg"] if frame.get("status") == "stream" else ""
            assert text == "하나 둘 셋"
            assert await said(peer, "a") == "새것"


async def test_changed_spaces_keep_their_balance_and_new_ones_open(tmp_path: Path) -> None:
    space = {"credit": 1000, "credit_per_turn": 100, "return_voice": 0}
    folder = write_fixtures(tmp_path / "fixtures", replies=[{"when": {"msg": "a"}, "reply": "네"}], space=space)
    with listening() as told, LiveServer(tmp_path / "data", fixtures=folder) as server:
        async with talk(server) as peer:
            await said(peer, "a")
            document = json.loads((folder / "spaces.yaml").read_text(encoding="utf-8"))
            document["spaces"][0] |= {"name": "다른 이름", "credit": 5}
            document["spaces"].append({"uid": "later", "api_keys": ["later-key"]})
            (folder / "spaces.yaml").write_text(json.dumps(document), encoding="utf-8")
            await told.until(TAKEN)
            assert await said(peer, "a", api_key="later-key") == "네"
            found = await server.run(server.engine.store.by_key(DEMO_KEY))
            assert found is not None
            assert (found[0].name, found[0].credit) == ("다른 이름", 900)


async def test_a_graph_that_is_not_there_is_refused_with_all_that_came_along(tmp_path: Path) -> None:
    folder = write_fixtures(tmp_path / "fixtures", replies=[{"when": {"msg": "a"}, "reply": "하나"}])
    with listening() as told, LiveServer(tmp_path / "data", fixtures=folder) as server:
        async with talk(server) as peer:
            other = write_fixtures(
                tmp_path / "other", replies=[{"when": {"msg": "a"}, "reply": "둘"}], space={"graph": "nowhere"}
            )
            folder.rename(tmp_path / "before")
            other.rename(folder)
            await told.until(REFUSED)
            while not told.lines.empty():
                told.lines.get()
            assert await said(peer, "a") == "하나"


async def test_a_server_that_does_not_watch_has_no_watcher(tmp_path: Path) -> None:
    folder = write_fixtures(tmp_path / "fixtures", replies=[])

    async def watchers() -> int:
        return sum(task.get_name() == "fixtures" for task in asyncio.all_tasks())

    with LiveServer(tmp_path / "one", fixtures=folder) as server:
        assert await server.run(watchers()) == 1
    with LiveServer(tmp_path / "two", fixtures=folder, watch=False) as server:
        assert await server.run(watchers()) == 0


@pytest.mark.parametrize(
    ("space", "settings"), [({"strict": True}, {}), ({}, {"strict": True})], ids=["the space", "the settings"]
)
async def test_a_strict_turn_that_nothing_answers_fails_in_the_flow_and_costs_nothing(
    tmp_path: Path, space: dict[str, Any], settings: dict[str, Any]
) -> None:
    charged = {"credit": 1000, "credit_per_turn": 100, **space}
    folder = write_fixtures(tmp_path / "fixtures", replies=[{"when": {"msg": "안녕"}, "reply": "네"}], space=charged)
    with LiveServer(tmp_path / "data", fixtures=folder, **settings) as server:
        async with talk(server) as peer:
            assert await said(peer, "안녕") == "네"
            frames = await peer.turn(sendmsg("안넝"))
            assert frames[0]["status"] == "START"
            assert frames[-1]["status"] == "END"
            told = [frame["msg"] for frame in frames if "no fixture matches" in str(frame.get("msg"))]
            assert told == [
                'no fixture matches msg "안넝"; nearest: replies/test.yaml:1 (msg: wanted "안녕", got "안넝")'
            ]
            found = await server.run(server.engine.store.by_key(DEMO_KEY))
            assert found is not None
            assert found[0].credit == 900

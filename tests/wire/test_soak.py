"""A minute of clients that connect, talk and vanish at random points, and what is left of them: nothing."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.live import Peer, sendmsg
from tests.test_program import running

CLIENTS = 100
SECONDS = 60.0


async def visit(address: str, dice: random.Random) -> None:
    """One client: says something, or nonsense, and leaves politely, rudely, at once, in mid-answer, or after the
    end.
    """
    revision = dice.choice(["2024-08-27", "2024-10-02", "2024-10-06", "2024-11-13"])
    async with connect(f"{address}?revision={revision}", compression=None, close_timeout=5) as websocket:
        peer = Peer(websocket)
        for _ in range(dice.randint(0, 3)):
            ask: Any = sendmsg(
                f"안녕 {dice.randint(0, 5)}. 오늘은 어떤 하루였는지 들려주세요.",
                room_uid=f"soak{dice.randint(0, 20)}",
                return_voice=dice.randint(0, 1),
            )
            await peer.send(dice.choice([ask, ask, ask, "nonsense", {"action": "status"}]))
        for _ in range(dice.randint(0, 60)):
            try:
                async with asyncio.timeout(0.5):
                    await websocket.recv()
            except TimeoutError:
                break
        if dice.random() < 0.5:
            websocket.transport.abort()


async def facts(address: str) -> dict[str, Any]:
    base = address.replace("ws://", "http://").rpartition("/v")[0]
    async with httpx.AsyncClient(timeout=10) as client:
        answer: dict[str, Any] = (await client.get(f"{base}/_emulator/health")).json()
        return answer


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_clients_that_vanish_leave_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as (process, address):
        await visit(address, random.Random(0))
        server = psutil.Process(process.pid)
        calm = await facts(address)
        loop = asyncio.get_running_loop()
        resident: list[int] = []

        async def client(number: int, until: float) -> int:
            dice = random.Random(number)
            visits = 0
            while loop.time() < until:
                try:
                    await visit(address, dice)
                except (ConnectionClosed, OSError):
                    continue
                visits += 1
            return visits

        for _ in range(2):
            until = loop.time() + SECONDS / 2
            visits = await asyncio.gather(*(client(number, until) for number in range(CLIENTS)))
            assert sum(visits) > CLIENTS
            async with asyncio.timeout(30):
                while (left := await facts(address))["connections"] or left["turns"] or left["voices"]:
                    await asyncio.sleep(0.05)
            resident.append(server.memory_info().rss)
        left = await facts(address)
        assert left["tasks"] <= calm["tasks"]
        assert resident[1] < resident[0] * 1.15, resident
        async with connect(address) as websocket:
            assert (await Peer(websocket).turn(sendmsg()))[-1]["status"] == "END"
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "Traceback" not in log

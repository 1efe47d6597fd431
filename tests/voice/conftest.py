"""Speakers for tests, and the proof that they leave nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.emulation.determinism import VirtualClock
from app.voice.speech import Speaker
from tests.voice.odd_engines import ONCE, PORT

MakeSpeaker = Callable[..., Awaitable[Speaker]]
Report = Callable[[], Awaitable[int]]
ODD = "tests.voice.odd_engines:Odd"


def children() -> set[int]:
    """Processes this one has started and that still are."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture
async def make_speaker() -> AsyncIterator[MakeSpeaker]:
    """Makes started speakers; closes them and checks that no process, task or thread of theirs is left."""
    before, threads = children(), set(threading.enumerate())
    made: list[Speaker] = []

    async def make(engine: str = "pyttsx3", **more: Any) -> Speaker:
        settings = {"workers": 1, "timeout": 10.0, "clock": VirtualClock(), **more}
        speaker = Speaker(engine=engine, **settings)
        made.append(speaker)
        await speaker.start()
        return speaker

    yield make
    for speaker in made:
        await speaker.close()
        assert speaker.busy == 0
        assert speaker.workers == ()
    assert children() <= before
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("voice")]
    left = [thread for thread in set(threading.enumerate()) - threads if not thread.name.startswith("asyncio_")]
    assert not [thread for thread in left if "waitpid" not in thread.name]


@pytest.fixture
async def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Report]:
    """Waits until an odd engine has come to its `report` and lets it go on; gives the process id of its worker."""
    arrived: asyncio.Queue[tuple[int, asyncio.StreamWriter]] = asyncio.Queue()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await arrived.put((int(await reader.readline()), writer))

    async def next_report() -> int:
        async with asyncio.timeout(20):
            pid, writer = await arrived.get()
        writer.close()
        await writer.wait_closed()
        return pid

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    monkeypatch.setenv(PORT, str(server.sockets[0].getsockname()[1]))
    monkeypatch.setenv(ONCE, str(tmp_path / "once"))
    yield next_report
    server.close()

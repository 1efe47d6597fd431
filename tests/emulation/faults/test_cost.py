"""What faults cost where there are none: one look at one attribute for a frame, one for a turn."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import app
from app.agent.faults import struck
from app.agent.runner import Happening
from app.emulation.determinism import Ids, RealClock, World
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Faults
from app.emulation.faults.store import StoreFaults
from app.emulation.journal import Journal
from app.emulation.lines import Event, Line, Lines
from tests.emulation.faults.written import rules


def traced(work: Callable[[], object]) -> list[str]:
    """The functions of the program that run, by file and name."""
    called: list[str] = []
    home = str(Path(app.__path__[0]).resolve()) + "/"

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(home):
            called.append(f"{code.co_filename.removeprefix(home)}:{code.co_name}")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return called


async def line_of(faults: Faults, sent: list[Event]) -> Line:
    async def receive() -> Event:
        await asyncio.Event().wait()
        return {}

    async def send(event: Event) -> None:
        sent.append(event)

    world = World()
    lines = Lines(world, Journal(clock=world.clock), faults)
    line = lines.open(
        {"path": "/v3/"},
        receive,
        send,
        wire="chldo",
        room="r",
        name=lambda ids: ids.hexadecimal(8),
        reader=dict.__str__,
    )
    await line.asgi_send({"type": "websocket.accept"})
    return line


def replied(line: Line) -> list[str]:
    """What runs for one frame."""
    reply = line.reply('{"status":"stream"}', None)

    def step() -> None:
        with pytest.raises(StopIteration):
            reply.send(None)

    return traced(step)


async def test_a_frame_meets_no_code_of_faults_where_none_is_in_force() -> None:
    faults = Faults()
    sent: list[Event] = []
    line = await line_of(faults, sent)
    quiet = replied(line)
    assert sent[-1] == {"type": "websocket.send", "text": '{"status":"stream"}'}
    assert not [name for name in quiet if "faults" in name]
    assert quiet.count("emulation/lines.py:reply") == 1
    assert quiet.count("emulation/lines.py:_out") == 1
    (live,) = faults.add(rules({"fault": "drop", "when": {"frame": "END"}}))
    assert [name for name in replied(line) if "faults" in name]
    faults.remove(live.id)
    assert replied(line) == quiet
    faults.add(
        rules({"fault": "hang"}, {"fault": "voice-late", "seconds": 1}, {"fault": "refuse"}, {"fault": "store-full"})
    )
    assert replied(line) == quiet, "rules for other places cost frames nothing"
    line.end()


async def test_a_request_and_a_turn_ask_once_for_each_place() -> None:
    sent: list[Event] = []
    line = await line_of(Faults(), sent)
    exchange = line.exchange(action="sendmsg")
    called = traced(lambda: exchange.strike(Place.TURN))
    assert [name for name in called if "faults" in name] == ["emulation/faults/live.py:at"]
    line.end()


async def test_the_happenings_of_a_turn_go_through_untouched() -> None:
    async def happenings() -> AsyncGenerator[Happening, None]:
        return
        yield

    source = happenings()
    assert struck(source, (), RealClock()) is source
    await source.aclose()


def test_an_operation_of_the_store_asks_once() -> None:
    troubles: Any = StoreFaults(Faults(), Ids(), Journal(clock=RealClock()))
    called = traced(lambda: troubles("read"))
    assert [name for name in called if "faults" in name] == [
        "emulation/faults/store.py:__call__",
        "emulation/faults/live.py:at",
    ]

"""Time that can be frozen, advanced and set; ids and dice that come out the same for the same seed."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.emulation.determinism import VIRTUAL_START, Ids, World, WorldClock

ROOT = Path(__file__).parent.parent.parent


def test_the_same_seed_gives_the_same_ids_in_another_process() -> None:
    code = (
        "from app.emulation.determinism import Ids; i = Ids.seeded(7).branch('chldo', 'room', 1); "
        "print(i.base62(25), i.uuid4(), i.connection_id(), i.hexadecimal(17), i.fraction())"
    )
    done = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
        for _ in range(2)
    ]
    assert done[0] == done[1] != ""


def test_branches_are_streams_of_their_own_whatever_the_others_draw() -> None:
    quiet, busy = Ids.seeded(1), Ids.seeded(1)
    for _ in range(50):
        busy.base62(9)
        busy.branch("other").uuid4()
    assert quiet.branch("a", 1).base62(25) == busy.branch("a", 1).base62(25)
    assert len({quiet.branch(*key).base62(25) for key in [("a",), ("a", 1), ("a/1",), ("a", "1/"), ("b",)]}) == 5


def test_without_a_seed_nothing_repeats() -> None:
    world = World()
    first, second = world.connection("w", "room"), world.connection("w", "room")
    assert first.ids.branch("x").base62(25) != second.ids.branch("x").base62(25)
    assert first.number == 0


async def test_a_virtual_clock_moves_by_hand_and_wakes_in_order() -> None:
    clock = WorldClock(virtual=True)
    assert clock.time() == VIRTUAL_START
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    sleepers = [asyncio.create_task(sleep(name, seconds)) for name, seconds in (("long", 100.0), ("short", 10.0))]
    await asyncio.sleep(0)
    await clock.advance(9.999)
    await asyncio.sleep(0.01)
    assert woken == []
    await clock.advance(0.001)
    await sleepers[1]
    assert woken == ["short"]
    await clock.advance(1000)
    await sleepers[0]
    assert clock.time() == VIRTUAL_START + 1010
    assert clock.monotonic() == 1010


async def test_a_frozen_clock_stands_still_until_it_runs_again() -> None:
    clock = WorldClock()
    before = clock.monotonic()
    sleeper = asyncio.create_task(clock.sleep(0.05))
    await asyncio.sleep(0)
    clock.freeze()
    stopped = clock.time(), clock.monotonic()
    began = time.monotonic()
    await asyncio.wait({sleeper}, timeout=0.2)
    assert not sleeper.done()
    assert (clock.time(), clock.monotonic()) == stopped
    clock.run()
    assert clock.monotonic() - stopped[1] < 0.1, "what passed while it stood is not made up for"
    await sleeper
    assert time.monotonic() - began >= 0.2
    assert clock.monotonic() >= before + 0.05


async def test_advancing_a_real_clock_cuts_pauses_short() -> None:
    clock = WorldClock()
    sleeper = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    at = clock.time()
    await clock.advance(3599)
    await asyncio.wait({sleeper}, timeout=0.05)
    assert not sleeper.done()
    await clock.advance(1)
    await asyncio.wait_for(sleeper, 1)
    assert 3600 <= clock.time() - at < 3605
    with pytest.raises(ValueError, match="not turned back"):
        await clock.advance(-1)


async def test_setting_the_clock_moves_the_calendar_and_no_pause() -> None:
    clock = WorldClock(virtual=True)
    sleeper = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    clock.set(1_800_000_000.0)
    assert clock.time() == 1_800_000_000.0
    clock.set(1_600_000_000.0)
    assert clock.time() == 1_600_000_000.0
    assert not sleeper.done()
    assert clock.monotonic() == 0
    sleeper.cancel()
    real = WorldClock(start=1_500_000_000.0)
    assert 1_500_000_000.0 <= real.time() < 1_500_000_001.0


async def test_a_cancelled_pause_leaves_nothing_behind() -> None:
    clock = WorldClock()
    sleeper = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    sleeper.cancel()
    await asyncio.wait({sleeper})
    clock.freeze()
    await clock.advance(7200)
    clock.run()


async def test_a_room_runs_ahead_by_its_own_pauses_only() -> None:
    world = World.seeded(3)
    one, other = world.connection("w", "one"), world.connection("w", "other")
    await one.clock.sleep(2.5)
    assert one.clock.time() == VIRTUAL_START + 2.5
    assert other.clock.time() == VIRTUAL_START
    assert world.connection("w", "one").clock.time() == VIRTUAL_START + 2.5, "the room's time, not the connection's"
    await world.clock.advance(10)
    assert other.clock.time() == VIRTUAL_START + 10
    world.clock.freeze()
    pause = asyncio.create_task(one.clock.sleep(1))
    await asyncio.wait({pause}, timeout=0.05)
    assert not pause.done(), "frozen means frozen"
    await world.clock.advance(1)
    await pause


async def test_a_frozen_room_goes_on_at_once_when_a_virtual_clock_runs_again() -> None:
    world = World.seeded(3)
    room = world.connection("w", "room").clock
    world.clock.freeze()
    pause = asyncio.create_task(room.sleep(4))
    waits = asyncio.create_task(world.clock.sleep(60))
    await asyncio.sleep(0)
    await world.clock.advance(1)
    world.clock.run()
    async with asyncio.timeout(5):
        await pause
    assert room.time() == VIRTUAL_START + 4, "what was left of the pause is the room's own"
    assert world.clock.time() == VIRTUAL_START + 1
    assert not waits.done(), "time itself moves by hand only"
    waits.cancel()


def test_forgetting_begins_anew() -> None:
    world = World.seeded(3)

    def draw(room: str) -> str:
        return world.connection("w", room).ids.base62(25)

    first = [draw("a"), draw("a"), draw("b")]
    assert world.turn("w", "a") == 1
    assert world.turn("w", "a") == 2
    world.forget("w", "a")
    assert world.turn("w", "a") == 1
    again = [draw("a"), draw("a")]
    assert again == first[:2]
    assert draw("b") != first[2], "another room was not forgotten"
    world.forget()
    assert [draw("a"), draw("a"), draw("b")] == first


def test_the_dice_are_fair() -> None:
    dice = Ids(random.Random(5))
    assert 0.45 < sum(dice.fraction() < 0.5 for _ in range(4000)) / 4000 < 0.55

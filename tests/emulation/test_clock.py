"""Time that is moved by hand: what falls due on the way happens, in its order, as with fake timers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import accumulate
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.emulation.determinism import Signal, TimeLine, WorldClock

Log = list[tuple[float, str]]


def frozen(**options: bool) -> WorldClock:
    clock = WorldClock(**options)
    clock.freeze()
    return clock


@pytest.mark.parametrize("make", [frozen, WorldClock, lambda: WorldClock(virtual=True)], ids=["frozen", "real", "seed"])
async def test_a_step_holds_all_the_pauses_that_fit_into_it(make: Callable[[], WorldClock]) -> None:
    """Ten tokens a second, a second further: ten tokens."""
    clock = make()
    began, at = clock.monotonic(), list[float]()

    async def stream() -> None:
        while True:
            await clock.sleep(0.1)
            at.append(round(clock.monotonic() - began, 1))

    task = asyncio.create_task(stream())
    await asyncio.sleep(0)
    await clock.advance(1)
    assert at == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    await clock.advance(0.05)
    assert len(at) == 10
    await clock.advance(0.05)
    assert len(at) == 11
    task.cancel()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=8), min_size=1, max_size=5),
    st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
def test_whatever_the_steps_pauses_end_in_the_order_of_their_moments(pauses: list[list[int]], steps: list[int]) -> None:
    async def run() -> tuple[Log, float]:
        clock = frozen()
        log: Log = []
        began = clock.monotonic()

        async def sleeper(name: str, own: list[int]) -> None:
            for pause in own:
                await clock.sleep(pause / 10)
                log.append((round(clock.monotonic() - began, 6), name))

        tasks = [asyncio.create_task(sleeper(f"{number}", own)) for number, own in enumerate(pauses)]
        await asyncio.sleep(0)
        for step in steps:
            await clock.advance(step / 10)
        now = round(clock.monotonic() - began, 6)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return log, now

    log, now = asyncio.run(run())
    assert now == round(sum(steps) / 10, 6)
    assert [at for at, _ in log] == sorted(at for at, _ in log)
    due = [round(end / 10, 6) for own in pauses for end in accumulate(own) if end <= sum(steps)]
    assert [at for at, _ in log] == sorted(due)


async def test_what_a_step_sets_going_is_part_of_it() -> None:
    clock, log = frozen(), Log()
    began = clock.monotonic()

    async def branch(name: str, pause: float, then: Callable[[], Awaitable[object]] | None = None) -> None:
        await clock.sleep(pause)
        log.append((round(clock.monotonic() - began, 3), name))
        if then is not None:
            await then()

    async def fork() -> None:
        children = [asyncio.create_task(branch(name, pause)) for name, pause in (("late", 4), ("soon", 1))]
        await asyncio.gather(*children)

    task = asyncio.create_task(branch("first", 2, fork))
    await asyncio.sleep(0)
    await clock.advance(10)
    assert log == [(2, "first"), (3, "soon"), (6, "late")]
    await task


async def test_what_takes_real_time_between_two_pauses_loses_no_moment() -> None:
    clock, at = frozen(), list[float]()
    began = clock.monotonic()

    async def deliver() -> None:
        for pause in (1, 5, 30):
            await clock.sleep(pause)
            with clock.working():
                await asyncio.to_thread(lambda: None)
            at.append(round(clock.monotonic() - began, 3))

    task = asyncio.create_task(deliver())
    await asyncio.sleep(0)
    await clock.advance(100)
    assert at == [1, 6, 36]
    await task


async def test_nobody_outside_can_hold_up_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.emulation.world_clock.SETTLE_TIMEOUT", 0.05)
    clock, never = frozen(), asyncio.Event()

    async def wait() -> None:
        await clock.sleep(1)
        await never.wait()

    task, other = asyncio.create_task(wait()), asyncio.create_task(clock.sleep(3))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await clock.advance(5)
    assert other.done()
    task.cancel()


async def test_a_long_step_stops_for_what_is_due_and_not_for_every_look() -> None:
    clock, seen = frozen(), list[float]()
    began = clock.monotonic()
    ends = [1000.0, 2000.0, 2000.5, 10_000_000.0]

    async def watch() -> None:
        while True:
            await clock.look(0.25, lambda: min((began + end for end in ends), default=inf))
            now = clock.monotonic() - began
            seen.append(round(now, 3))
            ends[:] = [end for end in ends if end > now + 1e-3]

    task = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await clock.advance(2_600_000)  # a month
    assert seen == [1000, 2000, 2000.5, 2_600_000]
    task.cancel()


async def test_one_who_looks_in_vain_holds_nothing_up() -> None:
    clock, looks = frozen(), list[float]()

    async def watch() -> None:
        overdue = clock.monotonic() + 1
        while True:
            await clock.look(0.25, lambda: overdue)
            looks.append(clock.monotonic())

    task = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await clock.advance(5)
    assert len(looks) == 2, "when it is due, and at the end"
    task.cancel()


async def test_two_steps_at_once_come_one_after_the_other() -> None:
    clock, at = frozen(), list[float]()
    began = clock.monotonic()

    async def stream() -> None:
        while True:
            await clock.sleep(1)
            at.append(round(clock.monotonic() - began, 6))

    task = asyncio.create_task(stream())
    await asyncio.sleep(0)
    await asyncio.gather(clock.advance(2.5), clock.advance(2.5))
    assert at == [1, 2, 3, 4, 5]
    task.cancel()


async def test_a_step_that_is_given_up_has_been_made_all_the_same() -> None:
    clock = frozen()
    began, sleeper = clock.monotonic(), asyncio.create_task(clock.sleep(7))
    await asyncio.sleep(0)
    step = clock.advance(10)
    await asyncio.sleep(0)
    step.cancel()
    await asyncio.wait({step})
    assert clock.monotonic() - began == 10
    await sleeper


async def test_the_pauses_of_a_room_are_held_and_fit_into_a_step_too() -> None:
    clock = frozen(virtual=True)
    room, at = TimeLine(clock), list[float]()

    async def stream() -> None:
        for _ in range(30):
            await room.sleep(0.1)
            at.append(round(room.monotonic(), 1))

    task = asyncio.create_task(stream())
    await asyncio.sleep(0)
    await clock.advance(1)
    assert at == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert room.ahead == 0
    clock.run()
    await task
    assert round(room.monotonic(), 1) == 3.0


@pytest.mark.parametrize("make", [frozen, WorldClock, lambda: TimeLine(frozen(virtual=True))])
async def test_a_signal_ends_a_pause_which_then_has_taken_no_time(make: Callable[[], WorldClock | TimeLine]) -> None:
    clock, enough = make(), Signal()
    before = clock.monotonic()
    pause = asyncio.create_task(clock.sleep(3600, unless=enough))
    await asyncio.sleep(0)
    assert not pause.done()
    enough.set()
    async with asyncio.timeout(10):
        await pause
        await clock.sleep(3600, unless=enough)
    assert clock.monotonic() - before < 60

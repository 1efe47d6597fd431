"""A time limit that interrupts the waiting and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from app.agent.deadline import TimeUp, within


async def numbers(*, then: asyncio.Event | None = None) -> AsyncIterator[int]:
    for number in range(3):
        yield number
    if then is not None:
        await then.wait()


async def test_what_ends_in_time_comes_whole() -> None:
    assert [number async for number in within(10, numbers())] == [0, 1, 2]


async def test_waiting_too_long_for_the_next_item_is_time_up() -> None:
    seen: list[int] = []

    async def read() -> None:
        async for number in within(0.05, numbers(then=asyncio.Event())):
            seen.append(number)

    with pytest.raises(TimeUp):
        await read()
    assert seen == [0, 1, 2]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_reader_that_is_slow_itself_is_not_cancelled_in_its_own_work() -> None:
    worked = False

    async def read() -> None:
        nonlocal worked
        async for _ in within(0.01, numbers()):
            await asyncio.sleep(0.05)
            worked = True

    with pytest.raises(TimeUp):
        await read()
    assert worked


async def test_a_cancelled_reader_stays_cancelled() -> None:
    async def read() -> None:
        async with aclosing(within(10, numbers(then=asyncio.Event()))) as limited:
            async for _ in limited:
                pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

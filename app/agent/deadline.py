"""A time limit for an async iterator that is itself read by a generator.

`asyncio.timeout` around a loop that yields would cancel whatever the reader is doing when the time is up. This one
interrupts only the waiting for the next item, and costs next to nothing for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

T = TypeVar("T")

_END: Any = object()


class TimeUp(Exception):
    """The time is up. `seconds` is how much there was."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took longer than {seconds:g} s")
        self.seconds = seconds


async def within(seconds: float, items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """`items` as they come; raises `TimeUp` when they do not end within `seconds` of the first step."""
    task = asyncio.current_task()
    assert task is not None
    waiting = up = interrupted = False

    def ring() -> None:
        nonlocal up, interrupted
        up = True
        if waiting:
            interrupted = True
            task.cancel()

    alarm = asyncio.get_running_loop().call_later(seconds, ring)
    try:
        while True:
            waiting = True
            try:
                item = await anext(items, _END)
            except BaseException:
                # Whatever the source makes of the interruption, the time is up; a cancellation from elsewhere goes on.
                if interrupted and task.uncancel() == 0:
                    raise TimeUp(seconds) from None
                raise
            finally:
                waiting = False
            if up:
                if interrupted:
                    task.uncancel()
                raise TimeUp(seconds)
            if item is _END:
                return
            yield item
    finally:
        alarm.cancel()

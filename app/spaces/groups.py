"""Group commit: whoever waits to write shares one transaction with everybody else who waits."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from app.spaces.failures import QueueFull, StoreClosed, StoreFailure

log = logging.getLogger("app.spaces")

Item = TypeVar("Item")
Result = TypeVar("Result")

Write = Callable[[Connection, Sequence[Item]], Sequence[Result]]
"""Writes the items in an open transaction, one result for each. Runs in the database's thread, again on a retry."""


class _Place(Generic[Item, Result]):
    """One item in the queue and the future of its result; a cancelled future means that nobody waits any more."""

    __slots__ = ("item", "result", "undo")

    def __init__(
        self, item: Item, result: asyncio.Future[Result], undo: Callable[[Result], Item | None] | None = None
    ) -> None:
        self.item = item
        self.result = result
        self.undo = undo


class GroupCommit(Generic[Item, Result]):
    """A queue whose waiting items are written together, one transaction at a time.

    What waits while a transaction commits goes into the next, so under load the cost of a commit is shared and an item
    alone waits for nobody. A writing task lives as long as anything waits; `close()` sees it to its end.

    `begun` hears which items a transaction is about to hold; `ended` hears what was written and with which results,
    None if that failed. Both are called on the event loop, `ended` before those who wait go on.
    """

    def __init__(
        self,
        transact: Callable[[Callable[[Connection], list[Result]]], Awaitable[list[Result]]],
        write: Write[Item, Result],
        *,
        bound: int,
        begun: Callable[[Sequence[Item]], None] = lambda items: None,
        ended: Callable[[Sequence[Item], Sequence[Result] | None], None] = lambda items, results: None,
    ) -> None:
        self._transact = transact
        self._write = write
        self._bound = bound
        self._begun = begun
        self._ended = ended
        self._waiting: deque[_Place[Item, Result]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    async def add(self, item: Item, *, undo: Callable[[Result], Item | None] | None = None) -> Result:
        """Returns once a commit holds the item. Cancelled before its transaction starts, it leaves nothing; later, it
        is written all the same, and then what `undo` makes of its result.

        Raises `QueueFull`, `StoreClosed`, or the `StoreFailure` that the transaction ended with.
        """
        if self._closed:
            raise StoreClosed("the store is closed")
        if len(self._waiting) >= self._bound:
            raise QueueFull(f"{self._bound} writes wait for the store already")
        place: _Place[Item, Result] = _Place(item, asyncio.get_running_loop().create_future(), undo)
        self._waiting.append(place)
        if self._writer is None:
            self._writer = asyncio.create_task(self._drain(), name="store-writer")
        return await place.result

    async def close(self) -> None:
        """Takes nothing more and returns when everything that waits is committed or refused."""
        self._closed = True
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def _drain(self) -> None:
        batch: list[_Place[Item, Result]] = []
        try:
            while self._waiting:
                batch = [place for place in self._waiting if not place.result.done()]
                self._waiting.clear()
                if batch:
                    await self._commit(batch)
        finally:
            self._writer = None
            for place in (*batch, *self._waiting):
                if not place.result.done():
                    place.result.set_exception(StoreClosed("the store stopped before this was written"))
            self._waiting.clear()

    async def _commit(self, batch: list[_Place[Item, Result]]) -> None:
        written = batch

        def work(connection: Connection) -> list[Result]:
            nonlocal written
            # Those who left before this attempt leave nothing behind.
            written = [place for place in batch if not place.result.cancelled()]
            return list(self._write(connection, [place.item for place in written])) if written else []

        self._begun([place.item for place in batch])
        failure: StoreFailure | None = None
        results: list[Any] | None = None
        try:
            results = await self._transact(work)
        except StoreFailure as caught:
            failure = caught
        finally:
            try:
                self._ended([place.item for place in written], results)
            except Exception:
                log.exception("what was written could not be told")  # it is written all the same, and more will be
        for number, place in enumerate(written):
            if place.result.done():
                if results is not None and place.undo is not None:
                    self._take_back(place.undo(results[number]))
            elif results is not None:
                place.result.set_result(results[number])
            elif failure is not None:
                place.result.set_exception(failure)

    def _take_back(self, item: Item | None) -> None:
        """Queues what undoes an item nobody waits for any more; nobody waits for this either."""
        if item is None:
            return
        unheard = asyncio.get_running_loop().create_future()
        unheard.add_done_callback(lambda result: result.cancelled() or result.exception())
        self._waiting.append(_Place(item, unheard))

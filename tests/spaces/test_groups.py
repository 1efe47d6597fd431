"""Group commit against a database that commits when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest
from sqlalchemy import Connection

from app.spaces.failures import QueueFull, StoreClosed, StoreFailure, TransactionFailed
from app.spaces.groups import GroupCommit


class Commits:
    """Stands in for the database. Each transaction waits for `gate`; `outcomes` says how the coming ones end."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Event()
        self.rows: list[list[str]] = []
        self.outcomes: list[StoreFailure | str] = []
        self.ended: list[tuple[list[str], list[str] | None]] = []
        self.group: GroupCommit[str, str] = GroupCommit(
            self.transact, self.write, bound=5, ended=lambda items, results: self.note(items, results)
        )

    async def transact(self, work: Callable[[Connection], list[str]]) -> list[str]:
        self.started.set()
        outcome = self.outcomes.pop(0) if self.outcomes else "commit"
        if outcome == "rolled back once":
            work(cast("Connection", None))
            self.rows.clear()
        await self.gate.wait()
        if isinstance(outcome, StoreFailure):
            raise outcome
        return work(cast("Connection", None))

    def write(self, connection: Connection, items: Sequence[str]) -> list[str]:
        self.rows.append(list(items))
        return [item.upper() for item in items]

    def note(self, items: Sequence[str], results: Sequence[str] | None) -> None:
        self.ended.append((list(items), None if results is None else list(results)))

    def add(self, *items: str) -> list[asyncio.Task[str]]:
        return [asyncio.create_task(self.group.add(item)) for item in items]


async def test_what_waits_together_is_written_together() -> None:
    commits = Commits()
    assert await asyncio.gather(*commits.add("a", "b", "c")) == ["A", "B", "C"]
    assert commits.rows == [["a", "b", "c"]]


async def test_what_comes_during_a_commit_goes_into_the_next_one() -> None:
    commits = Commits()
    commits.gate.clear()
    first = commits.add("a")
    await commits.started.wait()
    rest = commits.add("b", "c")
    await asyncio.sleep(0)
    commits.gate.set()
    await asyncio.gather(*first, *rest)
    assert commits.rows == [["a"], ["b", "c"]]


async def test_one_that_leaves_while_it_waits_is_not_written() -> None:
    commits = Commits()
    commits.gate.clear()
    (first,) = commits.add("a")
    await commits.started.wait()
    gone, stays = commits.add("b", "c")
    await asyncio.sleep(0)
    gone.cancel()
    commits.gate.set()
    assert [await first, await stays] == ["A", "C"]
    assert gone.cancelled()
    assert commits.rows == [["a"], ["c"]]


async def test_one_that_leaves_during_its_commit_is_written_all_the_same() -> None:
    commits = Commits()
    (task,) = commits.add("a")
    original = commits.write

    def write(connection: Connection, items: Sequence[str]) -> list[str]:
        task.cancel()
        return original(connection, items)

    commits.group._write = write
    with pytest.raises(asyncio.CancelledError):
        await task
    await commits.group.close()
    assert commits.rows == [["a"]]
    assert commits.ended == [(["a"], ["A"])]


async def test_one_that_leaves_between_two_tries_is_not_written() -> None:
    commits = Commits()
    commits.gate.clear()
    commits.outcomes = ["rolled back once"]
    gone, stays = commits.add("a", "b")
    await commits.started.wait()
    gone.cancel()
    await asyncio.sleep(0)
    commits.gate.set()
    assert await stays == "B"
    assert commits.rows == [["b"]]
    assert commits.ended == [(["b"], ["B"])]


async def test_a_failure_reaches_everybody_in_the_batch_and_nobody_else() -> None:
    commits = Commits()
    commits.outcomes = [TransactionFailed("disk is full")]
    results = await asyncio.gather(*commits.add("a", "b"), return_exceptions=True)
    assert [str(result) for result in results] == ["disk is full"] * 2
    assert commits.ended == [(["a", "b"], None)]
    assert await commits.group.add("c") == "C"


async def test_the_queue_is_bounded() -> None:
    commits = Commits()
    results = await asyncio.gather(*commits.add(*"abcdefg"), return_exceptions=True)
    assert results[:5] == list("ABCDE")
    assert [type(result) for result in results[5:]] == [QueueFull] * 2
    assert await commits.group.add("h") == "H"


async def test_close_writes_what_waits_and_takes_no_more() -> None:
    commits = Commits()
    commits.gate.clear()
    tasks = commits.add("a", "b")
    await commits.started.wait()
    tasks += commits.add("c")
    await asyncio.sleep(0)
    closing = asyncio.create_task(commits.group.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreClosed):
        await commits.group.add("d")
    assert not closing.done()
    commits.gate.set()
    await closing
    assert await asyncio.gather(*tasks) == ["A", "B", "C"]


async def test_a_fault_of_the_program_leaves_nobody_waiting() -> None:
    commits = Commits()

    def write(connection: Connection, items: Sequence[str]) -> list[str]:
        raise ZeroDivisionError

    original, commits.group._write = commits.group._write, write
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context["exception"]))
    with pytest.raises(StoreClosed):
        await commits.group.add("a")
    commits.group._write = original
    assert await commits.group.add("b") == "B"


async def test_what_undoes_an_abandoned_item_is_written_next() -> None:
    commits = Commits()
    original = commits.write

    def write(connection: Connection, items: Sequence[str]) -> list[str]:
        task.cancel()
        return original(connection, items)

    commits.group._write = write
    task = asyncio.create_task(commits.group.add("a", undo=lambda result: f"undo {result}"))
    await asyncio.gather(task, return_exceptions=True)
    await commits.group.close()
    assert commits.rows == [["a"], ["undo A"]]


async def test_no_task_is_left_when_nothing_waits() -> None:
    commits = Commits()
    await asyncio.gather(*commits.add("a", "b"))
    await commits.group.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_breaks_after_a_commit_stops_nothing() -> None:
    commits = Commits()

    def broken(items: Sequence[str], results: Sequence[str] | None) -> None:
        raise ValueError("told wrong")

    commits.note = broken  # type: ignore[method-assign]
    assert await asyncio.gather(*commits.add("a")) == ["A"]
    assert await asyncio.gather(*commits.add("b")) == ["B"]

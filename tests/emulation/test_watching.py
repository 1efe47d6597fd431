"""Watching a fixtures folder: what is noticed, what is not, and what is left behind."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.emulation import watching
from app.emulation.determinism import RealClock
from app.emulation.faults.live import Faults
from app.emulation.fixtures import Fixtures, load_fixtures
from app.emulation.replies import LiveBook, ReplyAsk
from app.emulation.watching import FixtureWatch, LiveFixtures, NotAccepted, digest
from tests.live import PATIENCE, write_fixtures

ASK = ReplyAsk("a")


def written(folder: Path, reply: str) -> Path:
    return write_fixtures(folder, replies=[{"when": {"msg": "a"}, "reply": reply}])


def script(folder: Path) -> Path:
    return folder / "replies" / "test.yaml"


class Watched:
    """A folder under watch; `next` waits for a call of `changed` and gives what the files then say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: asyncio.Queue[str] = asyncio.Queue()

    async def changed(self) -> None:
        try:
            self.calls.put_nowait(load_fixtures(self.folder).replies.match(ASK).text or "")
        except Exception as error:  # noqa: BLE001 - the test reads what it was
            self.calls.put_nowait(type(error).__name__)

    async def until(self, text: str) -> list[str]:
        """Waits until the files say `text`, and gives all that they said on the way."""
        seen: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while text not in seen:
                seen.append(await self.calls.get())
        return seen


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watched]:
    held = Watched(folder)
    watch = FixtureWatch(folder, seen=digest(folder), clock=RealClock(), changed=held.changed)
    task = asyncio.create_task(watch.run())
    try:
        yield held
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_change_between_the_first_reading_and_the_watch_is_noticed(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "old")
    async with watched(folder) as held:
        script(folder).write_text("default: {reply: new}", encoding="utf-8")
        assert await held.until("new") == ["new"]


async def test_every_way_of_saving_is_noticed(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "old")
    async with watched(folder) as held:
        script(folder).write_text("default: {reply: in place}", encoding="utf-8")
        await held.until("in place")
        beside = folder / "replies" / ".test.yaml.swp"
        beside.write_text("default: {reply: renamed}", encoding="utf-8")
        beside.rename(script(folder))
        await held.until("renamed")
        (folder / "replies" / "a.json").write_text('{"default": {"reply": "another"}}', encoding="utf-8")
        await held.until("another")
        (folder / "replies" / "a.json").unlink()
        await held.until("renamed")


async def test_a_folder_that_is_replaced_by_rename_stays_watched(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "old")
    other = written(tmp_path / "next", "new")
    async with watched(folder) as held:
        folder.rename(tmp_path / "before")
        other.rename(folder)
        assert "old" not in await held.until("new")
        script(folder).write_text("default: {reply: newer}", encoding="utf-8")
        await held.until("newer")
        shutil.rmtree(folder / "replies")
        await held.until("a")  # the built-in echo
        (folder / "replies").mkdir()
        script(folder).write_text("default: {reply: newest}", encoding="utf-8")
        await held.until("newest")


async def test_a_folder_that_vanishes_and_comes_back_stays_watched(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "old")
    async with watched(folder) as held:
        shutil.rmtree(folder)
        await held.until("FixtureError")
        written(folder, "back")
        await held.until("back")


async def test_a_link_that_leads_elsewhere_is_noticed(tmp_path: Path) -> None:
    written(tmp_path / "one", "one")
    written(tmp_path / "two", "two")
    link = tmp_path / "f"
    link.symlink_to(tmp_path / "one")
    async with watched(link) as held:
        fresh = tmp_path / "fresh"
        fresh.symlink_to(tmp_path / "two")
        fresh.rename(link)
        await held.until("two")


async def test_what_changes_nothing_calls_nobody(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "old")
    async with watched(folder) as held:
        script(folder).touch()
        (tmp_path / "beside.txt").write_text("x", encoding="utf-8")
        (folder / "replies" / "notes.txt").write_text("x", encoding="utf-8")
        (folder / "replies" / ".hidden.yaml").write_text("x", encoding="utf-8")
        script(folder).write_text("default: {reply: new}", encoding="utf-8")
        assert await held.until("new") == ["new"]
        assert held.calls.empty()


async def test_a_watch_that_is_closed_leaves_no_task_behind(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "old")
    async with watched(folder) as held:
        script(folder).write_text("default: {reply: new}", encoding="utf-8")
        await held.until("new")
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_loop_that_ends_takes_the_threads_of_its_watch_along(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "old")
    before = set(threading.enumerate())

    async def live() -> None:
        async with watched(folder) as held:
            script(folder).write_text("default: {reply: new}", encoding="utf-8")
            await held.until("new")

    asyncio.run(live())
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(PATIENCE)
    assert not [thread for thread in left if thread.is_alive()]


async def test_a_system_that_cannot_watch_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(*_: object, **__: object) -> AsyncIterator[None]:
        raise OSError(28, "no space for another watch")
        yield

    monkeypatch.setattr(watching, "awatch", refuse)
    folder = written(tmp_path / "f", "old")
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(PATIENCE):
            await FixtureWatch(folder, seen=digest(folder), clock=RealClock(), changed=Watched(folder).changed).run()
    (told,) = caplog.messages
    assert "needs a restart" in told


def test_a_digest_knows_contents_and_names(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "old")
    first = digest(folder)
    assert digest(written(tmp_path / "same", "old")) == first
    script(folder).rename(folder / "replies" / "other.yaml")
    assert digest(folder) != first
    assert digest(tmp_path / "nowhere") == digest(tmp_path / "nobody")


async def accept(fixtures: Fixtures) -> None:
    if fixtures.spaces[0].space.graph == "missing":
        raise NotAccepted("no such graph")


async def test_a_reading_swaps_the_book_whole_or_not_at_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = written(tmp_path / "f", "old")
    book = LiveBook(load_fixtures(folder).replies)
    live = LiveFixtures(folder, strict=True, book=book, faults=Faults(), accept=accept)
    script(folder).write_text("default: {reply: new}\nreplies: [{when: {turn: 0}, reply: x}]", encoding="utf-8")
    assert not await live.reload()
    assert any("replies/test.yaml:2: when.turn: expected" in line for line in caplog.messages)
    assert book.current.match(ASK).text == "old"
    script(folder).write_text("default: {reply: new}", encoding="utf-8")
    assert await live.reload()
    assert book.current.match(ASK).text == "new"
    assert book.current.answer(ASK) is None
    kept = book.current
    (folder / "spaces.yaml").write_text("spaces: [{uid: a, default: true, graph: missing}]", encoding="utf-8")
    assert not await live.reload()
    assert caplog.messages[-1].endswith("the old ones stay: no such graph")
    assert book.current is kept

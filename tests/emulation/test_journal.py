"""The journal in memory: its bounds, queries, waits and feeds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from app.emulation import journal as journals
from app.emulation.determinism import VirtualClock
from app.emulation.journal import KINDS, OVERHEAD, Entry, Journal, Query, TooManyFollowers

KEY = "d4a3653a4ba72d6e04a293"


def journal(**bounds: int) -> Journal:
    kept = Journal(clock=VirtualClock(1000.0), **bounds)
    kept.readers = dict.fromkeys(("", "w", "w1", "w2"), status)
    return kept


def status(body: Mapping[str, Any]) -> str:
    return str(body.get("status", ""))


def seqs(entries: list[Entry]) -> list[int]:
    return [entry.seq for entry in entries]


def test_an_entry_tells_when_where_and_what() -> None:
    kept = journal()
    kept.write("out", wire="w", connection="c", room="r", turn=2, text='{"status":"END"}')
    told = kept.find(Query())[0].plain()
    assert told.pop("mono") > 0
    assert told == {
        "seq": 1,
        "kind": "out",
        "at": 1000.0,
        "wire": "w",
        "connection": "c",
        "room": "r",
        "turn": 2,
        "type": "END",
        "bytes": 16,
        "text": '{"status":"END"}',
    }


def test_details_stand_beside_and_are_asked_for_when_they_are_shown() -> None:
    kept = journal()
    asked: list[int] = []

    def explain() -> Mapping[str, Any]:
        asked.append(1)
        return {"matched": True, "source": "replies/a.yaml:3"}

    kept.write("match", detail=explain)
    assert asked == []
    told = kept.find(Query())[0].plain()
    assert (told["matched"], told["source"], "text" in told) == (True, "replies/a.yaml:3", False)


def test_the_clock_of_an_entry_may_be_a_rooms_own() -> None:
    kept = journal()
    kept.write("out", text="x", clock=VirtualClock(5.0))
    assert kept.find(Query())[0].at == 5.0


def test_bytes_are_those_on_the_wire_and_a_type_needs_json() -> None:
    kept = journal()
    for text in ('{"status":"가"}', "no json", "[1]", '{"status"', "half \ud83d"):
        kept.write("out", text=text)
    told = [entry.plain() for entry in kept.find(Query())]
    assert [(one["type"], one["bytes"]) for one in told] == [("가", 16), ("", 7), ("", 3), ("", 9), ("", 8)]


def test_the_oldest_go_when_there_are_too_many() -> None:
    kept = journal(most=3)
    for number in range(5):
        kept.write("in", text=str(number))
    assert seqs(kept.find(Query())) == [3, 4, 5]
    assert (len(kept), kept.last, kept.dropped) == (3, 5, 2)


def test_the_oldest_go_when_they_take_too_much() -> None:
    kept = journal(size=3 * (OVERHEAD + 100))
    for _ in range(4):
        kept.write("in", text="x" * 100)
    assert (len(kept), kept.bytes) == (3, 3 * (OVERHEAD + 100))
    kept.write("in", text="가" * 100)
    assert kept.bytes <= 3 * (OVERHEAD + 100)
    assert seqs(kept.find(Query()))[-1] == 5


def test_an_entry_that_is_too_large_alone_is_not_kept() -> None:
    kept = journal(size=OVERHEAD + 10)
    kept.write("in", text="x" * 11)
    assert (len(kept), kept.bytes, kept.dropped, kept.last) == (0, 0, 1, 1)
    kept.write("in", text="x" * 10)
    assert len(kept) == 1


def test_a_journal_of_no_entries_keeps_none_and_says_so() -> None:
    kept = journal(most=0)
    assert not kept.enabled
    heard: list[Entry] = []
    kept.sinks.append(heard.append)
    assert kept.enabled
    kept.write("in", text="x")
    assert (len(kept), len(heard)) == (0, 1)


def test_numbers_count_on_after_a_clear() -> None:
    kept = journal()
    kept.write("in", text="a")
    assert kept.clear() == 1
    assert (len(kept), kept.bytes) == (0, 0)
    kept.write("in", text="b")
    assert seqs(kept.find(Query())) == [2]
    assert kept.missed_after(0) == 1


def filled() -> Journal:
    kept = journal()
    for number, kind in enumerate(KINDS[:9]):  # those that the expectations below number
        kept.write(
            kind,
            wire="w1" if number % 2 else "w2",
            connection=f"c{number % 3}",
            room=f"r{number % 4}",
            turn=number or None,
            text=None if kind in ("match", "http") else f'{{"status":"S{number}","msg":"안녕 {number}"}}',
            detail={"source": f"replies/{number}.yaml"} if kind in ("match", "fault") else None,
        )
    return kept


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (Query(kind=frozenset(("in", "out"))), [3, 4]),
        (Query(connection="c1"), [2, 5, 8]),
        (Query(room="r3"), [4, 8]),
        (Query(wire="w1"), [2, 4, 6, 8]),
        (Query(type="S3"), [4]),
        (Query(turn=4), [5]),
        (Query(after=7), [8, 9]),
        (Query(text="안녕 2"), [3]),
        (Query(text='"status":"S4"'), [5]),
        (Query(text="replies/7.yaml"), [8]),
        (Query(text="nowhere"), []),
        (Query(wire="w1", room="r3", connection="c0"), [4]),
        (Query(wire="w1", room="r3", connection="c2"), []),
    ],
)
async def test_a_query_means_those_for_which_all_of_it_holds(query: Query, found: list[int]) -> None:
    kept = filled()
    assert seqs(kept.find(query)) == found
    assert seqs(await kept.search(query)) == found


async def test_the_first_ones_or_the_last_ones_oldest_first() -> None:
    kept = filled()
    for some in (kept.find(Query(), limit=2), await kept.search(Query(), limit=2)):
        assert seqs(some) == [1, 2]
    for some in (kept.find(Query(), limit=2, newest=True), await kept.search(Query(), limit=2, newest=True)):
        assert seqs(some) == [8, 9]
    assert kept.find(Query(), limit=0) == []


def test_text_is_found_in_what_is_said_however_it_is_written() -> None:
    kept = journal()
    kept.write("out", text=r'{"msg":"\uc548\ub155 \ud83d\ude00"}')
    assert len(kept.find(Query(text="안녕 😀"))) == 1
    assert len(kept.find(Query(text=r"\uc548"))) == 1


def test_a_search_cannot_guess_what_is_redacted() -> None:
    kept = journal()
    kept.write("in", text=f'{{"api_key":"{KEY}"}}', detail={"query": f"api_key={KEY}", "token": "s3cret-token"})
    for wanted in (KEY, KEY[:12], "s3cret", r"\ud"):
        assert kept.find(Query(text=wanted)) == [], wanted
    kept.clear()
    kept.write("in", text=f'{{"api_key":"{KEY}"}}')
    for wanted in (KEY[:2], f"{KEY[:2]}…", "api_key"):
        assert len(kept.find(Query(text=wanted))) == 1, wanted


def test_what_is_shown_has_no_key_in_it() -> None:
    kept = journal()
    kept.write("in", text=f'{{"api_key":"{KEY}","org_id":"org_secret","n":{{"token":"abcdef"}}}}')
    kept.write("http", detail={"query": f"Signature=abcdefgh&api_key={KEY}", "authorization": f"Bearer {KEY}"})
    kept.write("match", detail=lambda: {"msg": f"Bearer {KEY}", "nested": [{"password": "hunter2"}]})
    shown = str([entry.plain() for entry in kept.find(Query())])
    for secret in (KEY, KEY[4:], "org_secret", "abcdef", "efgh", "hunter2"):
        assert secret not in shown


def test_half_an_emoji_is_shown_as_what_it_is_not() -> None:
    kept = journal()
    kept.write("match", room="half \ud83d", text='{"status":"\\ud83d"}', detail={"msg\ud83d": "\ud83d 😀"})
    told = kept.find(Query())[0].plain()
    assert (told["room"], told["msg�"]) == ("half �", "� 😀")
    assert orjson.dumps(told)
    assert len(kept.find(Query(text="� 😀"))) == 1


async def test_others_get_their_turn_while_much_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "SLICE", 10)
    kept = journal()
    for _ in range(100):
        kept.write("in", text="x")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    busy = asyncio.ensure_future(others())
    assert len(await kept.search(Query(text="x"))) == 100
    busy.cancel()
    assert turns >= 9


async def test_a_wait_ends_as_soon_as_enough_has_come_what_was_there_included() -> None:
    kept = journal()
    kept.write("out", text="a")
    waiting = asyncio.ensure_future(kept.wait(Query(kind=frozenset(("out",))), count=3, seconds=60))
    await asyncio.sleep(0)
    for kind, text in (("in", "no"), ("out", "b"), ("out", "c"), ("out", "d")):
        assert not waiting.done()
        kept.write(kind, text=text)
    assert [entry.text for entry in await waiting] == ["a", "b", "c"]


async def test_a_wait_for_what_is_there_does_not_wait() -> None:
    kept = filled()
    assert seqs(await kept.wait(Query(), count=2, seconds=0)) == [1, 2]


async def test_a_wait_gives_what_has_come_when_its_time_is_over() -> None:
    kept = journal()
    kept.write("out", text="a")
    assert seqs(await kept.wait(Query(), count=2, seconds=0.01)) == [1]
    assert await kept.wait(Query(text="never"), count=1, seconds=0) == []


async def test_what_comes_does_not_put_the_end_of_a_wait_off() -> None:
    kept = journal(most=100)

    async def talk() -> None:
        while True:
            kept.write("in", text="x")
            await asyncio.sleep(0)

    talking = asyncio.ensure_future(talk())
    async with asyncio.timeout(10):
        found = await kept.wait(Query(), count=10**9, seconds=0.05)
    talking.cancel()
    assert len(found) > 1


async def test_a_wait_misses_nothing_and_tells_nothing_twice_while_it_searches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journals, "SLICE", 1)
    kept = journal()
    for _ in range(50):
        kept.write("in", text="x")
    waiting = asyncio.ensure_future(kept.wait(Query(), count=80, seconds=60))
    while not waiting.done():
        await asyncio.sleep(0)
        kept.write("in", text="x")
    assert seqs(await waiting) == list(range(1, 81))


async def test_a_wait_that_is_cancelled_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "MOST_FOLLOWERS", 1)
    kept = journal()
    for _ in range(3):
        waiting = asyncio.ensure_future(kept.wait(Query(), count=1, seconds=60))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
    kept.write("in", text="x")
    assert len(await kept.wait(Query(), count=1, seconds=0)) == 1


async def test_a_feed_tells_what_comes_after_it_was_opened() -> None:
    kept = journal()
    kept.write("in", text="before")
    with kept.follow(Query(kind=frozenset(("in",)))) as feed:
        kept.write("in", text="a")
        kept.write("out", text="no")
        kept.write("in", text="b")
        await feed.news()
        assert [entry.text for entry in await feed.take()] == ["a", "b"]
        assert await feed.take() == []
    kept.write("in", text="after")
    assert await feed.take() == []


async def test_a_feed_that_is_too_slow_skips_the_oldest_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "BACKLOG", 3)
    kept = journal()
    with kept.follow(Query()) as feed:
        for _ in range(5):
            kept.write("in", text="x")
        assert seqs(await feed.take()) == [3, 4, 5]
        assert feed.skipped == 2


async def test_followers_are_bounded_and_make_room_when_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "MOST_FOLLOWERS", 2)
    kept = journal()
    with kept.follow(Query()):
        with kept.follow(Query()):
            with pytest.raises(TooManyFollowers), kept.follow(Query()):
                raise AssertionError
            with pytest.raises(TooManyFollowers):
                await kept.wait(Query(), count=1, seconds=1)
        with kept.follow(Query()):
            pass


async def test_feeds_and_waits_end_when_the_journal_is_closed_and_entries_are_still_written() -> None:
    kept = journal()
    waiting = asyncio.ensure_future(kept.wait(Query(), count=2, seconds=60))
    with kept.follow(Query()) as feed:
        await asyncio.sleep(0)
        kept.write("in", text="x")
        kept.close()
        await feed.news()
        assert feed.ended
        assert seqs(await feed.take()) == [1]
    assert seqs(await waiting) == [1]
    kept.write("close", detail={"code": 1012})
    assert len(kept) == 2
    assert seqs(await kept.wait(Query(), count=5, seconds=60)) == [1, 2]


@pytest.mark.parametrize(("after", "missed"), [(0, 2), (1, 1), (2, 0), (4, 0), (9, 0)])
def test_it_tells_how_many_a_reader_has_missed(after: int, missed: int) -> None:
    kept = journal(most=2)
    for _ in range(4):
        kept.write("in", text="x")
    assert kept.missed_after(after) == missed

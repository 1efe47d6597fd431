"""Users, scenarios and sessions, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.spaces.people import Message, People, SessionRow, Taken, TooMany, Topic
from tests.spaces.conftest import World

NOW = 1_700_000_000.0


def session(uid: str, user_id: int | None = None) -> SessionRow:
    return SessionRow(uid, user_id, "Title", NOW, NOW, NOW, NOW)


async def test_a_login_and_a_nickname_belong_to_one(world: World) -> None:
    people = People(await world.opened())
    made = await people.add_user("a@x", "미나\0", "hash", active=True, at=NOW)
    assert await people.user("a@x") == made
    assert made.nickname == "미나"
    for login, nickname, what in (("a@x", "other", "login_id"), ("b@x", "미나", "nickname")):
        with pytest.raises(Taken) as taken:
            await people.add_user(login, nickname, "hash", active=True, at=NOW)
        assert taken.value.what == what
    changed = await people.change_user(made.id, {"is_active": False}, at=NOW + 1)
    assert changed is not None
    assert (changed.is_active, changed.updated_at) == (False, NOW + 1)
    assert not await people.is_free("nickname", "미나")
    assert await people.is_free("nickname", "nobody")


async def test_of_many_at_once_one_gets_the_name(world: World) -> None:
    people = People(await world.opened())
    outcomes = await asyncio.gather(
        *(people.add_user(f"{number}@x", "same", "hash", active=True, at=NOW) for number in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Taken) for one in outcomes) == 5


async def test_what_was_said_is_added_up(world: World) -> None:
    people = People(await world.opened())
    user = await people.add_user("a@x", "a", "hash", active=True, at=NOW)
    await people.add_session(session("s"))
    assert (await people.add_session(session("s", user.id))).user_id is None, "the one that is there wins"
    for number in range(2):
        said = [Message("user", f"Hi {number} \ud83d", NOW, 1.5), Message("assistant", "Hello", NOW, 2.0)]
        await people.keep("s", said, began=NOW, ended=NOW + 10, speech=1.5, owner=user.id)
    kept = await people.session("s")
    assert kept is not None
    assert (kept.total_seconds, kept.speech_seconds, kept.user_id) == (20, 3.0, user.id)
    assert [one.content[:4] for one in await people.messages("s")] == ["Hi 0", "Hell", "Hi 1", "Hell"]
    assert [one.content[:4] for one in await people.messages("s", 2)] == ["Hi 1", "Hell"]
    total, page = await people.sessions_of(user.id, skip=0, limit=5)
    assert (total, page[0][0].uid, page[0][1]) == (1, "s", 4)
    assert await people.change_session("s", {"deleted": True}, at=NOW)
    assert not await people.change_session("none", {"deleted": True}, at=NOW)
    assert await people.sessions_of(user.id, skip=0, limit=5) == (0, [])
    await people.forget(["s"])
    assert await people.session("s") is None
    await people.forget()
    assert await people.user("a@x") is None


async def test_scenarios_keep_their_order(world: World) -> None:
    people = People(await world.opened())
    for uid in ("z", "a"):
        assert await people.add_topic(Topic(uid, uid, "", "", "", "", 1, "", NOW))
    assert not await people.add_topic(Topic("z", "again", "", "", "", "", 1, "", NOW))
    assert [topic.id for topic in await people.topics()] == ["z", "a"]
    await people.add_session(SessionRow("s", None, "t", NOW, NOW, NOW, NOW, scenario_id="z"))
    assert [(row.uid, count) for row, count in await people.sessions_on("z")] == [("s", 0)]


async def test_what_strangers_may_make_is_bounded(world: World) -> None:
    people = People(await world.opened())
    guests = [replace(session(f"g{number}"), updated_at=float(number)) for number in range(5)]
    for row in guests:
        await people.add_session(row, most_guests=3)
    assert [await people.session(row.uid) is not None for row in guests] == [False, False, True, True, True]
    await people.change_session("g2", {"voice": "alloy"}, at=10.0)
    await people.add_session(replace(session("g5"), updated_at=11.0), most_guests=3)
    assert await people.session("g2") is not None
    assert await people.session("g3") is None, "the one that was quiet for longest goes"
    topics = [Topic(f"t{number}", "t", "", "", "", "", 1, "", 0.0) for number in range(4)]
    before = len(await people.topics())
    for topic in topics[:3]:
        assert await people.add_topic(topic, most=before + 3)
    assert not await people.add_topic(topics[0], most=before + 3), "one that is there is told first"
    with pytest.raises(TooMany):
        await people.add_topic(topics[3], most=before + 3)
    assert [one.id for one in await people.topics(skip=before + 1, limit=1)] == ["t1"]
    with pytest.raises(TooMany):
        await people.add_user("one@example.com", "one", "hash", active=True, at=0.0, most=0)

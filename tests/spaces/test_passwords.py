"""Passwords and logins."""

from __future__ import annotations

import asyncio

import pytest

from app.emulation.determinism import VirtualClock
from app.spaces import passwords
from app.spaces.passwords import FailedLogins, LoginTurns, Passwords, TooManyLogins


async def test_a_password_is_known_by_its_hash_and_nobody_has_one() -> None:
    checker = Passwords()
    kept = await checker.hash("비밀 \ud83d")
    assert kept.startswith("$argon2id$")
    assert await checker.check("비밀 \ud83d", kept)
    assert not await checker.check("other", kept)
    assert not await checker.check("nobody has this password", None)
    assert not await checker.check("x", "no hash")


async def test_guesses_at_names_that_do_not_exist_share_their_work(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = Passwords()
    kept = await checker.hash("right")
    done: list[str] = []
    checked = checker._is

    def counted(password: str, kept: str) -> bool:
        done.append(password)
        return checked(password, kept)

    monkeypatch.setattr(checker, "_is", counted)
    flood = [asyncio.ensure_future(checker.check(f"guess {number}", None)) for number in range(600)]
    await asyncio.sleep(0)
    assert await checker.check("right", kept)
    assert not any(await asyncio.gather(*flood))
    assert len(done) <= 5, "600 guesses do not make 600 hashes"


async def test_a_guess_that_is_given_up_leaves_the_others_their_answer() -> None:
    checker = Passwords()
    first = asyncio.ensure_future(checker.check("x", None))
    second = asyncio.ensure_future(checker.check("y", None))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is False


async def test_logins_under_one_name_come_one_after_the_other_and_are_bounded() -> None:
    turns, under_way, most = LoginTurns(), 0, 0
    release = asyncio.Event()

    async def one(name: str) -> None:
        nonlocal under_way, most
        async with turns.of(name):
            under_way += 1
            most = max(most, under_way)
            await release.wait()
            under_way -= 1

    tasks = [asyncio.ensure_future(one("kim")) for _ in range(passwords.WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyLogins):
        async with turns.of("kim"):
            pass
    async with turns.of("lee"):
        pass  # somebody else's login waits for nobody
    release.set()
    await asyncio.gather(*tasks)
    assert most == 1
    assert turns._turns == {}


async def test_after_some_failures_in_a_row_none_is_tried_for_a_while() -> None:
    clock = VirtualClock()
    failures = FailedLogins(clock, most=3, pause=60)
    for _ in range(3):
        failures.check("kim")
        failures.failed("kim")
    with pytest.raises(TooManyLogins) as many:
        failures.check("kim")
    assert many.value.retry_after == 60
    failures.check("lee")
    await clock.sleep(60)
    failures.check("kim")
    for _ in range(2):
        failures.failed("kim")
    failures.succeeded("kim")
    failures.failed("kim")
    failures.check("kim")

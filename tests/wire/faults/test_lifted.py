"""Whatever a fault makes wait goes on as soon as the fault is taken out of force, and ends with its socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.emulation.faults.live import LiveRule
from app.emulation.faults.rules import Profile
from tests.emulation.faults.written import rules
from tests.live import Json
from tests.wire.faults.stage import THREE, TOKENS, Faulty, asks, room, said, types, whole
from tests.wire.faults.test_voices import voices

HOUR = 3600
SLOW: list[Json] = [
    {"fault": "delay", "seconds": HOUR, "when": {"frame": "stream"}},
    {"fault": "jitter", "seconds": 24 * HOUR, "when": {"frame": "stream"}},
    {"fault": "swap", "seconds": HOUR, "when": {"frame": "END"}},
    {"fault": "stall", "seconds": HOUR, "after_frames": 3},
    {"fault": "slow-first-token", "seconds": HOUR},
    {"fault": "slow-tokens", "per_second": 0.01},
    {"fault": "hang", "after_tokens": 2},
    {"fault": "voice-late", "seconds": HOUR},
]
each = pytest.mark.parametrize("rule", SLOW, ids=[str(rule["fault"]) for rule in SLOW])


def within(rule: Json, name: str) -> Json:
    return {**rule, "when": {**rule.get("when", {}), "room": name}}


async def delete(faulty: Faulty, live: LiveRule) -> None:
    await faulty.remove(live)


async def clear(faulty: Faulty, live: LiveRule) -> None:
    await faulty.clear()


@pytest.mark.parametrize("lift", [delete, clear])
@each
async def test_a_turn_that_waits_goes_on_at_once(
    faulty: Faulty, name: str, rule: Json, lift: Callable[[Faulty, LiveRule], Awaitable[None]]
) -> None:
    (live,) = await faulty.add(within(rule, name))
    await faulty.add({"fault": "duplicate", "when": {"room": "elsewhere"}})  # a rule of frames that stays
    async with room(faulty.server, name) as peer, faulty.frozen():
        await peer.send(asks("셋", name, return_voice=1))
        await faulty.told(name, 1)
        await lift(faulty, live)
        frames = [await peer.receive()]
        while types(frames)[-1] != "END":
            frames.append(await peer.receive())
    assert said(frames) == "".join(THREE)
    assert len(voices(frames)) == 3


async def test_tokens_are_quick_again_once_the_rule_is_gone(faulty: Faulty, name: str) -> None:
    """Not only the pause that is under way ends: none follows."""
    (live,) = await faulty.add({"fault": "slow-tokens", "per_second": 0.01, "when": {"room": name}})
    async with room(faulty.server, name) as peer, faulty.frozen():
        await peer.send(asks("세어", name))
        while "".join(TOKENS[:1]) != (await peer.receive()).get("msg"):
            pass
        await faulty.remove(live)
        for token in TOKENS[1:]:
            assert (await peer.receive())["msg"] == token


async def test_a_handshake_that_waits_is_answered_at_once(faulty: Faulty, name: str) -> None:
    (live,) = await faulty.add({"fault": "handshake-delay", "seconds": HOUR, "when": {"room": name}})

    async def turn() -> list[Json]:
        async with room(faulty.server, name) as peer:
            return await whole(faulty, peer, asks("세어", name))

    opening = asyncio.create_task(turn())
    await faulty.told(name, 1)
    await faulty.remove(live)
    assert said(await opening) == "".join(TOKENS)


@pytest.mark.parametrize("how", ["use", "keep", "take"])
async def test_a_profile_that_is_put_in_force_anew_switched_off_or_read_again_lifts_its_rules(
    faulty: Faulty, name: str, how: str
) -> None:
    """Anew, its rule strikes again only where it has not struck yet: the turn under way goes on."""
    faults = faulty.faults
    profile = Profile(rules({"fault": "delay", "seconds": HOUR, "when": {"room": name, "frame": "START"}}))
    known = faults.profiles

    async def change(work: Callable[[], object]) -> None:
        work()

    faults.profiles = {**known, "late": profile}
    try:
        await faulty.server.run(change(lambda: faults.use("late")))
        async with room(faulty.server, name) as peer, faulty.frozen():
            await peer.send(asks("세어", name))
            await faulty.told(name, 1)
            changes: dict[str, Callable[[], object]] = {
                "use": lambda: faults.use("late"),
                "keep": lambda: faults.keep("fixtures"),
                "take": lambda: faults.take((), known),
            }
            await faulty.server.run(change(changes[how]))
            frames = [await peer.receive()]
            while types(frames)[-1] != "END":
                frames.append(await peer.receive())
        assert said(frames) == "".join(TOKENS)
    finally:
        faults.profiles = known


@each
async def test_a_socket_that_closes_meanwhile_leaves_nothing(faulty: Faulty, name: str, rule: Json) -> None:
    await faulty.quiet()
    before = await faulty.tasks()
    await faulty.add(within(rule, name))
    async with room(faulty.server, name) as peer:
        await peer.send(asks("셋", name, return_voice=1))
        await faulty.told(name, 1)
        peer.socket.transport.abort()
    await faulty.quiet(before)

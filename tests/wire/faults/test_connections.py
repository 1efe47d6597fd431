"""Faults of a connection: closed with a code, reset, stalled; at once, after frames, after seconds, in mid-turn."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.live import LiveServer, write_fixtures
from tests.wire.faults.stage import (
    BARE,
    NEWEST,
    REPLIES,
    WRAPPED,
    Faulty,
    Raw,
    asks,
    is_status,
    room,
    said,
    types,
    until_closed,
    whole,
)


async def fine(faulty: Faulty, name: str, revision: str = NEWEST) -> None:
    """A turn in a room goes as if there were no faults."""
    async with room(faulty.server, name, revision) as peer:
        assert said(await peer.turn(asks("세어", name, org_id="org_test"))) == "하나 둘 셋 넷 다섯 여섯."


@pytest.mark.parametrize("revision", [NEWEST, WRAPPED, BARE])
async def test_a_socket_is_closed_with_its_code_after_so_many_frames(faulty: Faulty, name: str, revision: str) -> None:
    rule = {"fault": "close", "code": 4321, "reason": "다음에 또", "after_frames": 4, "count": 1}
    await faulty.add({**rule, "when": {"room": name}})
    async with room(faulty.server, name, revision) as peer, room(faulty.server, f"{name}x", revision) as other:
        await peer.send(asks("세어", name, org_id="org_test"))
        frames, code, reason = await until_closed(peer)
        assert (len(frames), code, reason) == (4, 4321, "다음에 또")
        assert said(await other.turn(asks("세어", f"{name}x", org_id="org_test"))) == "하나 둘 셋 넷 다섯 여섯."
    (fault,) = await faulty.told(name, 1)
    (closed,) = await faulty.told(name, 1, "close")
    assert (fault["fault"], closed["by"], closed["code"]) == ("close", "fault", 4321)
    await fine(faulty, name, revision)


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 4999])
async def test_every_code_that_can_be_sent_arrives(faulty: Faulty, name: str, code: int) -> None:
    await faulty.add({"fault": "close", "code": code, "when": {"room": name}})
    async with room(faulty.server, name) as peer:
        assert await until_closed(peer) == ([], code, "")


@pytest.mark.parametrize("revision", [NEWEST, WRAPPED])
async def test_a_reset_is_a_reset_of_tcp(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "reset", "when": {"room": name}, "after_frames": 3, "count": 1})
    async with await Raw.dial(faulty.server, name, revision) as client:
        assert " 101 " in await client.head()
        client.send(asks("세어", name))
        frames = await client.until_reset()
        assert len(frames) == 3
    (closed,) = await faulty.told(name, 1, "close")
    assert (closed["by"], closed["code"], closed["reason"]) == ("fault", 1006, "reset")
    await fine(faulty, name, revision)


@pytest.mark.parametrize("revision", [NEWEST, BARE])
async def test_a_stalled_socket_stays_open_and_says_nothing_until_it_goes_on(
    faulty: Faulty, name: str, revision: str
) -> None:
    (live,) = await faulty.add({"fault": "stall", "when": {"room": name}, "after_frames": 3})
    async with room(faulty.server, name, revision) as peer, room(faulty.server, f"{name}x", revision) as other:
        await peer.send(asks("세어", name, org_id="org_test"))
        frames = [await peer.receive() for _ in range(3)]
        assert said(await other.turn(asks("세어", f"{name}x", org_id="org_test"))) == "하나 둘 셋 넷 다섯 여섯."
        await peer.send({"action": "status"})
        assert (await (await peer.socket.ping())) >= 0  # it is open
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await peer.receive()
        await faulty.remove(live)
        while not any(map(is_status, frames)) or said(frames) != "하나 둘 셋 넷 다섯 여섯.":
            frames.append(await peer.receive())
    assert await faulty.strikes(name) == ["stall"]


async def test_a_stall_of_some_seconds_ends_by_itself(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "stall", "when": {"room": name}, "after_frames": 2, "seconds": 0.4})
    async with room(faulty.server, name) as peer:
        began = asyncio.get_running_loop().time()
        frames = await peer.turn(asks("세어", name))
        assert asyncio.get_running_loop().time() - began >= 0.4
        assert said(frames) == "하나 둘 셋 넷 다섯 여섯."
        assert said(await peer.turn(asks("세어", name))) == "하나 둘 셋 넷 다섯 여섯."
    assert await faulty.strikes(name) == ["stall"]


async def test_a_close_ends_a_stall(faulty: Faulty, name: str) -> None:
    when = {"room": name}
    await faulty.add(
        {"fault": "stall", "when": when, "after_frames": 2}, {"fault": "close", "when": when, "after_seconds": 0.3}
    )
    before = await faulty.tasks()
    async with room(faulty.server, name) as peer:
        await peer.send(asks("세어", name))
        frames, code, _ = await until_closed(peer)
        assert (len(frames), code) == (2, 1011)
    await faulty.quiet(before)


@pytest.mark.parametrize("revision", [NEWEST, WRAPPED])
async def test_a_request_can_be_what_breaks_the_connection(faulty: Faulty, name: str, revision: str) -> None:
    """A rule that asks about requests waits for one, and counts the frames of its turn."""
    when = {"room": name, "message": {"contains": "세어"}, "action": "sendmsg", "turn": 3}
    await faulty.add({"fault": "close", "code": 1012, "when": when, "after_frames": 5})
    async with room(faulty.server, name, revision) as peer:
        for _ in range(2):
            assert said(await peer.turn(asks("세어", name)))
        await peer.send(asks("세어", name))
        frames, code, _ = await until_closed(peer)
    assert (len(frames), code, frames[0]["status"]) == (5, 1012, "START")


async def test_the_frames_of_other_turns_do_not_count(faulty: Faulty, name: str) -> None:
    when = {"room": name, "message": "세어"}
    await faulty.add(
        {"fault": "slow-first-token", "when": when, "seconds": 600},
        {"fault": "close", "when": when, "after_frames": 9},
    )
    async with room(faulty.server, name) as peer, faulty.frozen() as advance:
        await peer.send(asks("세어", name))
        await faulty.told(name, 1)
        first = [await peer.receive() for _ in range(6)]
        assert types(first)[-1] == "think"
        assert said(await peer.turn(asks("다른 말", name))) == "네, 알겠습니다."
        await advance(600)
        frames, code, _ = await until_closed(peer)
    assert (said(frames), code) == ("하나 둘 셋", 1011)


async def test_a_turn_that_ends_before_its_frames_are_counted_breaks_nothing_and_costs_no_count(
    faulty: Faulty, name: str
) -> None:
    when = {"room": name, "action": "sendmsg"}
    (live,) = await faulty.add({"fault": "reset", "when": when, "after_frames": 500, "count": 1})
    async with room(faulty.server, name) as peer:
        for _ in range(3):
            assert said(await peer.turn(asks("세어", name)))
        assert live.strikes == 0
    assert await faulty.strikes(name) == []


async def test_a_frame_can_be_what_breaks_the_connection(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "close", "code": 1001, "when": {"room": name, "frame": "stream"}, "skip": 2})
    async with room(faulty.server, name) as peer:
        await peer.send(asks("세어", name))
        frames, code, _ = await until_closed(peer)
    assert (said(frames), code) == ("하나 둘 셋", 1001)
    assert types(frames)[-1] == "stream"


async def test_frames_and_seconds_count_from_a_frame_that_is_asked_for(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "close", "when": {"room": name, "frame": "END"}, "after_seconds": 0.2})
    async with room(faulty.server, name) as peer:
        await peer.send(asks("세어", name))
        ended = asyncio.get_running_loop().time()
        frames, code, _ = await until_closed(peer)
        assert asyncio.get_running_loop().time() - ended >= 0.2
    assert (types(frames)[-1], code) == ("END", 1011)
    await faulty.clear()
    await faulty.add({"fault": "close", "when": {"room": name, "frame": "START"}, "after_frames": 3})
    async with room(faulty.server, name) as peer:
        await peer.send(asks("세어", name))
        frames, code, _ = await until_closed(peer)
    assert (len(frames), code) == (4, 1011)


async def test_rules_that_come_meanwhile_strike_open_sockets_and_those_that_go_strike_no_more(
    faulty: Faulty, name: str
) -> None:
    async with room(faulty.server, name) as peer, room(faulty.server, f"{name}x") as other:
        assert said(await peer.turn(asks("세어", name)))
        (live,) = await faulty.add({"fault": "close", "when": {"room": name}, "after_frames": 500})
        assert said(await peer.turn(asks("세어", name)))
        await faulty.remove(live)
        assert live.strikes == 0
        await faulty.add({"fault": "close", "code": 4000, "when": {"room": name}, "after_frames": 2})
        await peer.send(asks("세어", name))
        frames, code, _ = await until_closed(peer)
        assert (len(frames), code) == (2, 4000), "counted from the moment the rule came"
        assert said(await other.turn(asks("세어", f"{name}x"))) == "하나 둘 셋 넷 다섯 여섯."
        await faulty.add({"fault": "reset", "when": {"room": f"{name}x"}})
        assert (await until_closed(other))[1] == 1006


async def test_a_connection_that_ends_before_its_time_costs_no_count(faulty: Faulty, name: str) -> None:
    (live,) = await faulty.add({"fault": "close", "when": {"room": name}, "after_seconds": 3600, "count": 1})
    for _ in range(3):
        await fine(faulty, name)
    await faulty.quiet()
    async with asyncio.timeout(10):
        while live.strikes:
            await asyncio.sleep(0.01)
    assert await faulty.strikes(name) == []


async def test_other_sockets_of_the_room_go_on(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "reset", "when": {"room": name, "user": "u2"}, "after_frames": 1})
    async with room(faulty.server, name) as peer, room(faulty.server, name, user_uid="u2") as other:
        await other.send(asks("세어", name))
        assert (await until_closed(other))[1] == 1006
        assert said(await peer.turn(asks("세어", name))) == "하나 둘 셋 넷 다섯 여섯."


async def test_seconds_pass_on_a_virtual_clock_when_it_is_advanced(tmp_path: Path) -> None:
    fixtures = write_fixtures(tmp_path / "fixtures", replies=REPLIES)
    with LiveServer(tmp_path / "data", fixtures=fixtures, seed=7, voice={"engine": "tone", "workers": 1}) as server:
        faulty = Faulty(server)
        await faulty.add({"fault": "close", "code": 1001, "after_seconds": 600})
        async with room(server, "clock") as peer:
            await server.advance(599)
            assert said(await peer.turn(asks("세어", "clock"))) == "하나 둘 셋 넷 다섯 여섯."
            await server.advance(1)
            assert (await until_closed(peer))[1] == 1001


async def test_the_pauses_of_a_room_count_on_a_virtual_clock(tmp_path: Path) -> None:
    """In a seeded world a room's time runs ahead by its own pauses: 100 tokens a second, so 2 s are 200 tokens."""
    fixtures = write_fixtures(tmp_path / "fixtures", replies=REPLIES)
    with LiveServer(tmp_path / "data", fixtures=fixtures, seed=7, voice={"engine": "tone", "workers": 1}) as server:
        await Faulty(server).add({"fault": "close", "after_seconds": 2})
        async with room(server, "clock") as peer:
            await peer.send(asks("천천히", "clock"))
            frames, code, _ = await until_closed(peer)
    assert code == 1011
    assert 200 <= types(frames).count("stream") < 2000


async def test_whole_turns_are_not_touched_by_rules_for_others(faulty: Faulty, name: str) -> None:
    await faulty.add(
        {"fault": "close", "when": {"room": "elsewhere"}},
        {"fault": "reset", "when": {"wire": "other"}},
        {"fault": "stall", "when": {"room": name, "message": "뭔가 다른 말"}},
    )
    async with room(faulty.server, name) as peer:
        assert types(await whole(faulty, peer, asks("세어", name)))[-1] == "END"

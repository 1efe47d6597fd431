"""A socket that goes away takes everything with it, whatever a fault was about to do: no task, no line, no turn."""

from __future__ import annotations

import asyncio

import pytest

from tests.live import Json
from tests.wire.faults.stage import NEWEST, WRAPPED, Faulty, Raw, asks, room, said, types

DAY = 86_400

PENDING: dict[str, Json] = {
    "stall": {"fault": "stall", "after_frames": 2},
    "a stall that ends": {"fault": "stall", "after_frames": 2, "seconds": DAY},
    "delay": {"fault": "delay", "seconds": DAY, "when": {"frame": "history"}},
    "jitter": {"fault": "jitter", "seconds": DAY, "when": {"frame": "history"}},
    "swap": {"fault": "swap", "seconds": DAY, "when": {"frame": "END"}},
    "close": {"fault": "close", "after_seconds": DAY},
    "reset": {"fault": "reset", "when": {"action": "sendmsg"}, "after_frames": 100_000},
    "hang": {"fault": "hang", "after_tokens": 2},
    "slow-first-token": {"fault": "slow-first-token", "seconds": DAY},
    "slow-tokens": {"fault": "slow-tokens", "per_second": 0.01},
    "voice-late": {"fault": "voice-late", "seconds": DAY},
}


@pytest.mark.parametrize("abrupt", [False, True], ids=["closed", "cut off"])
@pytest.mark.parametrize("rule", PENDING.values(), ids=PENDING)
async def test_nothing_stays_behind(faulty: Faulty, name: str, rule: Json, abrupt: bool) -> None:
    before = await faulty.tasks()
    when = {"room": name, **rule.get("when", {})}
    await faulty.add({**rule, "when": when})
    async with await Raw.dial(faulty.server, name) as client:
        await client.head()
        client.send(asks("세어", name, return_voice=1))
        await client.frame()
        if rule["fault"] not in ("close", "reset"):
            await faulty.told(name, 1)
        if not abrupt:
            client.writer.write(b"\x88\x82\0\0\0\0\x03\xe8")
    await faulty.quiet(before)
    assert not len(faulty.server.program.stage.lines)


@pytest.mark.parametrize("fault", [{"fault": "stall"}, {"fault": "delay", "seconds": DAY}])
@pytest.mark.parametrize("revision", [NEWEST, WRAPPED])
async def test_a_client_is_heard_to_leave_while_its_own_answer_is_held_up(
    faulty: Faulty, name: str, fault: Json, revision: str
) -> None:
    """`status` is answered by the task that listens; held up, it would not hear the client go."""
    before = await faulty.tasks()
    await faulty.add({**fault, "when": {"room": name}})
    async with await Raw.dial(faulty.server, name, revision) as client:
        await client.head()
        for _ in range(5):
            client.send({"action": "status"})
        await faulty.told(name, 1)
        await faulty.told(name, 5, "in")  # it is read all the same
    await faulty.quiet(before)
    assert not len(faulty.server.program.stage.lines)


async def test_what_was_sent_into_a_stall_is_answered_after_it(faulty: Faulty, name: str) -> None:
    (live,) = await faulty.add({"fault": "stall", "when": {"room": name}})
    async with room(faulty.server, name) as peer:
        await faulty.told(name, 1)
        for msg in ("하나", "둘"):
            await peer.send({"action": "status"})
            await peer.send(asks(msg, name))
        await faulty.told(name, 4, "in")
        await faulty.remove(live)
        frames: list[Json] = []
        while types(frames).count("END") < 2 or types(frames).count("connected") < 2:
            frames.append(await peer.receive())
    assert said(frames).count("습니다") == 2


async def test_a_stalled_socket_ends_when_the_server_closes_it(faulty: Faulty, name: str) -> None:
    before = await faulty.tasks()
    await faulty.add({"fault": "stall", "when": {"room": name}})
    async with await Raw.dial(faulty.server, name) as client:
        await client.head()
        client.send({"action": "status"})
        await faulty.told(name, 1, "in")
        (line,) = faulty.server.program.stage.lines
        await faulty.server.run(line.close(1001, "bye"))
        opcode, payload = await client.frame()
        assert (opcode, payload[2:]) == (8, b"bye")
        await faulty.quiet(before + 1)
    await faulty.quiet(before)


async def test_many_faulty_sockets_come_and_go(faulty: Faulty, name: str) -> None:
    before = await faulty.tasks()
    await faulty.add(
        *({**rule, "when": {"room": {"contains": name}, **rule.get("when", {})}} for rule in PENDING.values())
    )

    async def one(number: int) -> None:
        async with await Raw.dial(faulty.server, f"{name}{number}") as client:
            await client.head()
            client.send(asks("세어", f"{name}{number}", return_voice=1))
            await faulty.told(f"{name}{number}", 1)

    await asyncio.gather(*(one(number) for number in range(20)))
    await faulty.quiet(before)
    assert not len(faulty.server.program.stage.lines)

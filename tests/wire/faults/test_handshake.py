"""Faults before the handshake: refused, late, refused at first."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.exceptions import InvalidStatus

from tests.live import Json
from tests.wire.faults.stage import NEWEST, WRAPPED, Faulty, Raw, asks, room, said


async def refused(faulty: Faulty, name: str, revision: str = NEWEST) -> tuple[int, Json]:
    with pytest.raises(InvalidStatus) as raised:
        async with room(faulty.server, name, revision):
            pass
    response = raised.value.response
    return response.status_code, json.loads(response.body or b"")


@pytest.mark.parametrize("revision", [NEWEST, WRAPPED])
async def test_a_handshake_is_refused_with_its_status_and_body(faulty: Faulty, name: str, revision: str) -> None:
    body = {"error": "정원 초과"}
    await faulty.add({"fault": "refuse", "when": {"room": name}, "status": 429, "body": body})
    assert await refused(faulty, name, revision) == (429, body)
    async with room(faulty.server, f"{name}x", revision) as peer:
        assert said(await peer.turn(asks("세어", f"{name}x")))
    (fault,) = await faulty.told(name, 1)
    (refusal,) = await faulty.told(name, 1, "refused")
    assert (fault["fault"], refusal["status"]) == ("refuse", 429)


async def test_a_refusal_that_says_nothing_names_the_fault(
    faulty: Faulty, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    (live,) = await faulty.add({"fault": "refuse", "when": {"room": name}})
    assert await refused(faulty, name) == (503, {"message": f"refused by the fault {live.id} of the emulator"})
    await faulty.quiet()
    assert not len(faulty.server.program.stage.lines)
    assert not [record for record in caplog.records if record.levelname == "ERROR"], "it is meant, not a mistake"


async def test_the_first_connections_of_each_room_are_refused(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "flap", "when": {"room": {"contains": name}}, "connections": 2, "status": 502})
    for one in (name, f"{name}b"):
        assert [(await refused(faulty, one))[0] for _ in range(2)] == [502, 502]
        async with room(faulty.server, one) as peer:
            assert said(await peer.turn(asks("세어", one))) == "하나 둘 셋 넷 다섯 여섯."
    assert await faulty.strikes(name) == ["flap", "flap"]


async def test_a_late_handshake_is_answered_when_its_time_has_come(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "handshake-delay", "when": {"room": name}, "seconds": 0.3})
    began = asyncio.get_running_loop().time()
    async with room(faulty.server, name) as peer:
        assert asyncio.get_running_loop().time() - began >= 0.3
        assert said(await peer.turn(asks("세어", name)))
    assert await faulty.strikes(name) == ["handshake-delay"]


async def test_a_client_that_gives_up_on_the_handshake_leaves_nothing(faulty: Faulty, name: str) -> None:
    before = await faulty.tasks()
    await faulty.add({"fault": "handshake-delay", "when": {"room": name}, "seconds": 86_400})
    async with await Raw.dial(faulty.server, name):
        await faulty.told(name, 1)
    await faulty.quiet(before)
    assert not len(faulty.server.program.stage.lines)


async def test_delay_and_refusal_come_one_after_the_other(faulty: Faulty, name: str) -> None:
    await faulty.add(
        {"fault": "handshake-delay", "when": {"room": name}, "seconds": 0.1},
        {"fault": "refuse", "when": {"room": name}},
    )
    began = asyncio.get_running_loop().time()
    assert (await refused(faulty, name))[0] == 503
    assert asyncio.get_running_loop().time() - began >= 0.1
    assert await faulty.strikes(name) == ["handshake-delay", "refuse"]

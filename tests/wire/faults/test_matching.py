"""Which requests, connections and frames a rule is about, over the wire: every key of `when`, the dice, the counts."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.live import PATIENCE, Json, LiveServer, Peer, sendmsg, write_fixtures
from tests.wire.faults.conftest import SPARE_KEY
from tests.wire.faults.stage import (
    FLAT,
    GREETING,
    NEWEST,
    REPLIES,
    TOKENS,
    WRAPPED,
    Faulty,
    asks,
    is_status,
    room,
    said,
    types,
    until_closed,
    whole,
)
from tests.wire.faults.test_frames import TOKEN, request


async def struck(faulty: Faulty, message: Json, revision: str = NEWEST, **query: str) -> bool:
    """Whether the turn that a message asks for has lost its first token, as the rule of the test will have it."""
    async with room(faulty.server, message["room_uid"], revision, **query) as peer:
        frames = await whole(faulty, peer, message)
    assert types(frames)[-1] in ("END", "message")
    text = said(frames)
    assert text in ("".join(TOKENS), "".join(TOKENS[1:]))
    return text != "".join(TOKENS)


def like(name: str, **more: Any) -> Json:
    """A rule that takes the first token of a turn away."""
    return {"fault": "drop", "count": 1, "when": {"frame": "stream", "room": {"contains": name}, **more}}


@pytest.mark.parametrize("revision", [NEWEST, WRAPPED, FLAT])
async def test_a_room_is_told_from_another(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "drop", "count": 1, "when": {"room": name, "frame": TOKEN[revision]}})
    assert not await struck(faulty, request(revision, f"{name}x"), revision)
    assert await struck(faulty, request(revision, name), revision)


async def test_the_wire_is_chldo(faulty: Faulty, name: str) -> None:
    (live,) = await faulty.add(like(name, wire="hashee"))
    assert not await struck(faulty, asks("세어", name))
    await faulty.remove(live)
    await faulty.add(like(name, wire="chldo"))
    assert await struck(faulty, asks("세어", name))


async def test_a_user_is_told_from_another(faulty: Faulty, name: str) -> None:
    await faulty.add(like(name, user={"regex": "^u[0-9]$"}))
    assert not await struck(faulty, asks("세어", f"{name}a", user_id="someone"))
    assert await struck(faulty, asks("세어", f"{name}b", user_id="u7"))


async def test_a_key_is_told_from_another(faulty: Faulty, name: str) -> None:
    await faulty.add(like(name, key=SPARE_KEY))
    assert not await struck(faulty, asks("세어", f"{name}a"))
    assert await struck(faulty, asks("세어", f"{name}b", api_key=SPARE_KEY))


async def test_a_message_is_told_from_another_and_from_none(faulty: Faulty, name: str) -> None:
    when = {"frame": "stream", "room": {"contains": name}}
    await faulty.add({"fault": "drop", "when": {**when, "message": None}})
    async with room(faulty.server, name) as peer:
        assert said(await whole(faulty, peer, asks("세어", name))) == "".join(TOKENS)
        assert said(await whole(faulty, peer, asks(None, name))) == ""
    await faulty.clear()
    await faulty.add({"fault": "drop", "when": {**when, "message": {"contains": "어"}}})
    async with room(faulty.server, name) as peer:
        assert said(await whole(faulty, peer, asks("세어", name))) == ""
        assert said(await whole(faulty, peer, asks("세아", name)))


async def test_an_action_is_told_from_another(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "drop", "when": {"room": name, "action": "greeting", "frame": "START"}})
    greet = {**asks(None, name), "action": "greeting", "greeting_number": 1}
    async with room(faulty.server, name) as peer:
        assert types(await whole(faulty, peer, asks("세어", name)))[0] == "START"
        frames = await whole(faulty, peer, greet)
    assert (types(frames), frames[0]["msg"]) == (["greeting", "END"], GREETING)


async def test_a_turn_is_told_from_another_by_its_number_in_the_room(faulty: Faulty, name: str) -> None:
    await faulty.add(like(name, turn=3))
    assert [await struck(faulty, asks("세어", name)) for _ in range(4)] == [False, False, True, False]


async def test_a_frame_is_told_from_another(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "drop", "when": {"room": name, "frame": {"regex": "^(think|history)$"}}})
    async with room(faulty.server, name) as peer:
        kinds = types(await whole(faulty, peer, asks("세어", name)))
    assert kinds == ["START", "memory", "memory", *["stream"] * len(TOKENS), "END"]
    assert await faulty.strikes(name) == ["drop"] * 4


async def test_count_and_skip_are_of_each_room(faulty: Faulty, name: str) -> None:
    await faulty.add({**like(name), "skip": 2})
    for one in ("a", "b"):
        async with room(faulty.server, name + one) as peer:
            frames = [await whole(faulty, peer, asks("세어", name + one)) for _ in range(2)]
        assert [said(turn) for turn in frames] == ["".join([*TOKENS[:2], *TOKENS[3:]]), "".join(TOKENS)]
        assert await faulty.strikes(name + one) == ["drop"]


async def test_the_journal_tells_what_struck_where_and_for_which_rule(faulty: Faulty, name: str) -> None:
    (live,) = await faulty.add(like(name))
    async with room(faulty.server, name) as peer:
        connection = (await peer.ask({"action": "status"}))["connection_id"]
        await whole(faulty, peer, asks("세어", name))
    (told,) = await faulty.told(name, 1)
    del told["seq"], told["at"], told["mono"]
    assert told == {
        "kind": "fault",
        "wire": "chldo",
        "connection": connection,
        "room": name,
        "turn": 1,
        "fault": "drop",
        "id": live.id,
        "source": "test",
        "frame": "stream",
    }
    assert live.strikes == 1


async def test_rules_come_and_go_in_mid_turn(faulty: Faulty, name: str) -> None:
    drop = {"fault": "edit", "when": {"room": name, "frame": "stream"}, "set": {"msg": "*"}}
    async with room(faulty.server, name) as peer:
        await peer.send(asks("천천히", name))
        while (await peer.receive()).get("status") != "stream":
            pass
        (live,) = await faulty.add(drop)
        while (await peer.receive())["msg"] != "*":
            pass
        await faulty.remove(live)
        while (await peer.receive())["msg"] == "*":
            pass
        frames = [await peer.receive() for _ in range(20)]
    assert all(frame["msg"] == "음 " for frame in frames)


def seeded(tmp_path: Path, part: str, seed: int) -> LiveServer:
    folder = tmp_path / part
    fixtures = write_fixtures(folder / "fixtures", replies=REPLIES)
    return LiveServer(folder / "data", fixtures=fixtures, seed=seed, voice={"engine": "tone", "workers": 1})


async def test_the_dice_fall_as_often_as_they_should_and_the_same_for_a_seed(tmp_path: Path) -> None:
    async def lost(part: str, seed: int) -> list[bool]:
        with seeded(tmp_path, part, seed) as server:
            faulty = Faulty(server)
            await faulty.add({"fault": "drop", "when": {"frame": "stream"}, "probability": 0.25})
            async with room(server, "dice") as peer:
                frames = await whole(faulty, peer, sendmsg("천천히", room_uid="dice"))
            entries = await faulty.told("dice", 2000 - types(frames).count("stream"))
        struck = {entry["seq"] for entry in entries}
        assert len(struck) == len(entries)
        return [frame["status"] == "stream" for frame in frames]

    first = await lost("one", 7)
    assert 1400 < sum(first) < 1600  # 1500, and five standard deviations
    assert await lost("two", 7) == first
    assert await lost("three", 8) != first


TURNS: Json = {"action": "sendmsg"}
RULES: list[Json] = [
    {"fault": "flap", "probability": 0.5},
    {"fault": "handshake-delay", "seconds": 3, "probability": 0.3},
    {"fault": "jitter", "seconds": 2, "when": TURNS, "probability": 0.3},
    {"fault": "delay", "seconds": 1, "when": {"frame": "stream"}, "probability": 0.1},
    {"fault": "drop", "when": {"frame": "stream"}, "probability": 0.1},
    {"fault": "duplicate", "when": TURNS, "probability": 0.05},
    {"fault": "edit", "set": {"msg": "바뀐 말"}, "when": {"frame": "stream"}, "probability": 0.05},
    {"fault": "no-end", "probability": 0.2},
    {"fault": "slow-first-token", "seconds": 1.7, "probability": 0.3},
    {"fault": "slow-tokens", "per_second": 3, "probability": 0.3},
    {"fault": "llm-error", "after_tokens": 4, "probability": 0.2},
    {"fault": "voice-late", "seconds": 9, "probability": 0.3},
    {"fault": "voice-failed", "probability": 0.2},
    {"fault": "voice-wrong-length", "factor": 2, "probability": 0.2},
    {"fault": "voice-expired", "probability": 0.2},
    {"fault": "voice-forbidden", "probability": 0.2},
    {"fault": "close", "when": {"frame": "stream"}, "after_frames": 2, "probability": 0.02},
    {"fault": "stall", "seconds": 5, "after_frames": 9, "probability": 0.5},
]


async def test_twenty_clients_see_the_same_faults_twice(tmp_path: Path) -> None:
    """Byte by byte: ids, times, dice and signatures, whoever else is there and however the machine gets round to it."""

    async def client(server: LiveServer, number: int) -> list[str]:
        name = f"room-{number}"
        heard: list[str] = []
        for attempt in range(2):
            try:
                async with room(server, name, [NEWEST, WRAPPED][number % 2]) as peer:
                    for turn in range(2):
                        message = asks("셋", name, return_voice=1) if turn else asks("세어", name)
                        await peer.send({**message, "visitor_name": str(attempt)})
                        await up_to_status(peer, heard)  # the turn has begun
                        await server.run(over(name))
                        await up_to_status(peer, heard)
            except (InvalidStatus, ConnectionClosed) as error:
                heard.append(type(error).__name__)
        return [text.replace(server.ws.removeprefix("ws://"), "HOST") for text in heard]

    async def up_to_status(peer: Peer, heard: list[str]) -> None:
        with suppress(ConnectionClosed):  # what came before is still there to be read
            await peer.send({"action": "status"})
        async with asyncio.timeout(PATIENCE):
            while not is_status(json.loads(text := str(await peer.socket.recv()))):
                heard.append(text)

    async def over(name: str) -> None:
        """No turn runs in a room any more."""
        turns = [task for task in asyncio.all_tasks() if task.get_name() == f"turn {name}"]
        if turns:
            await asyncio.wait(turns)

    async def both(part: str) -> list[list[str]]:
        with seeded(tmp_path, part, 11) as server:
            await Faulty(server).add(*RULES)
            return await asyncio.gather(*(client(server, number) for number in range(20)))

    first, second = await both("one"), await both("two")
    assert first == second
    everything = [text for texts in first for text in texts]
    assert {"InvalidStatus", "ConnectionClosedError"} & set(everything)
    assert sum("바뀐 말" in text for text in everything) > 3
    assert sum("Error code: 500" in text for text in everything) > 3
    # Ten rooms have voices; flap leaves about 1.25 attempts of each, llm-error and voice-failed a fifth less each: some
    # 20 of three sentences. Enough of them have to be in what was compared.
    assert sum("voice_url" in text for text in everything) > 10


async def test_a_rule_for_a_wire_that_is_not_there_disturbs_nobody(faulty: Faulty, name: str) -> None:
    await faulty.add(
        *({**rule, "when": {**rule.get("when", {}), "wire": "malangee"}, "probability": 1} for rule in RULES)
    )
    async with room(faulty.server, name) as peer:
        for _ in range(2):
            assert said(await whole(faulty, peer, asks("세어", name))) == "".join(TOKENS)
    assert await faulty.strikes(name) == []


async def test_a_rule_can_wait_for_the_key_or_the_user_of_a_connection(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "close", "code": 1008, "when": {"room": name, "key": SPARE_KEY}, "after_frames": 1})
    async with room(faulty.server, name) as peer, room(faulty.server, name) as other:
        assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)
        await other.send(asks("세어", name, api_key=SPARE_KEY))
        frames, code, _ = await until_closed(other)
        assert (len(frames), code) == (1, 1008)
        assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)

"""Faults of voices: late, never, missing, expired, forbidden, of another length, cut off; the greeting's as well."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.golden import VOICE_URL
from tests.live import DEMO_KEY, Json, Peer
from tests.voice.sound import mp3_length
from tests.wire.faults.stage import NEWEST, THREE, Faulty, asks, room, said, types, whole

EARLY = "2024-08-27"
BOTH = pytest.mark.parametrize("revision", [NEWEST, EARLY])
GREET: Json = {"action": "greeting", "api_key": DEMO_KEY, "user_id": "u1", "greeting_number": 1, "return_voice": 1}


def voices(frames: list[Json]) -> list[Json]:
    return [frame for frame in frames if frame.get("status") == "voice_ready"]


async def spoken(faulty: Faulty, name: str, peer: Peer) -> list[Json]:
    """A turn of three sentences with voices."""
    return await whole(faulty, peer, asks("셋", name, return_voice=1))


async def fetched(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(url, headers=headers)


@BOTH
async def test_a_voice_is_late_and_what_follows_waits_for_it(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "voice-late", "when": {"room": name}, "seconds": 20, "skip": 1, "count": 1})
    async with room(faulty.server, name, revision) as peer, faulty.frozen() as advance:
        await peer.send(asks("셋", name, return_voice=1))
        await faulty.told(name, 1)
        frames: list[Json] = []
        while not frames or len(said(frames)) < len(THREE[0] + THREE[1]):
            frames.append(await peer.receive())
        assert len(voices(frames)) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                frames.append(await peer.receive())
        await advance(20)
        assert types([await peer.receive()]) == ["voice_ready"]
        while types(frames)[-1] != "END":
            frames.append(await peer.receive())
    assert said(frames) == "".join(THREE)
    assert len(voices(frames)) == 2


@pytest.mark.parametrize(
    ("fault", "status"), [("voice-missing", 404), ("voice-expired", 403), ("voice-forbidden", 403)]
)
@BOTH
async def test_an_announced_voice_cannot_be_had(
    faulty: Faulty, name: str, revision: str, fault: str, status: int
) -> None:
    await faulty.add({"fault": fault, "when": {"room": name}, "skip": 1, "count": 1})
    async with room(faulty.server, name, revision) as peer:
        frames = await spoken(faulty, name, peer)
    urls = [voice["voice_url"] for voice in voices(frames)]
    assert all(VOICE_URL.fullmatch(url) for url in urls), "it looks like any other"
    answers = [await fetched(url) for url in urls]
    assert [answer.status_code for answer in answers] == [200, status, 200]
    assert answers[1].headers["content-type"].startswith("application/xml")
    assert said(frames) == "".join(THREE)
    assert types(frames)[-1] == "END"
    assert await faulty.strikes(name) == [fault]


async def test_an_expired_url_says_so_itself(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "voice-expired", "when": {"room": name}})
    async with room(faulty.server, name) as peer:
        frames = await spoken(faulty, name, peer)
    (first, *_) = voices(frames)
    expires = int(parse_qs(urlsplit(first["voice_url"]).query)["Expires"][0])
    assert expires <= float(frames[0]["cAt"])
    assert "expired" in (await fetched(first["voice_url"])).text


@BOTH
async def test_a_sentence_that_cannot_be_spoken_has_no_voice(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "voice-failed", "when": {"room": name}, "count": 1})
    async with room(faulty.server, name, revision) as peer:
        frames = await spoken(faulty, name, peer)
    assert len(voices(frames)) == 2
    first = next(frame for frame in frames if frame.get("sent_uid"))["sent_uid"]
    assert first not in {voice["sent_uid"] for voice in voices(frames)}
    assert said(frames) == "".join(THREE)


@pytest.mark.parametrize("factor", [0.01, 0.5, 1, 3.7])
async def test_the_announced_length_is_wrong_but_possible(faulty: Faulty, name: str, factor: float) -> None:
    await faulty.add({"fault": "voice-wrong-length", "when": {"room": name}, "factor": factor, "skip": 1, "count": 1})
    async with room(faulty.server, name) as peer:
        frames = await spoken(faulty, name, peer)
    right: list[bool] = []
    for voice in voices(frames):
        told = voice["voice_length"]
        assert round(told / 0.024, 6) == round(told / 0.024)
        assert told > 0
        true = mp3_length((await fetched(voice["voice_url"])).content)
        right.append(abs(told - true) < 0.012)
        if not right[-1] and factor != 1:
            assert abs(told - max(0.024, true * factor)) < 0.05
    assert right == [True, False, True]


@pytest.mark.parametrize("keep", [0, 0.4, 1])
@BOTH
async def test_the_file_ends_early_and_the_answer_agrees_with_it(
    faulty: Faulty, name: str, revision: str, keep: float
) -> None:
    rule: dict[str, Any] = {"fault": "voice-truncated", "when": {"room": name}, "keep": keep, "count": 1}
    async with room(faulty.server, name, revision) as peer:
        true = [len((await fetched(v["voice_url"])).content) for v in voices(await spoken(faulty, name, peer))]
        await faulty.add(rule)
        answers = [await fetched(v["voice_url"]) for v in voices(await spoken(faulty, name, peer))]
        again = [await fetched(v["voice_url"]) for v in voices(await spoken(faulty, name, peer))]
    lengths = [len(answer.content) for answer in answers]
    assert lengths == [min(int(true[0] * keep), true[0] - 1), *true[1:]]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [int(answer.headers["content-length"]) for answer in answers] == lengths
    assert [len(answer.content) for answer in again] == true, "what was spoken is not spoilt"


async def test_a_range_of_a_short_file_is_served_as_far_as_it_goes(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "voice-truncated", "when": {"room": name}, "keep": 0.5})
    async with room(faulty.server, name) as peer:
        (first, *_) = voices(await spoken(faulty, name, peer))
    size = len((await fetched(first["voice_url"])).content)
    answer = await fetched(first["voice_url"], Range="bytes=100-999999")
    assert (answer.status_code, len(answer.content)) == (206, size - 100)
    assert answer.headers["content-range"] == f"bytes 100-{size - 1}/{size}"


@pytest.mark.parametrize("revision", [NEWEST, "2024-09-11"])
@pytest.mark.parametrize("unreachable", ["voice-missing", "voice-expired", "voice-forbidden"])
async def test_the_voice_of_a_greeting_cannot_be_had_either(
    faulty: Faulty, name: str, revision: str, unreachable: str
) -> None:
    """Its file has the same name each time: what was there before is gone too, and comes back with the next one."""
    async with room(faulty.server, name, revision) as peer:
        for count, status in enumerate([200, 404 if unreachable == "voice-missing" else 403, 200]):
            if count == 1:
                await faulty.add({"fault": unreachable, "when": {"room": name, "action": "greeting"}, "count": 1})
            (voice,) = voices(await peer.turn({**GREET, "room_uid": name}))
            assert (await fetched(voice["voice_url"])).status_code == status
    assert await faulty.strikes(name) == [unreachable]


async def test_a_greeting_can_be_late_silent_short_and_of_another_length(faulty: Faulty, name: str) -> None:
    greet = {**GREET, "room_uid": name}
    when = {"room": name}
    async with room(faulty.server, name) as peer:
        (right,) = voices(await peer.turn(greet))
        (live,) = await faulty.add({"fault": "voice-failed", "when": when})
        assert types(await peer.turn(greet)) == ["START", "greeting", "END"]
        await faulty.remove(live)
        await faulty.add(
            {"fault": "voice-wrong-length", "when": when, "factor": 2},
            {"fault": "voice-truncated", "when": when},
            {"fault": "voice-late", "when": when, "seconds": 30},
        )
        async with faulty.frozen() as advance:
            await peer.send(greet)
            assert [types([await peer.receive()]) for _ in range(2)] == [["START"], ["greeting"]]
            await faulty.told(name, 4)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await peer.receive()
            await advance(30)
            wrong = await peer.receive()
    assert wrong["voice_length"] == round(2 * right["voice_length"], 3)
    short = (await fetched(wrong["voice_url"])).content
    assert len(short) == round(right["voice_length"] / 0.024) * 144 // 2


async def test_a_socket_that_closes_while_a_voice_is_late_leaves_nothing(faulty: Faulty, name: str) -> None:
    before = await faulty.tasks()
    await faulty.add({"fault": "voice-late", "when": {"room": name}, "seconds": 86_400})
    async with room(faulty.server, name) as peer:
        await peer.send(asks("셋", name, return_voice=1))
        await faulty.told(name, 1)
    await faulty.quiet(before)

"""Faults of a turn: a model that is slow, fails or hangs, scripted or real; credit that runs out, revoked keys."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.chldo.renders import NO_CREDIT
from tests.live import DEMO_KEY, Json, LiveServer, write_fixtures
from tests.openai_server import OpenAIServer
from tests.wire.faults.conftest import POOR_KEY, SPARE_KEY
from tests.wire.faults.stage import BARE, FLAT, NEWEST, TOKENS, WRAPPED, Faulty, asks, room, said, types, whole
from tests.wire.faults.test_frames import request
from tests.wire.test_gateway import saved, until

TOKEN = {NEWEST: "stream", WRAPPED: "on_chat_model_stream"}
BOTH = pytest.mark.parametrize("revision", [NEWEST, WRAPPED])


async def balance(faulty: Faulty, space: str = "test") -> int:
    return (await faulty.server.run(faulty.server.engine.store.charge(space, 0))).balance


@pytest.mark.parametrize("revision", [NEWEST, WRAPPED, BARE, FLAT])
async def test_the_first_token_is_slow_and_what_comes_before_is_not(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "slow-first-token", "when": {"room": name}, "seconds": 600})
    async with room(faulty.server, name, revision) as peer, room(faulty.server, f"{name}x", revision) as other:
        usual = types(await whole(faulty, other, request(revision, f"{name}x")))
        async with faulty.frozen() as advance:
            await peer.send(request(revision, name))
            await faulty.told(name, 1)
            frames = []
            for _ in range(
                next(at for at, kind in enumerate(usual) if kind in ("stream", "on_chat_model_stream", "message"))
            ):
                frames.append(await peer.receive())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await peer.receive()
            await advance(599)
            assert types([await other.ask({"action": "status"})]) == ["connected"]
            await advance(1)
            while len(frames) < len(usual):
                frames.append(await peer.receive())
        assert types(frames) == usual
        assert said(frames) == "".join(TOKENS)


@BOTH
async def test_tokens_come_no_faster_than_they_may(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "slow-tokens", "when": {"room": name}, "per_second": 20})
    async with room(faulty.server, name, revision) as peer:
        began = asyncio.get_running_loop().time()
        assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)
        assert asyncio.get_running_loop().time() - began >= (len(TOKENS) - 1) / 20
    assert await faulty.strikes(name) == ["slow-tokens"]


ERROR = {"error": {"message": "분당 한도를 넘었어요", "code": None}}
TOLD = "Error code: 429 - {'error': {'message': '분당 한도를 넘었어요', 'code': None}}"


@pytest.mark.parametrize("after", [0, 3, len(TOKENS), 1000])
@pytest.mark.parametrize("revision", [NEWEST, WRAPPED])
async def test_a_model_that_fails_is_told_as_a_real_one(faulty: Faulty, name: str, revision: str, after: int) -> None:
    when = {"room": name}
    rule = {"fault": "llm-error", "when": when, "status": 429, "body": ERROR, "after_tokens": after, "count": 1}
    before = await balance(faulty)
    async with room(faulty.server, name, revision) as peer:
        await faulty.add(rule)
        frames = await whole(faulty, peer, asks("세어", name))
        kinds = types(frames)
        assert kinds[-3:] == ["error", "think", "END"]
        assert list(frames[-3]) == ["status", "connection_id", "msg", "msgtype"]
        assert frames[-3]["msg"] == TOLD
        assert said(frames) == "".join(TOKENS[:after])
        if revision == WRAPPED:
            assert kinds.index("on_chat_model_start") < kinds.index("error")
            assert "on_chain_stream" not in kinds, "nothing tells of an end that was never reached"
        assert (await saved(faulty.server, name)).saved == 0
        assert await balance(faulty) == before, "what a failed turn has paid is given back"
        assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)
    assert (await saved(faulty.server, name)).saved == 1


async def test_the_documented_failure_of_the_model_comes_frame_by_frame(faulty: Faulty, name: str) -> None:
    """The same events as the page shows for a failing model: open runs are never closed."""
    await faulty.add({"fault": "llm-error", "when": {"room": name}, "status": 404, "body": {"status": "failure"}})
    async with room(faulty.server, name, WRAPPED) as peer:
        kinds = types(await whole(faulty, peer, asks("세어", name)))
    assert kinds[-4:] == ["on_chat_model_start", "error", "think", "END"]
    assert "on_chain_stream" not in kinds


async def test_the_error_of_a_model_has_a_body_by_default(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "llm-error", "when": {"room": name}})
    async with room(faulty.server, name) as peer:
        frames = await whole(faulty, peer, asks("세어", name))
    assert frames[-3]["msg"] == "Error code: 500 - {'error': {'message': 'a fault of the emulator'}}"


@pytest.mark.parametrize("return_voice", [0, 1])
@BOTH
async def test_a_model_that_hangs_ends_with_the_time_of_the_turn(
    tmp_path: Path, name: str, revision: str, return_voice: int
) -> None:
    fixtures = write_fixtures(tmp_path / "fixtures", replies=[{"when": {"msg": "세어"}, "tokens": TOKENS}])
    voice = {"engine": "tone", "workers": 1}
    settings: dict[str, Any] = {"v3": {"turn_timeout": 0.5}, "watch": False}
    with LiveServer(tmp_path / "data", fixtures=fixtures, voice=voice, **settings) as server:
        faulty = Faulty(server)
        await until(lambda: server.engine.speaker.workers and faulty.watched)
        before = await faulty.tasks()
        await faulty.add({"fault": "hang", "when": {"room": name}, "after_tokens": 2})
        async with room(server, name, revision) as peer, room(server, f"{name}x", revision) as other:
            await peer.send(asks("세어", name, return_voice=return_voice))
            assert said(await other.turn(asks("세어", f"{name}x"))) == "".join(TOKENS)
            frames = [await peer.receive()]
            while types(frames)[-1] != "END":
                frames.append(await peer.receive())
        await faulty.quiet(before)
    assert types(frames)[-3:] == ["error", "think", "END"]
    assert frames[-3]["msg"] == "Request timed out."
    assert said(frames) == "".join(TOKENS[:2])


async def test_a_hanging_turn_can_be_left(faulty: Faulty, name: str) -> None:
    before = await faulty.tasks()
    await faulty.add({"fault": "hang", "when": {"room": name}})
    async with room(faulty.server, name) as peer:
        await peer.send(asks("세어", name))
        await faulty.told(name, 1)
    await faulty.quiet(before)


async def test_turn_faults_compose(faulty: Faulty, name: str) -> None:
    when = {"room": name}
    await faulty.add(
        {"fault": "slow-first-token", "when": when, "seconds": 0.2},
        {"fault": "slow-tokens", "when": when, "per_second": 20},
        {"fault": "llm-error", "when": when, "after_tokens": 4},
    )
    async with room(faulty.server, name) as peer:
        began = asyncio.get_running_loop().time()
        frames = await whole(faulty, peer, asks("세어", name))
        assert asyncio.get_running_loop().time() - began >= 0.2 + 3 / 20
    assert said(frames) == "".join(TOKENS[:4])
    assert types(frames)[-3:] == ["error", "think", "END"]
    assert await faulty.strikes(name) == ["slow-first-token", "slow-tokens", "llm-error"]


async def test_a_reply_that_is_not_streamed_fails_likewise(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "llm-error", "when": {"room": name}, "after_tokens": 2})
    async with room(faulty.server, name) as peer:
        frames = await whole(faulty, peer, asks("세어", name, stream=0))
    assert types(frames)[-3:] == ["error", "think", "END"]
    assert said(frames) == ""


async def test_a_real_model_fails_hangs_and_is_slow_likewise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with OpenAIServer() as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space={"model": "gpt-4o-mini"})
        settings: dict[str, Any] = {"agent": {"timeout": 5.0, "retries": 0}, "v3": {"turn_timeout": 3.0}}
        with LiveServer(tmp_path / "data", fixtures=fixtures, **settings) as server:
            faulty = Faulty(server)
            async with room(server, name) as peer:
                (live,) = await faulty.add({"fault": "llm-error", "after_tokens": 1, "status": 503, "body": "바빠요"})
                frames = await whole(faulty, peer, asks("안녕", name))
                assert said(frames) == "안녕하세요! "
                assert frames[-3]["msg"] == "Error code: 503 - 바빠요"
                await faulty.remove(live)
                (live,) = await faulty.add({"fault": "hang", "after_tokens": 1})
                frames = await peer.turn(asks("안녕", name))
                assert frames[-3]["msg"] == "Request timed out."
                await faulty.remove(live)
                await faulty.add({"fault": "slow-first-token", "seconds": 0.3})
                began = asyncio.get_running_loop().time()
                assert said(await peer.turn(asks("안녕", name))) == "안녕하세요! 저는 진짜 모델입니다."
                assert asyncio.get_running_loop().time() - began >= 0.3


@pytest.mark.parametrize("left", [0, 99])
@BOTH
async def test_credit_runs_out_before_the_model_is_asked(faulty: Faulty, name: str, revision: str, left: int) -> None:
    await faulty.add({"fault": "no-credit", "when": {"room": name}, "balance": left, "count": 1})
    async with room(faulty.server, name, revision) as peer:
        frames = await whole(faulty, peer, asks("세어", name, api_key=SPARE_KEY))
        assert types(frames)[-3:] == ["error", "think", "END"]
        assert frames[-3]["msg"] == NO_CREDIT.format(balance=left)
        assert "on_chat_model_start" not in types(frames)
        assert await balance(faulty, "spare") == left
        again = await whole(faulty, peer, asks("세어", name, api_key=SPARE_KEY))
        assert again[-3]["msg"] == NO_CREDIT.format(balance=left), "the balance has really fallen"
        await faulty.server.run(faulty.server.engine.store.set_credit("spare", 5000))
        assert said(await peer.turn(asks("세어", name, api_key=SPARE_KEY))) == "".join(TOKENS)
    assert await faulty.strikes(name) == ["no-credit"]


@BOTH
async def test_credit_runs_out_in_mid_turn(faulty: Faulty, name: str, revision: str) -> None:
    """The price of a turn is 150 won: given back, it would be enough for the next one."""
    store = faulty.server.engine.store
    await faulty.server.run(store.set_credit("poor", 10_000))
    await faulty.add({"fault": "no-credit", "when": {"room": name}, "after_tokens": 3, "balance": 7, "count": 1})
    async with room(faulty.server, name, revision) as peer:
        frames = await whole(faulty, peer, asks("세어", name, api_key=POOR_KEY))
        assert said(frames) == "".join(TOKENS[:3])
        assert types(frames)[-3:] == ["error", "think", "END"]
        assert frames[-3]["msg"] == NO_CREDIT.format(balance=7)
        assert await balance(faulty, "poor") == 7
        again = await whole(faulty, peer, asks("세어", name, api_key=POOR_KEY))
        assert (said(again), again[-3]["msg"]) == ("", NO_CREDIT.format(balance=7))
    async with room(faulty.server, f"{name}x", revision) as other:
        assert said(await other.turn(asks("세어", f"{name}x"))) == "".join(TOKENS), "other spaces are not touched"
    assert (await saved(faulty.server, name, "poor")).saved == 0


@pytest.mark.parametrize(("what", "text"), [("unusable", "api_key is not usable"), ("unknown", "api_key is not exist")])
@BOTH
async def test_a_key_is_revoked_between_two_turns(
    tmp_path: Path, name: str, revision: str, what: str, text: str
) -> None:
    fixtures = write_fixtures(
        tmp_path / "fixtures",
        replies=[{"when": {"msg": "세어"}, "tokens": TOKENS}],
        spaces=[{"uid": "other", "api_keys": [SPARE_KEY]}],
    )
    with LiveServer(tmp_path / "data", fixtures=fixtures, voice={"engine": "tone", "workers": 1}) as server:
        faulty = Faulty(server)
        await faulty.add({"fault": "key-revoked", "when": {"room": name}, "as": what, "skip": 1, "count": 1})
        async with room(server, name, revision) as peer, room(server, f"{name}x", revision) as other:
            assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)
            (refused,) = await whole(faulty, peer, asks("세어", name))
            assert list(refused.items())[2:] == [("msg", text), ("msgtype", "error")]
            assert (await other.ask(asks("세어", f"{name}x")))["msg"] == text, "the key is revoked for everybody"
            assert said(await other.turn(asks("세어", f"{name}x", api_key=SPARE_KEY))) == "".join(TOKENS)
        assert await faulty.strikes(name) == ["key-revoked"]
        found = await server.run(server.engine.store.by_key(DEMO_KEY))
        assert found is None if what == "unknown" else found is not None and not found[1].usable


async def test_a_revision_without_keys_has_none_to_revoke(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "key-revoked", "when": {"room": name}})
    async with room(faulty.server, name, BARE) as peer:
        message: Json = asks("세어", name, org_id="org_test")
        assert said(await peer.turn(message)) == "".join(TOKENS)
    assert await faulty.strikes(name) == []

"""The proxy in front of a real model, of another emulator, and of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from app.agent.models import ChatModels, Upstream
from app.chldo.proxy import NO_KEY
from app.emulation.determinism import RealClock
from app.emulation.fixtures import load_fixtures
from tests.live import DEMO_KEY, LiveServer, sendmsg, talk, write_fixtures
from tests.openai_server import OpenAIServer
from tests.wire.proxied import ADD, TOKENS, Proxied, collect, said, serving, user


def upstream_of(server: OpenAIServer, key: str = "sk-upstream-secret") -> Upstream:
    return Upstream(api_key=key, base_url=server.base_url, timeout=1.0, max_retries=0)


async def test_an_upstream_gets_every_field_and_gives_its_stream(tmp_path: Path) -> None:
    async with (
        OpenAIServer() as server,
        serving(tmp_path, space={"model": "gpt-4o-mini"}, upstream=upstream_of(server)) as proxied,
    ):
        stream = await proxied.client().chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "developer", "content": "짧게"}, *user("안녕")],
            stream=True,
            temperature=0.5,
            max_tokens=50,
            stop=["끝"],
            tools=[ADD],
            tool_choice="auto",
            seed=7,
            response_format={"type": "json_object"},
        )
        chunks = await collect(stream)
        scripted = await proxied.post({"model": "scripted", "messages": user("안녕")})
    told = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert (told, chunks[-1].choices[0].finish_reason) == ("안녕하세요! 저는 진짜 모델입니다.", "stop")
    assert said(scripted)[0] == "".join(TOKENS)
    (asked,) = server.requests
    assert asked["messages"] == [{"content": "짧게", "role": "developer"}, {"content": "안녕", "role": "user"}]
    sent = {"model": "gpt-4o", "temperature": 0.5, "max_tokens": 50, "stop": ["끝"], "seed": 7, "tool_choice": "auto"}
    assert asked | sent == asked
    assert asked["tools"] == [ADD]
    assert asked["response_format"] == {"type": "json_object"}


async def test_an_upstreams_tool_call_comes_through(tmp_path: Path) -> None:
    async with (
        OpenAIServer() as server,
        serving(tmp_path, space={"model": "gpt-4o-mini"}, upstream=upstream_of(server)) as proxied,
    ):
        stream = await proxied.client().chat.completions.create(
            model="tools", messages=user("2+3"), tools=[ADD], stream=True
        )
        chunks = await collect(stream)
    pieces: Any = next(chunk.choices[0].delta.tool_calls for chunk in chunks if chunk.choices[0].delta.tool_calls)
    assert (pieces[0].id, pieces[0].function.name) == ("call_1", "add")
    assert json.loads(pieces[0].function.arguments) == {"a": 2, "b": 3}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_an_upstreams_refusal_is_passed_on(tmp_path: Path) -> None:
    async with (
        OpenAIServer() as server,
        serving(tmp_path, space={"model": "gpt-4o-mini"}, upstream=upstream_of(server)) as proxied,
    ):
        for stream in (False, True):
            answer = await proxied.post({"model": "missing", "messages": user("안녕"), "stream": stream})
            assert (answer.status_code, answer.json()) == (404, NO_KEY)


@pytest.mark.parametrize("model", ["malformed", "stalls"])
async def test_a_stream_that_breaks_ends_with_an_error(model: str, tmp_path: Path) -> None:
    space = {"model": "gpt-4o-mini", "credit": 300, "credit_per_turn": 100}
    async with OpenAIServer() as server, serving(tmp_path, space=space, upstream=upstream_of(server)) as proxied:
        answer = await proxied.post({"model": model, "messages": user("안녕"), "stream": True})
        assert await proxied.balance() == 300
        with pytest.raises(openai.APIError) as broken:
            await collect(
                await proxied.client().chat.completions.create(model=model, messages=user("안녕"), stream=True)
            )
    events = answer.text.split("\n\n")
    assert answer.status_code == 200
    assert set(json.loads(events[-2][6:])["error"]) == {"message", "type", "param", "code"}
    assert "[DONE]" not in answer.text
    assert broken.value.message


async def test_an_upstream_that_is_not_there_is_a_bad_gateway(tmp_path: Path) -> None:
    nowhere = Upstream(api_key="sk-upstream-secret", base_url="http://127.0.0.1:9/v1", timeout=1.0, max_retries=0)
    async with serving(tmp_path, space={"model": "gpt-4o-mini"}, upstream=nowhere) as proxied:
        answer = await proxied.post({"model": "gpt-4o", "messages": user("안녕")})
    assert (answer.status_code, answer.json()["error"]["message"]) == (502, "Connection error.")


async def test_a_proxy_behind_a_proxy_gives_exact_counts_and_calls(tmp_path: Path) -> None:
    async with serving(tmp_path / "a") as near:
        upstream = Upstream(api_key=DEMO_KEY, base_url=f"{near.http}/v1", max_retries=0)
        async with serving(tmp_path / "b", space={"model": "gpt-4o-mini"}, upstream=upstream) as far:
            client = far.client().chat.completions
            whole = await client.create(model="gpt-4o", messages=user("안녕"), max_tokens=3)
            called = await client.create(model="gpt-4o", messages=user("더해 줘"), tools=[ADD])
            counted = await collect(
                await client.create(
                    model="gpt-4o", messages=user("안녕"), stream=True, stream_options={"include_usage": True}
                )
            )
            refused = await far.post({"model": "gpt-4o", "messages": user("오류")})
            exposed = await far.post({"model": "gpt-4o", "messages": user("비밀")})
    assert (exposed.status_code, exposed.json()["error"]["message"]) == (401, "no such key: ***")
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("안녕하세요", "length")
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 3
    assert called.choices[0].finish_reason == "tool_calls"
    assert called.choices[0].message.tool_calls
    assert counted[-1].usage is not None
    assert counted[-1].usage.completion_tokens == len(TOKENS)
    assert (refused.status_code, refused.json()) == (404, NO_KEY)


async def test_a_proxy_that_is_its_own_upstream_says_so(tmp_path: Path) -> None:
    upstream = Upstream(api_key=DEMO_KEY, base_url="http://127.0.0.1:9/v1", max_retries=0)
    async with serving(tmp_path, space={"model": "gpt-4o-mini"}, upstream=upstream) as proxied:
        circle = Upstream(api_key=DEMO_KEY, base_url=f"{proxied.http}/v1", max_retries=0)
        await proxied.models.close()
        proxied.models = ChatModels(
            book=load_fixtures(tmp_path / "fixtures").replies, clock=RealClock(), upstream=circle
        )
        answer = await proxied.post({"model": "gpt-4o", "messages": user("안녕")})
        await proxied.models.close()
    assert (answer.status_code, answer.json()["error"]["code"]) == (508, "proxy_loop")


def behind(folder: Path, monkeypatch: pytest.MonkeyPatch, near: Proxied, key: str) -> LiveServer:
    """A whole emulator whose turns are answered by the proxy of another one."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{near.http}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", key)
    fixtures = write_fixtures(folder / "fixtures", replies=[], space={"model": "gpt-4o-mini"})
    return LiveServer(folder / "data", fixtures=fixtures)


async def test_a_turn_is_answered_through_the_proxy_of_another_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path / "near") as near:
        with behind(tmp_path, monkeypatch, near, DEMO_KEY) as far:
            async with talk(far) as peer:
                frames = await peer.turn(sendmsg("안녕"))
    assert [frame["msg"] for frame in frames if frame["status"] == "stream"] == TOKENS
    assert not [frame for frame in frames if frame["msgtype"] == "error"]


async def test_a_turn_with_an_unknown_upstream_key_fails_in_the_documented_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path / "near") as near:
        with behind(tmp_path, monkeypatch, near, "0" * 22) as far:
            async with talk(far) as peer:
                frames = await peer.turn(sendmsg("안녕"))
    assert [frame["msg"] for frame in frames if frame["msgtype"] == "error"] == [
        "Error code: 404 - {'status': 'failure', 'message': 'API_KEY does not exist.'}"
    ]
    assert frames[-1]["status"] == "END"

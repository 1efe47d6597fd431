"""A space whose model is not scripted is answered by ChatOpenAI, from a real OpenAI-compatible server."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.live import Json, LiveServer, sendmsg, talk, write_fixtures
from tests.openai_server import OpenAIServer

SECRET = "sk-test-0123456789abcdef"


def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base_url: str, model: str) -> LiveServer:
    monkeypatch.setenv("OPENAI_BASE_URL", base_url)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    space = {"model": model, "prompt": "당신은 {{visitor_name}}의 친구입니다."}
    fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space=space)
    return LiveServer(tmp_path / "data", fixtures=fixtures, agent={"timeout": 1.0, "retries": 0})


def statuses(frames: list[Json]) -> list[str]:
    return [frame["status"] for frame in frames]


async def test_tokens_come_from_the_upstream_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenAIServer() as upstream:
        with server(tmp_path, monkeypatch, upstream.base_url, "gpt-4o-mini") as live:
            async with talk(live) as peer:
                await peer.turn(sendmsg("처음", visitor_name="철수"))
                frames = await peer.turn(sendmsg("다음", visitor_name="철수", model="gpt-4o", language="id"))
    assert (
        "".join(frame["msg"] for frame in frames if frame["status"] == "stream") == "안녕하세요! 저는 진짜 모델입니다."
    )
    assert statuses(frames)[-2:] == ["think", "END"]
    first, second = upstream.requests
    assert first["model"] == "gpt-4o-mini"
    assert first["stream"] is True
    assert first["messages"] == [
        {"role": "system", "content": "당신은 철수의 친구입니다."},
        {"role": "user", "content": "처음"},
    ]
    assert second["model"] == "gpt-4o"
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "user"]
    assert "code id." in second["messages"][0]["content"]
    assert upstream.authorizations[0] == f"bearer {SECRET}"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("missing", "Error code: 404 - {'status': 'failure', 'message': 'API_KEY does not exist.'}"),
        ("malformed", None),
        ("stalls", None),
    ],
)
async def test_an_upstream_failure_is_told_inside_the_flow(
    model: str, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with OpenAIServer() as upstream:
        with server(tmp_path, monkeypatch, upstream.base_url, model) as live:
            async with talk(live) as peer:
                frames = await peer.turn(sendmsg())
                await peer.socket.send('{"action":"status"}')
                assert (await peer.receive())["status"] == "connected"
    assert statuses(frames)[-3:] == ["connected", "think", "END"]
    failure = frames[-3]
    assert failure["msgtype"] == "error"
    assert failure["msg"]
    assert SECRET not in failure["msg"]
    if said is not None:
        assert failure["msg"] == said


async def test_a_refused_connection_is_told_as_the_client_words_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with server(tmp_path, monkeypatch, address, "gpt-4o-mini") as live:
            async with talk(live) as peer:
                frames = await peer.turn(sendmsg())
    assert frames[-3]["msg"] == "Connection error."
    assert statuses(frames)[-2:] == ["think", "END"]


async def test_a_closed_socket_lets_the_upstream_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenAIServer() as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space={"model": "stalls"})
        with LiveServer(tmp_path / "data", fixtures=fixtures) as live:
            async with talk(live) as peer:
                await peer.send(sendmsg())
                while (await peer.receive())["status"] != "stream":
                    pass
            await upstream.dropped.wait()

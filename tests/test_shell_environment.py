"""The program in a shell whose proxies, certificates and OPENAI_* variables are odd: it does what was configured."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from app.voice.encode import RATE
from tests.broken_upstream import BrokenUpstream, whole
from tests.live import Json, Peer, sendmsg
from tests.test_program import refused, running

ODD = {
    **dict.fromkeys(("ALL_PROXY", "all_proxy", "HTTPS_PROXY"), "socks://127.0.0.1:9"),
    **dict.fromkeys(("HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9"),
    "NO_PROXY": "[::,;,1/99,http://[",
    "SSL_CERT_FILE": "/nowhere/ca.pem",
    "SSL_CERT_DIR": "/nowhere",
    "REQUESTS_CA_BUNDLE": "/nowhere/ca.pem",
}
ELSEWHERE = {
    "OPENAI_PROXY": "http://127.0.0.1:9",
    "OPENAI_ORG_ID": "org-of-the-shell",
    "OPENAI_ORGANIZATION": "org-of-the-shell",
    "OPENAI_PROJECT_ID": "project-of-the-shell",
    "OPENAI_API_BASE": "http://127.0.0.1:9/v1",
    "LANGSMITH_GATEWAY": "http://127.0.0.1:9",
}
SOUND = b"\x00\x10" * RATE


async def turn(address: str, **fields: int) -> list[Json]:
    async with connect(address, proxy=None) as socket:
        return await Peer(socket).turn({**sendmsg(), **fields})


def said(frames: list[Json]) -> str:
    return "".join(str(frame["msg"]) for frame in frames if frame["status"] == "stream")


async def test_a_scripted_server_needs_nothing_of_it_and_speaks_in_tones_where_the_voice_does(tmp_path: Path) -> None:
    given = {**ODD, **ELSEWHERE, "OPENAI_API_KEY": "sk-of-the-shell", "OPENAI_BASE_URL": "no address"}
    given |= {"CHLDO_VOICE_ENGINE": "openai", "CHLDO_VOICE_BASE_URL": "https://models.example/v1"}
    with running(tmp_path, **given) as (_, address):
        frames = await turn(address, return_voice=1)
    assert said(frames)
    assert "voice_ready" in [frame["status"] for frame in frames]
    log = (tmp_path / "log.txt").read_text()
    assert "HTTPS_PROXY=socks://127.0.0.1:9 cannot be used" in log
    assert "Traceback" not in log


async def test_a_model_and_a_voice_on_this_machine_are_asked_directly(tmp_path: Path) -> None:
    with BrokenUpstream() as upstream:
        upstream.by_model = {"tts-1": whole(SOUND, "audio/pcm")}
        given = {**ODD, **ELSEWHERE, "OPENAI_API_KEY": "sk-mine", "CHLDO_VOICE_ENGINE": "openai"}
        given["CHLDO_AGENT_MODEL"] = "real"
        given["OPENAI_BASE_URL"] = upstream.base_url.replace("127.0.0.1", "localhost")
        with running(tmp_path, **given) as (_, address):
            frames = await turn(address, return_voice=1)
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.post(
                    f"{address.replace('ws', 'http', 1).rpartition('/v')[0]}/v1/chat/completions",
                    json={"model": "real", "messages": [{"role": "user", "content": "안녕"}], "stream": True},
                    headers={"authorization": f"Bearer {sendmsg()['api_key']}"},
                )
    assert said(frames) == "안녕하세요."
    (voice,) = [frame for frame in frames if frame["status"] == "voice_ready"]
    assert voice["voice_length"] == 1.056
    assert "안녕하세요." in answer.text
    assert len(upstream.heads) == 3
    for head in map(str.lower, upstream.heads):
        assert "authorization: bearer sk-mine" in head
        assert "of-the-shell" not in head


@pytest.mark.parametrize(
    ("name", "value", "url"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:1080", "http://models.example/v1"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "https://models.example/v1"),
    ],
)
async def test_a_model_elsewhere_that_cannot_be_reached_so_stops_the_start(
    tmp_path: Path, name: str, value: str, url: str
) -> None:
    given = {"CHLDO_AGENT_MODEL": "real", "OPENAI_BASE_URL": url, "NO_PROXY": "", "no_proxy": "", name: value}
    line = await asyncio.to_thread(refused, tmp_path, "--port", "0", **given)
    assert name in line

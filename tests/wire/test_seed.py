"""`--seed`: the same client script gives the same frames, byte by byte, whoever else is there."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from app.chldo.revisions import REVISIONS
from tests.golden import VOICE_URL
from tests.live import DEMO_KEY, LiveServer, sendmsg, write_fixtures
from tests.wire.proxied import said

REPLIES: list[dict[str, Any]] = [
    {
        "when": {"msg": "천천히"},
        "reply": "하나씩 하나씩 천천히 말할게요. 둘째 문장도 있어요!",
        "pace": {"first": 1.5, "per_second": 2},
    },
    {"when": {"msg": "오류"}, "error": {"status": 500, "body": {"message": "no"}}},
]

KEY = {"authorization": f"Bearer {DEMO_KEY}"}
Bytes = list[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_fixtures(tmp_path / "fixtures", replies=REPLIES)


async def raw_turn(socket: ClientConnection, room: str, revision: str, msg: str) -> Bytes:
    """The frames of a turn as they came."""
    shape = REVISIONS[revision]
    ask = sendmsg(msg, room_uid=room, return_voice=1)
    ask |= {"action": shape.action, "user_uid": "u", "org_id": "org_test"}
    await socket.send(json.dumps(ask, ensure_ascii=False))
    frames: Bytes = []
    while True:
        async with asyncio.timeout(30):
            frames.append(str(await socket.recv()))
        last = frames[-1]
        if '"END"' in last or ('"on_chain_end"' in last and '"parent_ids":[]' in last and "START" not in frames[0]):
            return frames
        if "client_num" in last and '"voice_url":"' in last and sum('"voice_url":"' in one for one in frames) == 2:
            return frames
        if '"error"' in last and '"START"' not in frames[0]:
            return frames


async def client(server: LiveServer, room: str, revision: str, messages: tuple[str, ...]) -> Bytes:
    """One client's whole script: two connections, one after the other."""
    path = REVISIONS[revision].path
    frames: Bytes = []
    for _ in range(2):
        address = f"{server.ws}{path}?room_uid={room}&user_uid=u&revision={revision}"
        async with connect(address, compression=None, max_size=None) as socket:
            await socket.send('{"action":"status"}')
            frames.append(str(await socket.recv()))
            await socket.send("no JSON")
            frames.append(str(await socket.recv()))
            for msg in messages:
                frames += await raw_turn(socket, room, revision, msg)
    return frames


Job = tuple[str, str]
"""A room and the revision that its client speaks."""

SPOKEN = [name for name in REVISIONS if name != "2023-12-28"]
JOBS: list[Job] = [(f"room{number:08d}", SPOKEN[number % len(SPOKEN)]) for number in range(20)]


def run(folder: Path, data: Path, seed: int, jobs: list[Job]) -> list[Bytes]:
    """The script of one client for each job, all at once, on a new server."""
    with LiveServer(data, fixtures=folder, seed=seed, v3={"url_base": "http://emulator"}) as server:

        async def everybody() -> list[Bytes]:
            return await asyncio.gather(*(client(server, *job, ("천천히", "오류")) for job in jobs))

        return asyncio.run(everybody())


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with a seed, for what asks it over HTTP."""
    base = tmp_path_factory.mktemp("proxied")
    folder = write_fixtures(base / "fixtures", replies=REPLIES)
    with LiveServer(base / "data", fixtures=folder, seed=7) as server:
        yield server


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Bytes]]:
    """What twenty clients in all revisions got, and the fixtures they talked to."""
    base = tmp_path_factory.mktemp("seed")
    folder = write_fixtures(base / "fixtures", replies=REPLIES)
    return folder, run(folder, base / "data", 11, JOBS)


def test_the_same_script_gives_the_same_bytes(twenty: tuple[Path, list[Bytes]], tmp_path: Path) -> None:
    folder, first = twenty
    second = run(folder, tmp_path, 11, JOBS)
    for (_, revision), one, other in zip(JOBS, first, second, strict=True):
        assert one == other, revision
        assert any("voice_ready" in frame for frame in one) == REVISIONS[revision].has_voice
    ids = {frame.partition('"stream_uid":"')[2][:25] for frames in first for frame in frames if "START" in frame}
    turns = sum("START" in frame and "stream_uid" in frame for frames in first for frame in frames)
    assert len(ids - {""}) == turns > 20, "every turn of every client has ids of its own"


def test_a_client_gets_the_same_alone_and_among_others(twenty: tuple[Path, list[Bytes]], tmp_path: Path) -> None:
    folder, together = twenty
    assert run(folder, tmp_path, 11, [JOBS[8]]) == [together[8]]


def test_another_seed_gives_other_ids(twenty: tuple[Path, list[Bytes]], tmp_path: Path) -> None:
    folder, together = twenty
    other = run(folder, tmp_path, 2, [JOBS[8]])[0]
    assert JOBS[8][1] == "2024-11-13"
    assert not set(other) & set(together[8])
    assert [frame.count("{") for frame in other] == [frame.count("{") for frame in together[8]]


def test_voices_are_the_same_too_and_their_urls_open_them(folder: Path, tmp_path: Path) -> None:
    found: list[list[tuple[str, str]]] = []
    for number in range(2):
        with LiveServer(tmp_path / f"data{number}", fixtures=folder, seed=5) as server:
            frames = asyncio.run(client(server, "51VPKp3F0yPX", "2024-11-13", ("천천히",)))
            urls = [frame.partition('"voice_url":"')[2].partition('"')[0] for frame in frames if "voice_ready" in frame]
            assert len(urls) == 4
            voices = []
            for url in urls:
                assert VOICE_URL.fullmatch(url)
                answer = httpx.get(url)
                assert answer.status_code == 200
                voices.append((url.removeprefix(server.http), hashlib.sha256(answer.content).hexdigest()))
            found.append(voices)
    assert found[0] == found[1]


def test_pauses_take_no_time_but_are_on_the_clock(folder: Path, tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", fixtures=folder, seed=5, start_at="2026-01-02T03:04:05Z") as server:
        frames = asyncio.run(client(server, "51VPKp3F0yPX", "2024-11-13", ("천천히",)))
    starts = [frame.partition('"cAt":"')[2].partition('"')[0] for frame in frames if '"START"' in frame]
    assert starts[0] == "1767323045.0"
    tokens = sum("on_chat_model_stream" in frame for frame in frames) // 2
    spent = float(starts[1]) - float(starts[0])
    assert spent == 1.5 + (tokens - 1) / 2, "the first turn's pace is on the second turn's clock"


@pytest.mark.parametrize("stream", [False, True])
def test_the_proxy_answers_a_paced_reply_at_once(proxied: LiveServer, stream: bool) -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "천천히"}], "stream": stream}
    answer = httpx.post(f"{proxied.http}/v1/chat/completions", json=body, headers=KEY, timeout=30)
    assert answer.status_code == 200
    assert said(answer) == (str(REPLIES[0]["reply"]), "stop")


def test_json_that_is_made_is_the_same_for_the_same_question_whoever_else_asks(proxied: LiveServer) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {}}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "Made", "schema": schema}}

    def asked(text: str) -> str:
        body = {"model": "m", "messages": [{"role": "user", "content": text}], "response_format": wanted}
        return said(httpx.post(f"{proxied.http}/v1/chat/completions", json=body, headers=KEY, timeout=30))[0]

    first, other, again = asked("하나"), asked("둘"), asked("하나")
    assert first == again != other


def test_a_pause_of_the_proxy_waits_while_the_clock_is_frozen(proxied: LiveServer) -> None:
    """A frozen clock holds it up, as it does a turn; time that moves for one completion moves for no other."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "천천히"}]}
    with httpx.Client(base_url=proxied.http, timeout=30, headers=KEY) as http, ThreadPoolExecutor(1) as other:
        before = http.get("/_emulator/clock").json()["time"]
        http.post("/_emulator/clock/freeze")
        answer = other.submit(http.post, "/v1/chat/completions", json=body)
        assert not wait({answer}, timeout=0.3).done
        http.post("/_emulator/clock/run")
        assert answer.result(30).status_code == 200
        assert http.get("/_emulator/clock").json()["time"] == before


async def test_idle_sockets_close_when_the_clock_is_advanced(folder: Path, tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", fixtures=folder, seed=5) as server:
        async with connect(f"{server.ws}/v3/?room_uid=r&user_uid=u", compression=None) as socket:
            await socket.send('{"action":"status"}')
            await socket.recv()
            await server.advance(599)
            await socket.send('{"action":"nothing"}')
            await socket.recv()
            await server.advance(601)
            async with asyncio.timeout(10):
                await socket.wait_closed()
            assert socket.close_code == 1001

"""Recordings of this wire are played back, to other sound, in other sessions, and refuse in its own words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from app.emulation.journal import Query
from app.malangee.tape_reading import tapes_at
from tests.live import LiveServer
from tests.malangee.caller import BYTES, GUEST, Caller, Sound, call, journal, quiet
from tests.malangee.conftest import QUICK
from tests.recording.upstream import recording

Spoken = Callable[[str], Sound]
SCENARIO = "/api/v1/scenarios/ws/guest-scenario"
TONE = {"workers": 1, "engine": "tone"}


class At:
    """Where a recorder stands, as `call` wants it."""

    def __init__(self, ws: str) -> None:
        self.ws = ws


@asynccontextmanager
async def taped(server: LiveServer, folder: Path, path: str) -> AsyncIterator[Caller]:
    """A socket to the server that is recorded."""
    async with recording(server.ws, folder) as at:
        upstream: Any = At(at.ws)
        async with call(upstream, path) as caller:
            yield caller


def replayed(folder: Path, tapes: Path, **more: Any) -> LiveServer:
    return LiveServer(folder, tape=tapes, voice=TONE, malangee=QUICK, **{"tape_speed": 0, **more})


async def two_turns(caller: Caller, first: bytes, second: bytes, *, pace: float = 20.0) -> dict[str, Any]:
    """Two spoken turns, a typed one, and the report."""
    await caller.until("audio.done")
    await caller.speak(first, pace=pace)
    await caller.until("audio.done", 2)
    await caller.speak(second, pace=pace)
    await caller.until("audio.done", 3)
    await caller.send({"type": "text", "text": "Tell me a joke"})
    await caller.until("audio.done", 4)
    await caller.send({"type": "disconnect"})
    report: dict[str, Any] = (await caller.until("disconnected"))["report"]
    return report


async def test_a_talk_is_played_to_other_sound_in_another_session(
    quick: LiveServer, spoken: Spoken, tmp_path: Path
) -> None:
    tapes = tmp_path / "tapes"
    tapes.mkdir()
    async with taped(quick, tapes, f"{GUEST}/demo-guest?voice=echo") as original:
        recorded = await two_turns(original, spoken("coffee").pcm, spoken("ticket").pcm)
        assert await original.gone() == (1000, "")
    with replayed(tmp_path / "data", tapes) as server:
        for path, first, second in (
            (f"{GUEST}/demo-guest?voice=echo", spoken("coffee").pcm, spoken("ticket").pcm),
            (f"{GUEST}/an-other-one", spoken("hello").pcm, spoken("airport").pcm),
            (f"{GUEST}/%ED%95%9C?voice=alloy&show_text=true", spoken("coffee").pcm[: BYTES // 2], quiet(0.3)),
        ):
            async with call(server, path) as again:
                report = await two_turns(again, first, second)
                assert await again.gone() == (1000, "")
            assert again.types == original.types
            assert bytes(again.audio) == bytes(original.audio)
            texts = [
                [frame["transcript"] for frame in one.frames if "transcript" in frame] for one in (again, original)
            ]
            assert texts[0] == texts[1]
            assert [one["content"] for one in report["messages"]] == [one["content"] for one in recorded["messages"]]
            session = path.rpartition("/")[2].partition("?")[0].replace("%ED%95%9C", "한")
            assert report["session_id"] == session
            assert report["started_at"] > recorded["started_at"]
        for name in ("ready", "audio.delta", "disconnected"):
            assert journal(server, Query(wire="tape", room="an-other-one", type=name)), name


async def test_what_is_said_waits_for_its_sound(quick: LiveServer, spoken: Spoken, tmp_path: Path) -> None:
    """In pieces of any size; nothing of a turn comes before somebody could have been heard."""
    tapes = tmp_path / "tapes"
    tapes.mkdir()
    async with taped(quick, tapes, f"{GUEST}/waits") as original:
        await original.speak(spoken("coffee").pcm, pace=20.0)
        await original.until("audio.done")
    with replayed(tmp_path / "data", tapes) as server:
        async with call(server, f"{GUEST}/waits") as again:
            await again.until("ready")
            await again.send({"type": "input_audio_buffer.append", "audio": "AAAA" * 5_000})  # 0.3 s
            await again.send({"type": "text", "text": "on no tape"})
            await again.until("error")
            assert again.types == ["ready", "error"]
            for _ in range(40):
                await again.send({"type": "input_audio_buffer.append", "audio": "AAAA" * 500})
            await again.until("audio.done")
            assert again.types == ["ready", "error", *original.types[1:]]


async def test_the_backends_dialect_is_played_as_well(backend: LiveServer, spoken: Spoken, tmp_path: Path) -> None:
    tapes = tmp_path / "tapes"
    tapes.mkdir()
    async with taped(backend, tapes, f"{GUEST}/backend-tape") as chat:
        await chat.until("transcript.done")
        await chat.speak(spoken("coffee").pcm, pace=20.0)
        await chat.until("transcript.done", 2)
        await chat.send({"type": "disconnect"})
        await chat.until("disconnected")
    async with taped(backend, tapes, SCENARIO) as scenario:
        for number in range(1, 4):
            if number < 4:
                await scenario.until("response.audio_transcript.done", number)
            await scenario.speak(spoken("airport").pcm, kind="input_audio_chunk", pace=20.0)
            await scenario.until("input_audio.transcript", number)
        told = await scenario.until("scenario.completed")
    with replayed(tmp_path / "data", tapes) as server:
        async with call(server, f"{GUEST}/other") as again:
            await again.until("transcript.done")
            await again.speak(spoken("hello").pcm, pace=20.0)
            await again.until("transcript.done", 2)
            await again.send({"type": "disconnect"})
            report = (await again.until("disconnected"))["report"]
        assert again.types == chat.types
        assert report["session_id"] == "other"
        async with call(server, SCENARIO) as again:
            for number in range(1, 4):
                await again.until("response.audio_transcript.done", number)
                await again.speak(spoken("hello").pcm, kind="input_audio_chunk", pace=20.0)
                await again.until("input_audio.transcript", number)
            new = await again.until("scenario.completed")
            assert again.types == scenario.types
            assert new["json"]["sessionId"] != told["json"]["sessionId"]
            assert {**new["json"], "sessionId": ""} == {**told["json"], "sessionId": ""}


@pytest.fixture(scope="module")
def greeted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Tapes that have an opening only, made by hand, one for each family of frames."""
    folder = tmp_path_factory.mktemp("by-hand")
    for number, (path, frame) in enumerate(
        (
            (f"{GUEST}/x", {"type": "ready"}),
            ("/api/v1/ws/guest-scenario", {"type": "ready"}),
            (SCENARIO, {"type": "ready"}),
            ("/ws/human", {"type": "auth.ok"}),
            ("/v3/", {"status": "connected"}),
            ("/elsewhere", {"hello": "there"}),
        )
    ):
        header = {"tape": 1, "url": f"ws://there{path}"}
        lines = [header, {"from": "server", "at": 0.0, "text": json.dumps(frame)}]
        (folder / f"{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with replayed(tmp_path_factory.mktemp("data"), folder) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "said", "told"),
    [
        (
            f"{GUEST}/x",
            {"type": "text", "text": "Hi"},
            '{"type":"error","code":"not_on_tape","message":"no tape answers',
        ),
        (
            "/api/v1/ws/guest-scenario",
            {"type": "text", "text": "Hi"},
            '{"type":"error","code":"not_on_tape","message":"no tape answers',
        ),
        (SCENARIO, {"type": "text", "text": "Hi"}, '{"type": "error", "message": "no tape answers'),
        (
            "/ws/human",
            {"type": "auth", "token": "x"},
            '{"type":"error","payload":{"code":"NOT_ON_TAPE","message":"no tape answers',
        ),
        ("/v3/", {"action": "sendmsg", "msg": "x"}, '{"status":"connected","connection_id":"'),
        ("/elsewhere", {"ask": 1}, '{"error":{"type":"not_on_tape","message":"no tape answers'),
    ],
    ids=["chat", "scenario", "backend", "hashee", "chldo", "unknown"],
)
async def test_a_refusal_has_the_shape_of_the_wire(greeted: LiveServer, path: str, said: Any, told: str) -> None:
    async with connect(greeted.ws + path) as socket, asyncio.timeout(20):
        await socket.recv()
        await socket.send(json.dumps(said))
        assert str(await socket.recv()).startswith(told)


async def test_sound_that_no_tape_has_is_no_request(greeted: LiveServer) -> None:
    """A microphone sends six frames a second: none of them is refused. A second of sound in one frame is no flood."""
    async with call(greeted, f"{GUEST}/y") as caller:
        await caller.until("ready")
        for _ in range(5):
            await caller.send({"type": "input_audio_buffer.append", "audio": "AAAA" * 16_000})
        await caller.send({"type": "input_audio_buffer.append", "audio": "no base64"})
        await caller.until("error")
        assert caller.types == ["ready", "error"]
        assert caller.count("error") == 1


def test_paths_of_other_wires_are_left_to_them() -> None:
    assert tapes_at("/v3", 1) is None
    assert tapes_at("/ws/human", 1) is None
    assert tapes_at("/api/v1/chat/ws/guest-chat", 1) is None
    guide, backend = tapes_at("/api/v1/ws/scenario", 1), tapes_at("/api/v1/scenarios/ws/scenario", 1)
    assert guide is not None
    assert backend is not None
    assert guide == tapes_at(f"{GUEST}/x", 1)
    assert backend != guide

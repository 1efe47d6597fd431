"""The real program in front of a real server: what it says, what it leaves, and how little it holds."""

from __future__ import annotations

import asyncio
import json
import signal
import socket as sockets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.emulation.tapes import read_tape
from tests.live import DEMO_KEY, LiveServer, Peer, sendmsg
from tests.recording.program import command, environment, record
from tests.recording.upstream import CHUNK, UpstreamServer

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("emulator"), voice={"workers": 1, "engine": "tone"}) as server:
        yield server


async def test_a_conversation_is_recorded_without_its_key_and_with_its_voices(
    emulator: LiveServer, tmp_path: Path
) -> None:
    folder = tmp_path / "tapes"
    with record(emulator.ws, folder, "--voices") as recorder:
        async with connect(f"{recorder.ws}/v3/?room_uid=51VPKp3F0yPX&user_uid=u1&api_key={DEMO_KEY}") as socket:
            peer = Peer(socket)
            frames = await peer.turn(sendmsg(return_voice=1))
            frames += await peer.turn(sendmsg(msg="민트 좋아해?", return_voice=1))
            frames.append(await peer.ask(sendmsg(api_key="f" * 22)))
            frames.append(await peer.ask({"action": "nothing", "api_key": DEMO_KEY}))
        said = recorder.stop()
    assert recorder.process.returncode == 0
    urls = [frame["voice_url"] for frame in frames if "voice_url" in frame]
    assert said.strip() == f"1 tapes in {folder}: {4 + len(frames)} messages, {len(urls)} voices"
    (tape,) = recorder.tapes
    hidden = [url.partition("Signature=")[0] for url in urls]
    taped = [json.loads(frame.text or "") for frame in tape.frames if frame.direction == "server"]
    for frame in (*frames, *taped):
        if "voice_url" in frame:
            frame["voice_url"] = frame["voice_url"].partition("Signature=")[0]
    assert taped == frames
    assert [url.partition("Signature=")[0] for url in tape.files] == hidden
    async with httpx.AsyncClient() as client:
        for url, file in zip(urls, tape.files.values(), strict=True):
            assert file.read_bytes() == (await client.get(url)).content
    everything = "".join(path.read_text() for path in folder.rglob("*") if path.suffix == ".jsonl")
    signatures = [url.partition("Signature=")[2].partition("&")[0] for url in urls]
    for secret in (DEMO_KEY, "f" * 22, *signatures):
        assert secret not in everything
    keys = [json.loads(frame.text or "")["api_key"] for frame in tape.frames if frame.direction == "client"]
    assert keys == ["redacted-key-1", "redacted-key-1", "redacted-key-2", "redacted-key-1"]
    assert "api_key=redacted-key-1" in tape.url


def test_the_banner_says_where_to_connect_and_what_it_stands_for(upstream: UpstreamServer, tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    with record(f"{upstream.url}/deep/", folder) as recorder:
        assert recorder.banner == [
            f"recording {upstream.url}/deep\n",
            f"  WebSocket   {recorder.ws}/ stands for {upstream.url}/deep/\n",
            f"  HTTP        {recorder.http}/ stands for {upstream.url.replace('ws', 'http')}/deep/\n",
            f"  tapes       {folder}\n",
            "  Ctrl-C ends the recording\n",
        ]
        assert recorder.ws.startswith("ws://127.0.0.1:")
        assert recorder.stop(signal.SIGTERM).strip() == f"0 tapes in {folder}: 0 messages"
    assert recorder.process.returncode == 0


async def test_an_open_connection_is_closed_with_1001_when_the_recording_ends(
    upstream: UpstreamServer, tmp_path: Path
) -> None:
    with record(upstream.url, tmp_path / "tapes") as recorder:
        async with connect(f"{recorder.ws}/echo") as socket:
            await socket.send("still here")
            assert await socket.recv() == "still here"
            stopping = asyncio.create_task(asyncio.to_thread(recorder.stop))
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert (socket.close_code, socket.close_reason) == (1001, "the recording has ended")
            assert "1 tapes" in await stopping
    (tape,) = recorder.tapes
    assert (tape.close, tape.closed_by) == ((1001, "the recording has ended"), "recorder")
    assert len(tape.frames) == 2


async def test_a_reader_that_stalls_holds_the_server_up_and_not_the_memory(
    upstream: UpstreamServer, tmp_path: Path
) -> None:
    count = 15_000
    with record(upstream.url, tmp_path / "tapes") as recorder:
        process = psutil.Process(recorder.process.pid)
        before = process.memory_info().rss
        async with connect(f"{recorder.ws}/flood/{count}", max_queue=1, compression=None) as socket:
            assert await socket.recv() == CHUNK
            sizes = [0]
            while len(sizes) < 20 or sizes[-1] != sizes[-20]:  # until nothing has moved for two seconds
                await asyncio.sleep(0.1)
                sizes.append(recorder.files[0].stat().st_size)
            assert sizes[-1] < 30 * MEGABYTE < count * len(CHUNK.encode())
            assert process.memory_info().rss - before < 32 * MEGABYTE
            received = 1
            async for message in socket:
                assert message == CHUNK
                received += 1
        assert received == count
        assert process.memory_info().rss - before < 48 * MEGABYTE
        recorder.stop()
    (tape,) = recorder.tapes
    assert len(tape.frames) == count
    assert all(frame.text == CHUNK for frame in tape.frames)


async def test_a_killed_recorder_leaves_a_tape_up_to_its_last_line(upstream: UpstreamServer, tmp_path: Path) -> None:
    with record(upstream.url, tmp_path / "tapes") as recorder:
        async with connect(f"{recorder.ws}/echo") as socket:
            for number in range(100):
                await socket.send(str(number))
                await socket.recv()
            while recorder.files[0].read_bytes().count(b"\n") < 201:
                await asyncio.sleep(0.01)
            recorder.process.kill()
            recorder.process.wait(10)
    (tape,) = recorder.tapes
    assert [frame.text for frame in tape.frames if frame.direction == "server"] == [str(n) for n in range(100)]
    assert tape.close is None
    torn = recorder.files[0].read_bytes()[:-10]
    recorder.files[0].write_bytes(torn)
    assert len(read_tape(recorder.files[0]).frames) == 199


def test_what_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "tapes"))
    done = subprocess.run(
        command("record", "--upstream", "https://example.com", *out),
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "chldo-emulator: --upstream: expected wss://host[:port][/path] or ws://…, found 'https://example.com'\n"
    )


def test_an_address_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    with sockets.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command("record", "--upstream", "ws://example.com", "--out", str(tmp_path / "tapes"), "--port", port),
            capture_output=True,
            encoding="utf-8",
            env=environment(),
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"chldo-emulator: cannot listen on 127.0.0.1:{port}: Address already in use; choose another port with --port"
    )

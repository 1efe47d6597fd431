"""What is said is written down: by pocketsphinx in a process of its own, or by an endpoint."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.emulation.determinism import RealClock
from app.voice.failures import VoiceFailure
from app.voice.speech import Speaker
from app.voice.transcribing import OpenAITranscriber, SphinxTranscriber


async def spoken(text: str) -> bytes:
    speaker = Speaker(engine="pyttsx3", workers=1, timeout=20, clock=RealClock())
    await speaker.start()
    try:
        return bytes(9_600) + (await speaker.say(text, "en", voice="en-us", format="pcm")).audio + bytes(9_600)
    finally:
        await speaker.close()


async def test_pocketsphinx_recognises_a_short_sentence() -> None:
    transcriber = SphinxTranscriber(workers=1, timeout=60, clock=RealClock())
    try:
        heard = await transcriber.transcribe(await spoken("I would like a cup of coffee please."), "en-US")
        # A quarter of the words may be wrong by the engine's own measure; these are not.
        assert {"would", "like", "cup", "coffee"} <= set(heard.split()), heard
        assert await transcriber.transcribe(b"", "en") == ""
        assert await transcriber.transcribe(bytes(9_600), "en") == ""
        assert await transcriber.transcribe(await spoken("Hello."), "ko") == ""
        assert len(transcriber.pids) == 1
    finally:
        await transcriber.close()
    assert not transcriber.pids


@asynccontextmanager
async def endpoint(status: int, body: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An HTTP server that answers everything alike, and what it was asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-len"))
        asked.append(head + await reader.readexactly(size))
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", asked


def client(url: str) -> OpenAITranscriber:
    return OpenAITranscriber(base_url=url, api_key="sk-test", model="whisper-1", timeout=5)


async def test_an_endpoint_gets_a_wav_and_gives_the_text() -> None:
    async with endpoint(200, json.dumps({"text": " Hello there. "}).encode()) as (url, asked):
        transcriber = client(url)
        assert await transcriber.transcribe(bytes(4_800), "en-US") == "Hello there."
        await transcriber.close()
    (call,) = asked
    assert call.startswith(b"POST /v1/audio/transcriptions ")
    assert b"authorization: bearer sk-test" in call.lower()
    assert b"whisper-1" in call
    file = call[call.index(b"RIFF") :]
    with wave.open(io.BytesIO(file)) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (24_000, 2_400)


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"{}"), (200, b"no json"), (200, b"[]"), (200, b'{"other": 1}'), (401, b"")]
)
async def test_an_endpoint_that_fails_is_a_failure_without_the_key(status: int, body: bytes) -> None:
    async with endpoint(status, body) as (url, _):
        transcriber = client(url)
        with pytest.raises(VoiceFailure) as failure:
            await transcriber.transcribe(bytes(4_800), "en")
        await transcriber.close()
    assert "sk-test" not in str(failure.value)


async def test_an_endpoint_that_is_not_there() -> None:
    transcriber: Any = client("http://127.0.0.1:9/v1")
    with pytest.raises(VoiceFailure):
        await transcriber.transcribe(bytes(4_800), "en")
    await transcriber.close()


async def test_no_proxy_of_the_shell_stands_before_an_endpoint_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "socks://127.0.0.1:9")
    async with endpoint(200, b'{"text": "heard"}') as (url, _):
        transcriber = OpenAITranscriber(base_url=url, api_key="k", model="m", timeout=5)
        assert await transcriber.transcribe(bytes(100), "en") == "heard"
        await transcriber.close()
    transcriber = OpenAITranscriber(base_url="http://models.example/v1", api_key="k", model="m", timeout=5)
    with pytest.raises(VoiceFailure, match="http_proxy="):
        await transcriber.transcribe(bytes(100), "en")
    await transcriber.close()

"""The engine `openai` against a real HTTP server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.voice.encode import MAX_SECONDS, RATE
from app.voice.openai import OpenAISpeech
from app.voice.speech import VoiceFailure
from tests.voice.conftest import MakeSpeaker
from tests.voice.sound import SENTENCE, loudness, walk_frames

KEY = "sk-never-to-be-seen"
SECOND = b"\x00\x10" * RATE


class SpeechServer:
    """Answers each request with the next of `answers`: a body, a status, or `stall`; the last one for ever."""

    def __init__(self, *answers: bytes | int | str) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.stalled = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            self.heads.append(head)
            self.asked.append(json.loads(await reader.readexactly(length)))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer == "stall":
                self.stalled.set()
                await reader.read()
                return
            status, kind, body = (
                (200, "audio/pcm", answer) if isinstance(answer, bytes) else (answer, "text/html", b"no")
            )
            if answer == "json":
                status, kind, body = 200, "application/json", b"{}"
            assert isinstance(body, bytes)
            fields = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close"
            writer.write(f"HTTP/1.1 {status} X\r\n{fields}\r\n\r\n".encode() + body)
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()


def engine(base_url: str, timeout: float = 5.0) -> OpenAISpeech:
    return OpenAISpeech(base_url=base_url, api_key=KEY, model="m", voice="v", timeout=timeout)


async def test_the_request_is_as_documented_and_the_answer_becomes_mp3(make_speaker: MakeSpeaker) -> None:
    server = SpeechServer(SECOND)
    async with server.running() as base_url:
        speech = await (await make_speaker("openai", openai=engine(base_url + "/"))).say(SENTENCE)
    assert speech.engine == "openai"
    assert walk_frames(speech.audio) == 44
    assert speech.seconds == 1.056
    assert server.asked == [{"model": "m", "voice": "v", "input": SENTENCE, "response_format": "pcm"}]
    assert server.heads[0].startswith("POST /v1/audio/speech HTTP/1.1")
    assert f"\r\nauthorization: bearer {KEY}\r\n" in server.heads[0].lower()


async def test_pcm_passes_through_and_a_voice_can_be_named(make_speaker: MakeSpeaker) -> None:
    server = SpeechServer(SECOND + b"x")
    async with server.running() as base_url:
        speech = await (await make_speaker("openai", openai=engine(base_url))).say("x", voice="nova", format="pcm")
    assert speech.audio == SECOND
    assert server.asked[0]["voice"] == "nova"


async def test_without_a_key_none_is_sent(make_speaker: MakeSpeaker) -> None:
    server = SpeechServer(SECOND)
    async with server.running() as base_url:
        speaker = await make_speaker("openai", openai=OpenAISpeech(base_url=base_url, api_key=None))
        assert (await speaker.say(SENTENCE)).engine == "openai"
    assert "authorization" not in server.heads[0].lower()


async def test_an_endless_answer_is_cut_at_a_minute(make_speaker: MakeSpeaker) -> None:
    async with SpeechServer(SECOND * 90).running() as base_url:
        speech = await (await make_speaker("openai", openai=engine(base_url))).say("x", format="pcm")
    assert speech.seconds == MAX_SECONDS


@pytest.mark.parametrize("first", [500, 429, b"", "json"])
async def test_a_failure_that_may_pass_is_tried_again(make_speaker: MakeSpeaker, first: int | bytes | str) -> None:
    server = SpeechServer(first, SECOND)
    async with server.running() as base_url:
        speech = await (await make_speaker("openai", openai=engine(base_url))).say(SENTENCE)
    assert speech.engine == "openai"
    assert len(server.asked) == 2


@pytest.mark.parametrize(("answer", "requests"), [(500, 2), (401, 1), (404, 1), ("json", 2)])
async def test_tones_speak_when_it_does_not_and_the_key_stays_secret(
    make_speaker: MakeSpeaker, caplog: pytest.LogCaptureFixture, answer: int | str, requests: int
) -> None:
    caplog.set_level("DEBUG")
    server = SpeechServer(answer)
    async with server.running() as base_url:
        speech = await (await make_speaker("openai", openai=engine(base_url))).say(SENTENCE, format="pcm")
    assert speech.engine == "tone"
    assert loudness(speech.audio) > 1_000
    assert len(server.asked) == requests
    assert KEY not in caplog.text


async def test_a_stalled_or_absent_server_runs_into_the_time_out(make_speaker: MakeSpeaker) -> None:
    async with SpeechServer("stall").running() as base_url:
        speaker = await make_speaker("openai", openai=engine(base_url, timeout=0.1), fallback=False)
        with pytest.raises(VoiceFailure, match=r"no answer within 0\.1 s"):
            await speaker.say(SENTENCE)
    with pytest.raises(VoiceFailure, match="openai: ConnectError"):
        await speaker.say(SENTENCE)


async def test_closing_ends_a_request_that_is_under_way(make_speaker: MakeSpeaker) -> None:
    server = SpeechServer("stall")
    async with server.running() as base_url:
        speaker = await make_speaker("openai", openai=engine(base_url))
        saying = asyncio.create_task(speaker.say(SENTENCE))
        await server.stalled.wait()
        await speaker.close()
        with pytest.raises(VoiceFailure, match="closed"):
            await saying


async def test_no_proxy_of_the_shell_stands_before_a_voice_on_this_machine(
    make_speaker: MakeSpeaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "socks://127.0.0.1:9")
    async with SpeechServer(SECOND).running() as base_url:
        speech = await (await make_speaker("openai", openai=engine(base_url))).say(SENTENCE)
        assert speech.engine == "openai"


async def test_a_proxy_that_cannot_be_used_is_named_once_and_tones_speak(
    make_speaker: MakeSpeaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "socks://127.0.0.1:9")
    speech = await (await make_speaker("openai", openai=engine("http://models.example/v1"))).say(SENTENCE)
    assert speech.engine == "tone"
    assert caplog.text.count("http_proxy=socks://127.0.0.1:9 cannot be used") == 1

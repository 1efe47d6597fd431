"""Whatever the user has said is in the report and in the session, whenever and however they leave."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app.emulation.determinism import World, WorldClock
from app.emulation.presence import LineGone
from app.malangee.frames import RATE, AudioDelta
from app.malangee.mouth import AnswerFailed, Mouth, Saying
from app.malangee.scribe import Scribe
from app.malangee.turn import Turn, Turns
from app.voice.cache import Speech
from app.voice.listening import Utterance
from tests.live import LiveServer
from tests.malangee.caller import BYTES, GUEST, Caller, Sound, call, quiet
from tests.malangee.conftest import QUICK

Spoken = Callable[[str], Sound]
SERVERS = ["quick", "burst", "backend"]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> LiveServer:
    """Guide in real time and in bursts, and the backend's dialect."""
    found: LiveServer = request.getfixturevalue(request.param)
    return found


async def report_of(caller: Caller) -> dict[str, Any]:
    await caller.send({"type": "disconnect"})
    report: dict[str, Any] = (await caller.until("disconnected"))["report"]
    return report


def said(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["messages"] if one["role"] == "user"]


async def kept(server: LiveServer, room: str) -> tuple[float, list[str]]:
    """What the store has of a session: seconds of speech, and what the user said."""
    people = server.program.wires[1]._open.parts.people  # type: ignore[attr-defined]
    row = await server.run(people.session(room))
    messages = await server.run(people.messages(room))
    return row.speech_seconds, [one.content for one in messages if one.role == "user"]


@pytest.mark.parametrize("server", SERVERS, indirect=True)
async def test_a_sentence_that_has_just_ended_is_in_the_report(server: LiveServer, spoken: Spoken) -> None:
    sound = spoken("coffee")
    async with call(server, f"{GUEST}/ended") as caller:
        await caller.speak(sound.pcm, pace=100.0)
        report = await report_of(caller)
    assert caller.count("speech.stopped") == 1
    (mine,) = said(report)
    assert mine["content"] == "Hello, how are you today?"
    assert report["user_speech_duration_sec"] == mine["duration_sec"]
    assert mine["duration_sec"] >= sound.ended - sound.began - 0.2


@pytest.mark.parametrize("server", SERVERS, indirect=True)
async def test_speech_that_goes_on_is_in_the_report(server: LiveServer, spoken: Spoken) -> None:
    sound = spoken("coffee")
    until = sound.began + 0.8 * (sound.ended - sound.began)
    async with call(server, f"{GUEST}/going-on") as caller:
        await caller.speak(sound.pcm[: 2 * round(until * RATE)])
        await caller.until("speech.started")
        report = await report_of(caller)
    (mine,) = said(report)
    assert mine["duration_sec"] == pytest.approx(until - sound.began, abs=0.25)
    assert report["user_speech_duration_sec"] == mine["duration_sec"]
    assert "user.transcript" not in caller.types, "nothing of it is sent any more"


@pytest.mark.parametrize("server", SERVERS, indirect=True)
async def test_a_socket_that_just_closes_keeps_the_speech_as_well(server: LiveServer, spoken: Spoken) -> None:
    sound = spoken("ticket")
    room = f"closes-{server.port}"
    async with call(server, f"{GUEST}/{room}") as caller:
        await caller.speak(sound.pcm[: 2 * round((sound.ended - 0.3) * RATE)])
        await caller.until("speech.started")
    async with asyncio.timeout(20):
        while not (await kept(server, room))[1]:
            pass  # asking lets the server go on
    seconds, texts = await kept(server, room)
    assert seconds == pytest.approx(sound.ended - 0.3 - sound.began, abs=0.25)
    assert texts == ["Hello, how are you today?"]


async def test_typed_turns_that_wait_are_in_the_report(quick: LiveServer) -> None:
    async with call(quick, f"{GUEST}/typed-and-gone") as caller:
        for text in ("Tell me a story", "And a joke", "Hello"):
            await caller.send({"type": "text", "text": text})
        await caller.until("audio.delta")
        report = await report_of(caller)
    assert [one["content"] for one in said(report)] == ["Tell me a story", "And a joke", "Hello"]


async def test_a_disconnect_is_the_last_of_many_turns(quick: LiveServer, spoken: Spoken) -> None:
    """Spoken and typed ones, in the order in which they ended."""
    async with call(quick, f"{GUEST}/mixed") as caller:
        await caller.speak(spoken("coffee").pcm, pace=40.0)
        await caller.send({"type": "text", "text": "One moment"})
        await caller.until("speech.stopped")
        await caller.send({"type": "text", "text": "Another"})
        report = await report_of(caller)
    assert sorted(one["content"] for one in said(report)) == ["Another", "Hello, how are you today?", "One moment"]


@pytest.mark.parametrize("server", ["quick", "backend"], indirect=True)
async def test_only_the_backend_counts_the_silence_after_the_speech(server: LiveServer, spoken: Spoken) -> None:
    sound = spoken("coffee")
    async with call(server, f"{GUEST}/silence-{server.port}") as caller:
        await caller.speak(sound.pcm)
        await caller.until("user.transcript")
        report = await report_of(caller)
    spoke = sound.ended - sound.began
    window = QUICK["silence"] if server.settings.malangee.dialect == "backend" else 0.0
    assert said(report)[0]["duration_sec"] == pytest.approx(spoke + window, abs=0.15)
    assert report["user_speech_duration_sec"] == said(report)[0]["duration_sec"]


@asynccontextmanager
async def slow_endpoint(text: str) -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """A transcription endpoint: its base URL, whether it has been asked, and whether it may answer."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    body = json.dumps({"text": text}).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-len"))
        await reader.readexactly(size)
        asked.set()
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", asked, go_on


async def test_a_sentence_that_is_still_being_transcribed_is_in_the_report(tmp_path: Path, spoken: Spoken) -> None:
    async with slow_endpoint("A cup of coffee.") as (url, asked, go_on):
        settings = {**QUICK, "transcription": "openai", "transcription_url": url, "pace": "burst"}
        with LiveServer(tmp_path, malangee=settings) as server:
            async with call(server, f"{GUEST}/in-time") as caller:
                await caller.speak(spoken("coffee").pcm)
                await asked.wait()
                await caller.send({"type": "disconnect"})
                await caller.send({"type": "text", "text": "read after it"})
                go_on.set()
                report = (await caller.until("disconnected"))["report"]
            assert [one["content"] for one in report["messages"]] == ["A cup of coffee."]
            asked.clear()
            go_on.clear()
            async with call(server, f"{GUEST}/too-late") as caller:
                await caller.speak(spoken("coffee").pcm)
                await asked.wait()
                report = await report_of(caller)
                assert await caller.gone() == (1000, "")
            assert report["messages"] == []
            assert report["user_speech_duration_sec"] > 1.0
            go_on.set()


async def test_a_turn_is_recorded_once_also_when_it_is_given_up() -> None:
    turns = Turns()
    first, second = Turn("text", text="a"), Turn("text", text="b")
    for turn in (first, second, Turn("response.create")):
        assert turns.put(turn)
    assert await turns.next() is first
    assert turns.left() == [first, second], "it was taken, but not recorded"
    assert turns.left() == []
    assert turns.put(first)
    assert await turns.next() is first
    turns.recorded()
    assert turns.left() == []


async def test_an_utterance_is_transcribed_once_also_when_who_asked_is_cancelled() -> None:
    asked: list[bytes] = []
    go_on = asyncio.Event()

    class Slow:
        name = "slow"

        async def transcribe(self, pcm: bytes, language: str) -> str:
            asked.append(pcm)
            await go_on.wait()
            return "heard"

        def warm(self) -> None: ...

        async def close(self) -> None: ...

    scribe = Scribe(Slow(), (), language="en", seconds=20, note=lambda detail: None)
    utterance = Utterance(quiet(1.0), 0.5, 0.5 + 1.0)
    first = asyncio.create_task(scribe.transcript(utterance))
    while not asked:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    go_on.set()
    assert await scribe.transcript(utterance) == "heard"
    assert len(asked) == 1
    assert len(asked[0]) == BYTES
    await scribe.close()


@pytest.mark.parametrize("server", ["quick", "backend"], indirect=True)
async def test_a_page_that_closes_in_mid_answer_is_nothing_to_warn_of(
    server: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The microphone goes on until the very end, so the server learns of the close when it sends."""
    piece = {"type": "input_audio_buffer.append", "audio": base64.b64encode(quiet(1.5)).decode()}
    gateway = server.program.wires[1].gateway  # type: ignore[attr-defined]
    for number in range(6):
        async with call(server, f"{GUEST}/page-{number}") as caller:
            await caller.send({"type": "text", "text": "Tell me a story"})
            await caller.until("audio.delta", 1 + number)
            for _ in range(20):
                await caller.send(piece)
    async with asyncio.timeout(20):
        while await server.run(open_in(gateway)):
            pass  # asking lets the server go on
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def open_in(gateway: Any) -> int:
    return len(gateway.conversations)


async def test_a_socket_that_fails_is_no_answer_that_fails() -> None:
    """Both may raise OSError: a model's endpoint that is not there is told to the client, who is still there."""

    class Told:
        strand = World(WorldClock()).connection("malangee", "x")
        noted: ClassVar[list[Any]] = []

        def strike(self, place: Any) -> tuple[()]:
            return ()

        def note(self, kind: str, detail: Any) -> None:
            self.noted.append(detail)

    class Silent:
        async def say(self, text: str, language: str, **more: Any) -> Speech:
            return Speech(quiet(0.1), 0.1, "tone")

    async def broken() -> AsyncGenerator[str, None]:
        yield "One."
        raise ConnectionRefusedError("no model there")

    async def gone(frame: AudioDelta, exchange: Any) -> None:
        raise LineGone("closed")

    async def there(frame: AudioDelta, exchange: Any) -> None: ...

    for send, expected in ((gone, LineGone), (there, AnswerFailed)):
        voice: Any = Silent()
        exchange: Any = Told()
        mouth = Mouth(voice, language="en", voice=lambda: "alloy", factor=None, send=send)
        with pytest.raises(expected):
            await mouth.say(broken(), exchange, Saying())

"""Scenarios are talked out: place, partner and goal, in both dialects, whole, partly and not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.malangee.builder import Scenario, extract, usable
from app.malangee.script import Builder
from tests.live import LiveServer, write_fixtures
from tests.malangee.caller import Sound, call
from tests.malangee.conftest import QUICK
from tests.malangee.test_opening import token

API = "/api/v1"
GUIDE = f"{API}/ws/guest-scenario"
BACKEND = f"{API}/scenarios/ws/guest-scenario"


@pytest.mark.parametrize(
    ("text", "place", "partner", "goal"),
    [
        ("I am at the airport.", "airport", None, None),
        ("I'm at the bank with my boss", "bank", "boss", None),
        ("I want to open an account.", None, None, "open an account"),
        ("I am talking to the receptionist because I want to check in", None, "receptionist", "check in"),
        ("Hello there", None, None, None),
        ("", None, None, None),
    ],
)
def test_what_is_said_is_understood(text: str, place: str | None, partner: str | None, goal: str | None) -> None:
    assert extract(text, Builder()) == {"place": place, "partner": partner, "goal": goal}


@pytest.mark.parametrize("value", [None, "", "ok", "Thanks", "practice", "x" * 81, " . "])
def test_what_says_nothing_is_no_value(value: str | None) -> None:
    assert usable(value) is None


def test_the_first_value_stays_and_three_questions_are_the_most() -> None:
    scenario = Scenario(Builder())
    asked = []
    for text in ("I am at the airport", "I am at the hotel", "no idea", "none"):
        if scenario.complete:
            break
        asked.append(scenario.question())
        scenario.hear(text)
    assert scenario.values == {"place": "airport", "partner": None, "goal": None}
    assert len(asked) == 3
    assert scenario.title() == "airport"
    assert scenario.state()["asked_fields"] == ["goal", "partner", "place"]
    assert Scenario(Builder()).title() == "Conversation"


async def durations(server: LiveServer, session_id: str) -> tuple[float, float]:
    """What the store has of a session: seconds in all, and of the user's speech."""
    people = server.program.wires[1]._open.parts.people  # type: ignore[attr-defined]
    row = await server.run(people.session(session_id))
    return row.total_seconds, row.speech_seconds


def test_a_question_that_nobody_has_answered_is_asked_again_and_counts_once() -> None:
    scenario = Scenario(Builder())
    assert [scenario.question() for _ in range(5)] == ["Where are you having this conversation?"] * 5
    assert not scenario.complete
    scenario.hear("I am at the airport")
    assert scenario.question() == scenario.question() == "Who are you talking to?"
    assert scenario.asked == ["place", "partner"]


async def test_a_scenario_is_spoken_out_in_the_guides_dialect(
    quick: LiveServer, spoken: Callable[[str], Sound]
) -> None:
    async with call(quick, GUIDE) as caller:
        await caller.until("audio.done")
        for number in range(1, 4):
            await caller.speak(spoken("airport").pcm)  # what is heard stands in the script
            await caller.until("user.transcript", number)
            if number < 3:
                await caller.until("audio.done", number + 1)
        told = await caller.until("scenario.completed")
        assert list(told) == ["type", "json", "completed"]
        assert list(told["json"]) == ["place", "conversation_partner", "conversation_goal", "sessionId"]
        assert list(told["json"].values())[:3] == ["airport", "check-in agent", "check in"]
        await caller.send({"type": "disconnect"})
        report = (await caller.until("disconnected"))["report"]
        assert await caller.gone() == (1000, "")
    assert report["session_id"] == told["json"]["sessionId"]
    assert report["user_speech_duration_sec"] > 3.0
    assert await durations(quick, report["session_id"]) == (0.0, 0.0), "talking it out is no part of the later chats"
    spoken_texts = [frame["transcript"] for frame in caller.frames if frame["type"] == "transcript.done"]
    assert len(spoken_texts) == 3
    assert all(text.endswith("?") for text in spoken_texts)


async def test_a_scenario_in_the_backends_dialect(backend: LiveServer, spoken: Callable[[str], Sound]) -> None:
    async with call(backend, BACKEND) as caller:
        await caller.until("response.audio_transcript.done")
        for number in range(1, 4):
            await caller.speak(spoken("airport").pcm, kind="input_audio_chunk")
            await caller.until("input_audio.transcript", number)
            if number < 3:
                await caller.until("response.audio_transcript.done", number + 1)
        told = await caller.until("scenario.completed")
        assert await durations(backend, told["json"]["sessionId"]) == (0.0, 0.0)
        turn = ["response.audio.delta", "response.audio.done", "response.audio_transcript.done"]
        heard = "input_audio.transcript"
        assert caller.types == ["ready", *turn, heard, *turn, heard, *turn, heard, "scenario.completed"]
        assert all(frame["sample_rate"] == 24_000 for frame in caller.frames if frame["type"] == turn[0])
        await caller.send({"type": "text", "text": "Hello?"})
        await (await caller.socket.ping())
        assert caller.closed is None


async def test_speech_during_a_question_waits_in_the_backends_dialect(
    backend: LiveServer, spoken: Callable[[str], Sound]
) -> None:
    async with call(backend, BACKEND) as caller:
        await caller.until("response.audio.delta")
        await caller.speak(spoken("airport").pcm, kind="input_audio_chunk", pace=20.0)
        await caller.until("input_audio.transcript")
        done = caller.place("response.audio_transcript.done")
        assert caller.place("input_audio.transcript") > done


async def test_a_scenario_said_in_one_sentence_is_the_members_session(quick: LiveServer) -> None:
    told = await token(quick)
    async with call(quick, f"{API}/ws/scenario?token={told}") as caller:
        await caller.send({"type": "text", "text": "I am at the hotel with the receptionist and I want to check in."})
        uid = (await caller.until("scenario.completed"))["json"]["sessionId"]
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {told}"}, timeout=60) as client:
        kept = (await client.get(f"{quick.http}{API}/chat/sessions/{uid}")).json()
    assert (kept["scenario_place"], kept["scenario_partner"]) == ("hotel", "receptionist")
    assert kept["title"] == "hotel / receptionist / check in"
    assert kept["messages"] == []
    assert kept["scenario_state_json"]["completed"] is False
    assert kept["scenario_completed_at"]


def fixtures(folder: Path, builder: dict[str, Any]) -> Path:
    made = write_fixtures(folder, replies=[])
    (made / "malangee.yaml").write_text(yaml.safe_dump({"builders": [builder]}), encoding="utf-8")
    return made


async def test_outcomes_by_fixture(tmp_path: Path) -> None:
    none = {"given": {"place": None, "partner": None, "goal": None}, "save_fails": True}
    with LiveServer(
        tmp_path / "data", fixtures=fixtures(tmp_path / "f", none), malangee={**QUICK, "pace": "burst"}
    ) as server:
        async with call(server, GUIDE) as caller:
            for number in range(1, 4):
                await caller.send({"type": "text", "text": "I am at the airport."})
                await caller.until("audio.done", number)
            await caller.send({"type": "text", "text": "I am at the airport."})
            told = await caller.until("scenario.completed")
            assert list(told["json"].values())[:3] == [None, None, None]
            assert caller.frames[-2] == {
                "type": "error",
                "code": "save_failed",
                "message": "Scenario save failed",
            }
        (tmp_path / "f" / "malangee.yaml").write_text("builders: [{upstream: unheard}]", encoding="utf-8")
        await server.run(server.engine.fixtures.reload())
        async with call(server, BACKEND) as caller:
            await caller.until("response.audio_transcript.done")
            await caller.send({"type": "text", "text": "I am at the airport."})
            await caller.until("response.audio_transcript.done", 2)
            await caller.send({"type": "text", "text": "Nothing"})
            await caller.until("")
            assert caller.frames[-1]["text"].startswith("음성이 잘")
            assert caller.frames[-1]["raw"].isascii()
        (tmp_path / "f" / "malangee.yaml").write_text("builders: [{upstream: timeout}]", encoding="utf-8")
        await server.run(server.engine.fixtures.reload())
        async with call(server, BACKEND) as caller:
            await caller.until("")
            server.loop.call_soon_threadsafe(server.program.stage.world.clock.advance, 10.0)
            assert await caller.until("error") == {"type": "error", "message": "Realtime connection timeout"}
            await (await caller.socket.ping())
            assert caller.closed is None


async def test_what_is_not_understood_is_no_turn_of_a_scenario(tmp_path: Path, spoken: Callable[[str], Sound]) -> None:
    """Backend: an empty transcript is never sent, and nothing is asked. Guide: it is, and the user is asked to repeat
    it; no question is used up.
    """
    heard = {"transcripts": ["", " ", "I am at the airport."]}
    with LiveServer(
        tmp_path / "data", fixtures=fixtures(tmp_path / "f", heard), malangee={**QUICK, "pace": "burst"}
    ) as server:
        async with call(server, BACKEND) as caller:
            await caller.until("response.audio_transcript.done")
            for _ in range(3):
                await caller.speak(spoken("airport").pcm, kind="input_audio_chunk", pace=40.0)
            await caller.until("response.audio_transcript.done", 2)
            turn = ["response.audio.delta", "response.audio.done", "response.audio_transcript.done"]
            assert caller.types == ["ready", *turn, "input_audio.transcript", *turn]
            assert caller.frames[-1]["transcript"] == "Who are you talking to?"
        async with call(server, GUIDE) as caller:
            await caller.send({"type": "response.create"})
            await caller.until("audio.done")
            for number in (2, 3):
                await caller.speak(spoken("airport").pcm, pace=40.0)
                await caller.until("audio.done", number)
            await caller.speak(spoken("airport").pcm, pace=40.0)
            await caller.until("audio.done", 4)
            told = [frame["transcript"] for frame in caller.frames if frame["type"].endswith("transcript")]
            assert told == ["", " ", "I am at the airport."]
            said = [frame["transcript"] for frame in caller.frames if frame["type"] == "transcript.done"]
            unheard = "Sorry, I did not catch that. Could you say it again?"
            asked = ["Where are you having this conversation?", "Who are you talking to?"]
            assert said == [asked[0], unheard, unheard, asked[1]]

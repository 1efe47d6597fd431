"""A whole turn with speech that is really recognised."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.live import LiveServer
from tests.malangee.caller import GUEST, Sound, call


async def test_a_sentence_is_recognised_and_answered(tmp_path: Path, spoken: Callable[[str], Sound]) -> None:
    settings = {"transcription": "pocketsphinx", "silence": 1.0, "pace": "burst", "transcription_timeout": 60.0}
    with LiveServer(tmp_path, malangee=settings) as server:
        async with call(server, f"{GUEST}/stt") as caller:
            await caller.speak(spoken("coffee").pcm + bytes(48_000), pace=2.0)
            heard = (await caller.until("user.transcript"))["transcript"]
            assert {"would", "like", "cup", "coffee"} <= set(heard.lower().split()), heard
            assert "coffee" in (await caller.until("transcript.done"))["transcript"]
            began = time.perf_counter()
            await caller.send({"type": "disconnect"})
            await caller.gone()
            assert time.perf_counter() - began < 5


async def test_an_endpoint_that_is_not_there_makes_an_empty_transcript(
    tmp_path: Path, spoken: Callable[[str], Sound]
) -> None:
    settings = {"transcription": "openai", "transcription_url": "http://127.0.0.1:9/v1", "silence": 0.4}
    with LiveServer(tmp_path, malangee=settings | {"pace": "burst"}) as server:
        async with call(server, f"{GUEST}/none") as caller:
            await caller.speak(spoken("coffee").pcm)
            assert (await caller.until("user.transcript"))["transcript"] == ""
            assert (await caller.until("transcript.done"))["transcript"].startswith("Sorry, I did not catch that")
            await caller.send({"type": "disconnect"})
            report = (await caller.until("disconnected"))["report"]
            assert [one["role"] for one in report["messages"]] == ["assistant"], "a blank transcript is not kept"

"""The example page in a real browser, with a microphone that plays a WAV of spoken English."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.voice.transcribing import wav
from tests.browser import PROGRAM, Page, browser, served
from tests.live import LiveServer
from tests.malangee.caller import Sound, notes, quiet

PAGE = Path(__file__).parent.parent.parent / "examples" / "malangee"
PICTURES = os.environ.get("CHLDO_TEST_PICTURES")
"""A folder for screenshots; none are kept without."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed"),
]


async def shoot(page: Page, folder: Path, name: str) -> None:
    file = Path(PICTURES or folder) / f"{name}.png"
    await page.picture(file)
    assert file.stat().st_size > 5_000


@pytest.mark.timeout(240)
async def test_the_page_talks_listens_and_can_be_interrupted(tmp_path: Path, spoken: Callable[[str], Sound]) -> None:
    microphone = tmp_path / "microphone.wav"
    # The greeting is interrupted, the answer to it is not.
    microphone.write_bytes(wav(quiet(2.5) + spoken("coffee").pcm + quiet(60)))
    settings = {"transcription": "script", "silence": 0.8}
    with (
        LiveServer(tmp_path / "data", malangee=settings) as server,
        served(PAGE) as site,
    ):
        async with browser(tmp_path / "profile", microphone) as page:
            await page.do("Page.enable")
            await page.do("Page.navigate", url=f"{site}/?server={server.ws}&session=demo-guest")
            await page.until("document.readyState === 'complete' && document.getElementById('start').onclick !== null")
            await shoot(page, tmp_path, "1-before")
            await page.run("document.getElementById('start').click()")
            await page.until("document.getElementById('state').dataset.state === 'ready'")
            await page.until("document.getElementById('ai').classList.contains('on')")
            await page.until("document.getElementById('you').classList.contains('on')")
            assert not await page.run("document.getElementById('ai').classList.contains('on')"), "flushed at once"
            await shoot(page, tmp_path, "2-interrupted")
            await page.until("document.querySelector('#talk .user') !== null")
            await page.until("document.querySelector('#talk .assistant') !== null")
            await page.run("document.getElementById('text').value = 'Tell me a joke'")
            await page.run("document.getElementById('say').click()")
            await page.until("document.querySelectorAll('#talk .assistant').length === 2")
            await shoot(page, tmp_path, "3-talking")
            await page.run("document.getElementById('stop').click()")
            await page.until("document.getElementById('state').dataset.state === 'closed'")
            await shoot(page, tmp_path, "4-report")
            talk = await page.run("[...document.querySelectorAll('#talk li')].map(l => [l.className, l.textContent])")
            report = json.loads(await page.run("document.getElementById('report').textContent"))
            frames = await page.run("document.getElementById('frames').textContent")
        interrupted = notes(server, "barge-in")
    assert talk[0] == ["user", "I would like a latte, please."]
    assert talk[1][1].startswith("You said: I would like a latte")
    assert talk[-1] == ["note", "closed with 1000"]
    assert [one["role"] for one in report["messages"]] == ["assistant", "user", "assistant", "user", "assistant"]
    assert 1.2 < report["user_speech_duration_sec"] < 2.6
    assert "ready → audio.delta" in frames
    assert len(interrupted) == 1


@pytest.mark.timeout(240)
async def test_the_page_closes_after_the_report_of_a_backend_that_does_not(
    tmp_path: Path, spoken: Callable[[str], Sound]
) -> None:
    microphone = tmp_path / "microphone.wav"
    microphone.write_bytes(wav(quiet(0.5) + spoken("coffee").pcm + quiet(60)))
    settings = {"transcription": "script", "silence": 0.8, "dialect": "backend"}
    with (
        LiveServer(tmp_path / "data", malangee=settings) as server,
        served(PAGE) as site,
    ):
        async with browser(tmp_path / "profile", microphone) as page:
            await page.do("Page.enable")
            await page.do("Page.navigate", url=f"{site}/?server={server.ws}&session=demo-guest")
            await page.until("document.readyState === 'complete' && document.getElementById('start').onclick !== null")
            await page.run("document.getElementById('start').click()")
            await page.until("document.querySelectorAll('#talk .assistant').length === 2")
            await page.run("document.getElementById('stop').click()")
            await page.until("document.getElementById('state').dataset.state === 'closed'")
            talk = await page.run("[...document.querySelectorAll('#talk li')].map(l => [l.className, l.textContent])")
            report = json.loads(await page.run("document.getElementById('report').textContent"))
            assert not await page.run("document.getElementById('start').disabled"), "ready for another talk"
    assert talk[-1] == ["note", "closed with 1000"]
    assert [one["role"] for one in report["messages"]] == ["assistant", "user", "assistant"]

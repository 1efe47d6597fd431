"""Speaker and pool, mostly with an engine that misbehaves on request."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from concurrent.futures import Future

import pytest
import uvloop

from app.emulation.determinism import RealClock, VirtualClock
from app.voice.encode import pcm_seconds
from app.voice.process import Job, Worker
from app.voice.speech import Speaker, VoiceFailure
from app.voice.workers import Pool
from tests.voice.conftest import ODD, MakeSpeaker, Report, children
from tests.voice.odd_engines import CALL_SAMPLES
from tests.voice.sound import SENTENCE, loudness, walk_frames

ONE_CALL = CALL_SAMPLES / 24_000


async def test_start_does_not_wait_for_the_workers(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker()
    assert speaker.workers == ()
    assert (await speaker.say(SENTENCE)).engine == "pyttsx3"
    assert len(speaker.workers) == 1


async def test_the_tone_engine_speaks_when_it_is_the_chosen_one(make_speaker: MakeSpeaker) -> None:
    speech = await (await make_speaker("tone")).say(SENTENCE)
    assert speech.engine == "tone"
    assert speech.seconds == round(walk_frames(speech.audio) * 0.024, 3)


async def test_text_without_a_letter_is_a_short_silence(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker()
    silent = [await speaker.say(text, format="pcm") for text in ("", "😀🎉", "...!?", " \n ")]
    assert {speech.seconds for speech in silent} == {0.25}
    assert loudness(silent[0].audio) == 0
    assert walk_frames((await speaker.say("😀")).audio) == 13


async def test_what_was_said_is_held(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker(ODD)
    first = await speaker.say("가", format="pcm")
    assert await speaker.say(" 가 ", format="pcm") is first
    assert (await speaker.say("나", format="pcm")).seconds == 2 * ONE_CALL


async def test_equal_requests_at_once_are_one_job(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker(ODD)
    spoken = await asyncio.gather(*(speaker.say("가", format="pcm") for _ in range(50)))
    assert {id(speech) for speech in spoken} == {id(spoken[0])}
    assert (await speaker.say("나", format="pcm")).seconds == 2 * ONE_CALL


async def test_different_requests_are_different_jobs(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker(ODD)
    spoken = await asyncio.gather(*(speaker.say(f"가 {n}", format="pcm") for n in range(5)))
    assert sorted(speech.seconds for speech in spoken) == pytest.approx([ONE_CALL * n for n in range(1, 6)])


async def test_a_worker_killed_in_the_middle_of_a_job_costs_nothing(make_speaker: MakeSpeaker, report: Report) -> None:
    speaker = await make_speaker(ODD, workers=2)
    saying = asyncio.create_task(speaker.say("once report hang", format="pcm"))
    victim = await report()
    os.kill(victim, signal.SIGKILL)
    speech = await saying
    assert (speech.engine, speech.seconds) == (ODD, ONE_CALL)
    assert victim not in speaker.workers


async def test_a_worker_killed_between_jobs_is_replaced(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker(ODD)
    await speaker.say("가")
    (victim,) = speaker.workers
    os.kill(victim, signal.SIGKILL)
    assert (await speaker.say("나")).engine == ODD
    assert victim not in speaker.workers


async def test_a_hung_worker_is_replaced_and_tones_speak(
    make_speaker: MakeSpeaker, caplog: pytest.LogCaptureFixture
) -> None:
    speaker = await make_speaker(ODD, timeout=0.5)
    speech = await speaker.say("hang", format="pcm")
    assert speech.engine == "tone"
    assert loudness(speech.audio) > 1_000
    assert caplog.text.count("is replaced: no answer within 0.5 s") == 2
    assert (await speaker.say("가")).engine == ODD


async def test_a_sentence_that_failed_is_tried_anew_next_time(make_speaker: MakeSpeaker, report: Report) -> None:
    speaker = await make_speaker(ODD, timeout=0.5)
    assert (await speaker.say("hang", format="pcm")).engine == "tone"
    assert (await speaker.say("once hang", format="pcm")).engine == ODD


@pytest.mark.parametrize("text", ["die", "raise", "refuse", "empty"])
async def test_without_fallback_the_failure_says_why(make_speaker: MakeSpeaker, text: str) -> None:
    speaker = await make_speaker(ODD, fallback=False)
    with pytest.raises(VoiceFailure) as failure:
        await speaker.say(text)
    assert failure.value.reason.startswith(ODD)
    assert (await speaker.say("가")).engine == ODD


async def test_the_log_says_why_a_worker_died(make_speaker: MakeSpeaker, caplog: pytest.LogCaptureFixture) -> None:
    await (await make_speaker(ODD)).say("raise")
    assert "ended with 1: KeyError: 'a fault in the engine'" in caplog.text


async def test_a_worker_may_write_any_amount_to_standard_error(make_speaker: MakeSpeaker) -> None:
    assert (await (await make_speaker(ODD)).say("scream")).engine == ODD


async def test_an_engine_that_never_starts_is_down_after_three_tries(
    make_speaker: MakeSpeaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "app.voice")
    speaker = await make_speaker("tests.voice.odd_engines:Exits", workers=2)
    spoken = await asyncio.gather(*(speaker.say(f"가 {n}") for n in range(5)))
    spoken.append(await speaker.say("later"))
    assert {speech.engine for speech in spoken} == {"tone"}
    assert len(caplog.records) == 1
    assert "ended with 1: Error processing file phontab" in caplog.text
    assert speaker.down


async def test_an_engine_that_is_down_fails_at_once_without_fallback(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker("tests.voice.odd_engines:Exits", fallback=False)
    for _ in range(2):
        with pytest.raises(VoiceFailure, match="phontab"):
            await speaker.say("가")


async def test_a_full_queue_refuses_at_once(make_speaker: MakeSpeaker, report: Report) -> None:
    speaker = await make_speaker(ODD, queue_limit=2)
    first = asyncio.create_task(speaker.say("report"))
    second = asyncio.create_task(speaker.say("나"))
    twin = asyncio.create_task(speaker.say("나"))
    await asyncio.sleep(0)
    with pytest.raises(VoiceFailure, match="2 sentences are waiting"):
        await speaker.say("다")
    await report()
    assert await second == await twin
    await first
    assert (await speaker.say("다")).engine == ODD


async def test_a_cancelled_sentence_leaves_the_queue(make_speaker: MakeSpeaker, report: Report) -> None:
    speaker = await make_speaker(ODD)
    first = asyncio.create_task(speaker.say("report", format="pcm"))
    second = asyncio.create_task(speaker.say("나"))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await report()
    assert (await first).seconds == ONE_CALL
    assert (await speaker.say("다", format="pcm")).seconds == 2 * ONE_CALL


async def test_a_cancelled_caller_does_not_cancel_the_others(make_speaker: MakeSpeaker, report: Report) -> None:
    speaker = await make_speaker(ODD)
    saying = [asyncio.create_task(speaker.say("report", format="pcm")) for _ in range(3)]
    await asyncio.sleep(0)
    saying[0].cancel()
    await report()
    assert await saying[1] is await saying[2]
    assert saying[0].cancelled()


async def test_a_cancelled_job_that_soon_ends_keeps_its_worker(make_speaker: MakeSpeaker, report: Report) -> None:
    speaker = await make_speaker(ODD)
    await speaker.say("가")
    before = speaker.workers
    saying = asyncio.create_task(speaker.say("report report"))
    await report()
    saying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying
    assert speaker.busy
    await report()
    assert (await speaker.say("나", format="pcm")).seconds == pytest.approx(3 * ONE_CALL)
    assert speaker.workers == before


async def test_a_cancelled_job_that_goes_on_loses_its_worker(make_speaker: MakeSpeaker, report: Report) -> None:
    speaker = await make_speaker(ODD)
    saying = asyncio.create_task(speaker.say("report hang"))
    worker = await report()
    saying.cancel()
    async with asyncio.timeout(5):  # the time-out for a sentence is 10 s
        assert (await speaker.say("나")).engine == ODD
    assert worker not in speaker.workers


async def test_a_request_right_after_the_last_one_gave_up_is_a_new_one(
    make_speaker: MakeSpeaker, report: Report
) -> None:
    speaker = await make_speaker(ODD)
    leaving = asyncio.create_task(speaker.say("once report hang"))
    await report()
    leaving.cancel()
    await asyncio.sleep(0)
    assert (await speaker.say("once report hang")).engine == ODD


async def test_closing_fails_what_is_being_said(make_speaker: MakeSpeaker, report: Report) -> None:
    speaker = await make_speaker(ODD)
    saying = [asyncio.create_task(speaker.say(text)) for text in ("report hang", "나")]
    await report()
    await speaker.close()
    for task in saying:
        with pytest.raises(VoiceFailure, match="closed"):
            await task
    with pytest.raises(VoiceFailure, match="closed"):
        await speaker.say("다")


async def test_closing_while_the_workers_start_leaves_none() -> None:
    speaker = Speaker(engine="pyttsx3", workers=2, timeout=10, clock=VirtualClock())
    before = children()
    await speaker.start()
    for _ in range(3):
        await asyncio.sleep(0)
    await speaker.close()
    assert children() <= before


async def test_a_speaker_can_be_started_again(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker(ODD)
    await speaker.say("가")
    await speaker.close()
    await speaker.start()
    assert (await speaker.say("나")).engine == ODD


async def test_a_worker_is_replaced_after_its_share_of_jobs() -> None:
    pool = Pool(engine="tone", size=1, timeout=10, clock=VirtualClock(), recycle=3)
    pool.start()
    job = Job({"do": "speak", "text": "a", "voice": "", "format": "pcm"})
    seen = []
    for _ in range(7):
        await pool.do(job)
        seen.append(pool.pids)
    await pool.close()
    assert len({pids for pids in seen if pids}) == 3


async def test_a_worker_that_takes_too_long_to_start_is_ended() -> None:
    before = children()
    with pytest.raises(Exception, match=r"not ready within 0\.001 s"):
        await Worker.boot("pyttsx3", 0.001)
    assert children() <= before


@pytest.mark.parametrize("engine", ["espeak", "", "openai", "a:b:c"])
def test_an_engine_that_is_none_is_refused_before_anything_starts(engine: str) -> None:
    with pytest.raises(ValueError, match="engine"):
        Speaker(engine=engine, workers=1, timeout=1, clock=RealClock())


def test_it_works_on_uvloop_in_a_thread() -> None:
    """A server under test runs like that."""
    done: Future[str] = Future()

    async def speak() -> str:
        speaker = Speaker(engine=ODD, workers=1, timeout=0.5, clock=RealClock())
        await speaker.start()
        try:
            await speaker.say("die")
            await speaker.say("hang")
            (victim,) = speaker.workers or (0,)
            if victim:
                os.kill(victim, signal.SIGKILL)
            return (await speaker.say("가")).engine
        finally:
            await speaker.close()

    before = children()
    thread = threading.Thread(target=lambda: done.set_result(uvloop.run(speak())))
    thread.start()
    thread.join(30)
    assert done.result(0) == ODD
    assert children() <= before


async def test_the_loop_runs_on_while_tones_are_made(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker()
    turns = 0
    saying = asyncio.create_task(speaker.say("가" * 300, "xx"))
    while not saying.done():
        await asyncio.sleep(0)
        turns += 1
    assert pcm_seconds((await speaker.say("가" * 300, "xx", format="pcm")).audio) == 48.0
    assert turns > 50

"""The MaLangEE wire under eight people who speak at once."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from bench.rows import Row

SPEAKERS = 8
SILENCE = 1.5
SENTENCE = "I would like a cup of coffee please."


@contextmanager
def served(fixtures: Path, **settings: Any) -> Iterator[tuple[int, list[float]]]:
    """The emulator in a thread of its own; its port, and how late its event loop is, in seconds, as it goes on."""
    from app.main import create_app
    from app.serving import keep_loaded, listen, server_of
    from app.settings import load_settings

    lags: list[float] = []
    ready, listener = threading.Event(), listen("127.0.0.1", 0)

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - began - 0.005)

    with tempfile.TemporaryDirectory() as data:
        options = load_settings(fixtures=fixtures, data=Path(data), port=0, log_level="warning", malangee=settings)
        app = create_app(options, ready=ready.set)
        server = server_of(app, options)

        async def serve() -> None:
            watching = asyncio.create_task(watch())
            await server.serve(sockets=[listener])
            watching.cancel()

        thread = threading.Thread(target=lambda: uvloop.run(serve()))
        thread.start()
        try:
            assert ready.wait(60)
            keep_loaded()
            yield listener.getsockname()[1], lags
        finally:
            server.should_exit = True
            thread.join(30)
            listener.close()


def sentence() -> tuple[bytes, float]:
    """A spoken sentence with a second of silence behind it, and where the speech ends in it, in seconds."""

    async def speak() -> bytes:
        from app.emulation.determinism import RealClock
        from app.voice.speech import Speaker

        speaker = Speaker(engine="pyttsx3", workers=1, timeout=30, clock=RealClock())
        await speaker.start()
        try:
            return (await speaker.say(SENTENCE, "en", voice="en-us", format="pcm")).audio
        finally:
            await speaker.close()

    pcm = uvloop.run(speak())
    samples = array("h", pcm)
    last = max(place for place, sample in enumerate(samples) if abs(sample) > 300)
    return pcm, last / 24_000


def load(port: int, pcm: bytes, ends: float, *, speakers: int, turns: int, room: str) -> dict[str, list[float]]:
    """What the speakers measured, in a process of their own."""
    import subprocess

    with tempfile.NamedTemporaryFile() as file:
        file.write(pcm)
        file.flush()
        job = {"port": port, "sentence": file.name, "ends": ends, "speakers": speakers, "turns": turns, "room": room}
        done = subprocess.run(
            [sys.executable, "-m", "bench.speakers", json.dumps(job)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def p99(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[int(len(ordered) * 0.99)]


def malangee(fixtures: Path) -> list[Row]:
    """Eight speakers with scripted transcripts, then one with pocketsphinx."""
    pcm, ends = sentence()
    with served(fixtures, transcription="script", silence=SILENCE) as (port, lags):
        load(port, pcm, ends, speakers=1, turns=1, room="warm")
        lags.clear()
        told = load(port, pcm, ends, speakers=SPEAKERS, turns=2, room="bench")
        lag = p99(lags)
    with served(fixtures, transcription="pocketsphinx", silence=SILENCE, transcription_timeout=60.0) as (port, _):
        load(port, pcm, ends, speakers=1, turns=1, room="warm")
        heard = load(port, pcm, ends, speakers=1, turns=5, room="bench")
    busy = f"load {os.getloadavg()[0]:.1f}"
    waits, stt = median(told["waits"]) - SILENCE, median(heard["waits"]) - SILENCE
    return [
        Row("8 speakers: error of an audio.delta's time, p99, ms", p99(told["late"]) * 1000, 40, "<=", busy),
        Row("8 speakers: event-loop lag p99, ms", lag * 1000, 25, "<=", ""),
        Row("end of speech to first delta - silence, script, ms", waits * 1000, 150, "<=", "p50, 8 speakers"),
        Row("… with pocketsphinx, ms", stt * 1000, 1500, "<=", "p50"),
        Row("interruption to the last old delta, max, ms", max(told["cuts"]) * 1000, 60, "<=", ""),
    ]

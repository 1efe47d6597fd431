"""The worker process: `python -m app.voice.worker ENGINE`. Reads jobs from its input, writes audio to its output.

It imports nothing of the server. Engines print to standard output, so the pipe is moved away before one is loaded. A
thread of its own watches the input: when the server goes, however it goes, the worker ends at once, also within a job.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import NoReturn

from app.voice import packets
from app.voice.encode import MAX_SECONDS, capped, mp3, resample
from app.voice.engines import JobEngine, NamingEngine, SpeechEngine, load
from app.voice.failures import EngineRefusal
from app.voice.wording import pieces

Jobs = queue.SimpleQueue[tuple[packets.Head, bytes]]


def main(name: str) -> NoReturn:
    """Serves jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to answer
    source, target = _claim_pipes()
    jobs: Jobs = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(source, jobs), name="listen", daemon=True).start()
    engine = load(name)
    packets.write(target, packets.pack({"ready": engine.name}))
    while True:
        head, body = jobs.get()
        try:
            answer = packets.pack({}, perform(engine, head, body))
        except EngineRefusal as refusal:
            answer = packets.pack({"refused": str(refusal)})
        packets.write(target, answer)


def perform(engine: SpeechEngine | JobEngine, head: packets.Head, body: bytes) -> bytes:
    """Does one job; returns MP3 or 24 kHz PCM of at most a minute, or which voices the engine lacks, or what an engine
    with jobs of its own makes of it.

    Raises `EngineRefusal`.
    """
    if isinstance(engine, JobEngine):
        return engine.perform(head, body)
    if head["do"] == "check":
        return _lacking(engine, json.loads(body))
    pcm = capped(body) if head["do"] == "encode" else _speak(engine, head["text"], head["voice"])
    if not pcm:
        raise EngineRefusal("no sound came of it")
    return mp3(pcm) if head["format"] == "mp3" else pcm


def _lacking(engine: SpeechEngine, voices: list[str]) -> bytes:
    """Which of the voices cannot be had, and why, as a JSON object; an engine that cannot say lacks none."""
    reasons = {voice: engine.lacks(voice) for voice in voices} if isinstance(engine, NamingEngine) else {}
    return json.dumps({voice: reason for voice, reason in reasons.items() if reason is not None}).encode()


def _speak(engine: SpeechEngine, text: str, voice: str) -> bytes:
    """Speaks piece by piece and stops when a minute is full."""
    room = 2 * engine.rate * MAX_SECONDS
    parts: list[bytes] = []
    for piece in pieces(text):
        if room <= 0:
            break
        parts.append(engine.speak(piece, voice))
        room -= len(parts[-1])
    return resample(capped(b"".join(parts), engine.rate), engine.rate)


def _claim_pipes() -> tuple[int, int]:
    """Takes the two pipes for the protocol; whoever reads or prints from here on meets the null device."""
    source, target = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return source, target


def _listen(source: int, jobs: Jobs) -> None:
    try:
        while True:
            jobs.put(packets.read(source))
    except (EOFError, OSError):
        os._exit(0)
    except ValueError:
        os._exit(3)  # no packet: the two sides do not understand each other


if __name__ == "__main__":
    main(sys.argv[1])

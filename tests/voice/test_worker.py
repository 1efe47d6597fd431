"""The worker process by itself, spoken to through its pipes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from app.voice import packets
from app.voice.encode import RATE, mp3_seconds
from tests.voice.conftest import ODD
from tests.voice.odd_engines import PORT

PATIENCE = 20.0


@contextmanager
def worker(engine: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "app.voice.worker", engine]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def answer(process: subprocess.Popen[bytes]) -> tuple[packets.Head, bytes]:
    assert process.stdout is not None
    return packets.read(process.stdout.fileno())


def ask(process: subprocess.Popen[bytes], body: bytes = b"", **head: str) -> None:
    assert process.stdin is not None
    packets.write(process.stdin.fileno(), packets.pack(head, body))


def speak(process: subprocess.Popen[bytes], text: str) -> None:
    ask(process, do="speak", text=text, voice="", format="pcm")


def test_a_worker_ends_when_its_input_does() -> None:
    with worker("tone") as process:
        assert answer(process)[0] == {"ready": "tone"}
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_a_worker_ends_with_its_input_in_the_middle_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv(PORT, str(server.getsockname()[1]))
        with worker(ODD) as process:
            answer(process)
            speak(process, "report hang")
            with server.accept()[0] as report:
                assert int(report.recv(100)) == process.pid
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(PATIENCE) == 0


SERVER = """
import asyncio
from app.emulation.determinism import RealClock
from app.voice.speech import Speaker

async def serve():
    speaker = Speaker(engine="pyttsx3", workers=2, timeout=10, clock=RealClock())
    await speaker.start()
    await asyncio.gather(speaker.say("one", "en"), speaker.say("two", "en"))
    while len(speaker.workers) < 2:
        await asyncio.sleep(0.01)
    print(*speaker.workers, flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""


def test_a_server_that_is_killed_leaves_no_orphan() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in server.stdout.readline().split()]
        server.kill()
        gone, left = psutil.wait_procs(workers, PATIENCE)
    assert (len(gone), left) == (2, [])


def test_ctrl_c_is_not_for_a_worker() -> None:
    with worker("tone") as process:
        answer(process)
        process.send_signal(signal.SIGINT)
        speak(process, "still here")
        assert answer(process)[1]


def test_what_an_engine_prints_does_not_reach_the_pipe() -> None:
    with worker(ODD) as process:
        assert answer(process)[0] == {"ready": "odd"}
        speak(process, "print")
        head, audio = answer(process)
        assert head == {}
        assert audio == b"\x10\x00" * 2_400


def test_a_refusal_is_an_answer_and_so_is_no_sound() -> None:
    with worker(ODD) as process:
        answer(process)
        speak(process, "refuse")
        assert answer(process)[0] == {"refused": "not in the mood"}
        speak(process, "empty")
        assert answer(process)[0] == {"refused": "no sound came of it"}


def test_a_worker_encodes_sound_from_elsewhere() -> None:
    with worker("tone") as process:
        answer(process)
        ask(process, bytes(2 * RATE), do="encode", format="mp3")
        assert mp3_seconds(answer(process)[1]) == 1.056


def test_nonsense_on_the_pipe_ends_the_worker() -> None:
    with worker("tone") as process:
        answer(process)
        assert process.stdin is not None
        process.stdin.write(b"\xff" * 100)
        assert process.wait(PATIENCE) == 3


def test_a_worker_imports_nothing_of_the_server() -> None:
    """Its start is what a first sentence waits for."""
    script = "import sys, json, app.voice.worker; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    run = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    heavy = {
        "asyncio",
        "fastapi",
        "starlette",
        "langchain_core",
        "langgraph",
        "sqlalchemy",
        "httpx",
        "numpy",
        "pydantic",
    }
    assert heavy & set(json.loads(run.stdout)) == set()

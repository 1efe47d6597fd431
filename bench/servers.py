"""Starts the servers under test, each in a process of its own, and the load against them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY = "d4a3653a4ba72d6e04a293"
REPLY_TOKENS = 40


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers its health check. `boot` in seconds, from the start of the process to the first 200."""

    port: int
    process: subprocess.Popen[str]
    boot: float

    def memory(self) -> int:
        """Resident bytes now."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")


def write_bench_fixtures(folder: Path) -> Path:
    """One space, one reply of 40 tokens, pace 0."""
    import yaml

    (folder / "replies").mkdir(parents=True)
    tokens = ["안녕", "하세요", ",", " 오늘", "은", " 날씨", "가", " 참", " 좋", "네요"] * (REPLY_TOKENS // 10)
    space = {
        "uid": "bench",
        "name": "Bench",
        "org_id": "org_bench",
        "api_keys": [KEY],
        "credit": 10**9,
        "default": True,
    }
    (folder / "spaces.yaml").write_text(yaml.safe_dump({"spaces": [{**space, "sentence_mode": True}]}))
    script = {"replies": [{"when": {"msg": "bench"}, "tokens": tokens}], "default": {"reply": "{{msg}}"}}
    (folder / "replies" / "bench.yaml").write_text(yaml.safe_dump(script))
    return folder


@contextmanager
def ours(fixtures: Path, *args: str, env: dict[str, str] | None = None) -> Iterator[Running]:
    """The emulator as `chldo-emulator serve` starts it, on a fresh data folder."""
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "app.cli", "serve", "--fixtures", str(fixtures), "--data", data]
        with _process([*command, "--log-level", "warning", *args], env or {}) as running:
            _await(f"http://127.0.0.1:{running.port}/_emulator/health/ready", running.process)
            yield running


@contextmanager
def naive(fixtures: Path, *, deflate: bool = False) -> Iterator[Running]:
    """The baseline server."""
    env = {"BENCH_FIXTURES": str(fixtures), "BENCH_DEFLATE": "1" if deflate else "0"}
    with _process([sys.executable, "-m", "bench.baselines.naive"], env) as running:
        yield running


@contextmanager
def hub() -> Iterator[Running]:
    """The bare hub."""
    with _process([sys.executable, "-m", "bench.baselines.hub"], {}) as running:
        yield running


@contextmanager
def sender(frames: Path) -> Iterator[Running]:
    """The bare loop that answers every message with the texts of a JSON file."""
    with _process([sys.executable, "-m", "bench.baselines.sender"], {"BENCH_FRAMES": str(frames)}) as running:
        yield running


@contextmanager
def _process(command: list[str], env: dict[str, str]) -> Iterator[Running]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--port", str(port)] if "serve" in command else command,
        env={**os.environ, **env, "BENCH_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        _await(f"http://127.0.0.1:{port}/_emulator/health", process)
        yield Running(port, process, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(15)


def _await(url: str, process: subprocess.Popen[str]) -> None:
    for _ in range(6000):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.005)
    raise RuntimeError("the server does not answer")


def load(port: int, *, connections: int, turns: int, room: str = "bench", **more: Any) -> dict[str, Any]:
    """Runs the load generator in a process of its own; gives what it measured."""
    job = {
        "port": port,
        "connections": connections,
        "turns": turns,
        "key": KEY,
        "msg": "bench",
        "room": room,
        "more": more,
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", json.dumps(job)], capture_output=True, text=True, check=False, timeout=180
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    answer = json.loads(re.split(r"\n", done.stdout.strip())[-1])
    assert isinstance(answer, dict)
    return answer


@contextmanager
def idle(port: int, connections: int) -> Iterator[None]:
    """Holds open sockets that say nothing."""
    job = {"port": port, "connections": connections, "turns": 0, "key": KEY, "msg": "bench"}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load", json.dumps(job)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert "opened" in process.stdout.readline()
        yield
    finally:
        process.communicate("done\n", timeout=30)

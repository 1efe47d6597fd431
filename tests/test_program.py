"""The program as a process: start, stop, and what it says when it cannot start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.live import DEMO_KEY, Peer, sendmsg

ROOT = Path(__file__).parent.parent


def program(*args: str, **env: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", *args]


def environment(**env: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CHLDO_", "OPENAI_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **env}


READ_ONLY_ROOT = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount --bind / /
mount -o remount,bind,ro /
shift
exec "$@"
"""
"""For `sh -c`: makes everything but the folder $1 read-only, then runs the rest of the arguments."""


@contextmanager
def running(
    tmp_path: Path, *args: str, before: Sequence[str] = (), **env: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process that is ready, and its WebSocket address."""
    log = (tmp_path / "log.txt").open("w", encoding="utf-8")
    process = subprocess.Popen(
        [*before, *program("serve", "--port", "0", "--data", str(tmp_path / "data"), *args)],
        stdout=subprocess.PIPE,
        stderr=log,
        encoding="utf-8",
        env=environment(**env),
        cwd=tmp_path,
    )
    try:
        assert process.stdout is not None
        address = ""
        for line in process.stdout:
            found = re.search(r"ws://\S+?/v\d/", line)
            address = found[0] if found else address
            if "paste this" in line:
                break
        base = address.replace("ws://", "http://").rpartition("/v")[0]
        for _ in range(600):
            if subprocess.run(program("health", base), env=environment(), capture_output=True).returncode == 0:
                break
        yield process, address
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
        log.close()


def refused(tmp_path: Path, *args: str, **env: str) -> str:
    """The line with which the program refuses to start."""
    done = subprocess.run(
        program("serve", "--data", str(tmp_path / "data"), *args),
        capture_output=True,
        encoding="utf-8",
        env=environment(**env),
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "", "a banner before a start that fails"
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("chldo-emulator: ")
    return lines[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_everything_within_three_seconds(tmp_path: Path, number: int) -> None:
    with running(tmp_path, CHLDO_VOICE_WORKERS="1") as (process, address):
        async with connect(address) as websocket:
            peer = Peer(websocket)
            await peer.turn(sendmsg(return_voice=1))
            workers = psutil.Process(process.pid).children(recursive=True)
            assert workers
            await peer.send(sendmsg(msg="옛날이야기 들려줘", return_voice=1))
            await peer.receive()
            began = time.monotonic()
            process.send_signal(number)
            with contextlib.suppress(ConnectionClosed):
                async for _ in websocket:
                    pass
            assert websocket.close_code in (1001, 1012)
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert time.monotonic() - began < 3
        _, alive = psutil.wait_procs(workers, timeout=5)
        assert not alive


def test_a_signal_right_after_the_banner_is_heard(tmp_path: Path) -> None:
    process = subprocess.Popen(
        program("serve", "--port", "0", "--data", str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env=environment(),
    )
    assert process.stdout is not None
    next(line for line in process.stdout if "paste this" in line)
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_signal_while_the_database_does_not_answer_is_heard_in_time(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d"
        process = subprocess.Popen(
            program("serve", "--port", "0", "--data", str(tmp_path)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(CHLDO_STORE_URL=url),
        )
        peer, _ = silent.accept()
        process.send_signal(signal.SIGTERM)
        try:
            began = time.monotonic()
            process.wait(10)
            assert time.monotonic() - began < 4
        finally:
            process.kill()
            process.wait()
            peer.close()


async def test_a_killed_server_leaves_no_worker(tmp_path: Path) -> None:
    with running(tmp_path) as (process, address):
        async with connect(address) as websocket:
            await Peer(websocket).turn(sendmsg(return_voice=1))
        workers = psutil.Process(process.pid).children(recursive=True)
        assert workers
        process.kill()
        _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 10)
        assert not alive


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert refused(tmp_path, "--port", str(port)) == (
            f"chldo-emulator: cannot listen on 127.0.0.1:{port}: the port is in use; "
            "choose another with --port (0 takes a free one)"
        )


def test_a_data_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    assert "cannot use the data folder" in refused(tmp_path, "--port", "0")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_folder_without_permission_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    assert "permission denied" in refused(tmp_path, "--port", "0")


@pytest.mark.parametrize(
    ("args", "env", "said"),
    [
        (("--revision", "2025-01-01"), {}, "revision: must be one of 2023-12-28, "),
        (("--port", "99999"), {}, "--port: Input should be less than or equal to 65535"),
        ((), {"CHLDO_V3": "notjson"}, "v3"),
        ((), {"CHLDO_STORE_URL": '["postgresql://u:geheim@h/d"]'}, "cannot start: "),
        ((), {"CHLDO_VOICE_ENGINE": "loud"}, "CHLDO_VOICE_ENGINE: Input should be"),
        ((), {"CHLDO_STORE_URL": "postgresql://u:geheim@127.0.0.1:9/none"}, "cannot start: "),
        (("--fixtures", "nowhere"), {}, "cannot start: "),
        (("--config", "nowhere.toml"), {}, "cannot read the settings file nowhere.toml"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line(
    tmp_path: Path, args: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    line = refused(tmp_path, *(("--port", "0") if "--port" not in args else ()), *args, **env)
    assert said in line
    assert "geheim" not in line


def test_a_bad_fixture_names_file_line_key_and_what_was_expected(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "replies").mkdir(parents=True)
    (folder / "spaces.yaml").write_text("spaces:\n  - uid: a\n    api_keys: [k]\n    credit: much\n    default: true\n")
    line = refused(tmp_path, "--port", "0", "--fixtures", str(folder))
    assert "spaces.yaml:4: " in line
    assert "credit: expected" in line


async def test_no_key_stands_whole_in_any_log(tmp_path: Path) -> None:
    args = ("--log-level", "debug", "--log-format", "json")
    with running(tmp_path, *args) as (_, address):
        async with connect(f"{address}?api_key={DEMO_KEY}") as websocket:
            peer = Peer(websocket)
            await peer.turn(sendmsg(return_voice=1))
            await peer.ask(sendmsg(api_key="f" * 22))
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert DEMO_KEY not in log
    assert "f" * 22 not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {line["message"].split()[0] for line in lines} >= {"connect", "ready", "turn"}
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)


def test_the_banner_line_can_be_pasted(tmp_path: Path) -> None:
    process = subprocess.Popen(
        program("serve", "--port", "0", "--data", str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env=environment(),
    )
    try:
        assert process.stdout is not None
        banner = []
        for line in process.stdout:
            banner.append(line)
            if "paste this" in line:
                break
        (control,) = (line for line in banner if line.startswith("  control  "))
        assert "through a proxy only with a token: set CHLDO_CONTROL_TOKEN" in control
        words = shlex.split(line.split("paste this")[1])
        said = subprocess.run(
            program(*words[words.index("chat") :]),
            capture_output=True,
            encoding="utf-8",
            env=environment(),
            timeout=60,
        )
        assert said.returncode == 0, said.stderr
        assert said.stdout.strip()
    finally:
        process.kill()
        process.communicate()


def test_the_healthcheck_of_the_image_is_a_command_that_works(tmp_path: Path) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    found = re.search(r"HEALTHCHECK .* CMD (\[.*\])", dockerfile)
    assert found
    command = json.loads(found[1])
    assert command[0] == "chldo-emulator"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    env = {"CHLDO_PORT": port, "CHLDO_HOST": "0.0.0.0"}
    check = program(*command[1:])
    before = subprocess.run(check, env=environment(**env), capture_output=True, encoding="utf-8")
    assert before.returncode == 1
    assert "not ready" in before.stderr
    server = subprocess.Popen(
        program("serve", "--data", str(tmp_path)),
        env=environment(**env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            done = subprocess.run(check, env=environment(**env), capture_output=True, encoding="utf-8")
            if done.returncode == 0:
                break
        assert done.returncode == 0
    finally:
        server.terminate()
        assert server.wait(10) == 0


@pytest.mark.slow
async def test_it_runs_where_only_its_data_folder_can_be_written(tmp_path: Path) -> None:
    """As in a container with a read-only root and no /tmp."""
    data = tmp_path / "data"
    data.mkdir()
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    with running(tmp_path, before=[*unshare, "sh", "-c", READ_ONLY_ROOT, "sh", str(data)]) as (_, address):
        async with connect(address) as socket:
            frames = await Peer(socket).turn(sendmsg("안녕", api_key=DEMO_KEY, return_voice=1))
    assert frames[-1]["status"] == "END"
    assert any(frame["status"] == "voice_ready" for frame in frames)
    assert "read-only" not in (tmp_path / "log.txt").read_text(encoding="utf-8").lower()

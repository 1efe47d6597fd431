"""Hashee: send to `message.new` beside a bare hub that only broadcasts, many users at once, idle sockets."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import servers
from bench.hashee_load import agent_id, token
from bench.rows import Row

USERS = 500
IDLE = 5_000
SECONDS = 60
RATE = 200


def write_cast(folder: Path, users: int, agents: int = 0) -> Path:
    """Users in pairs, each pair with a conversation, and agents."""
    servers.write_bench_fixtures(folder)
    people = "\n".join(f"  - {{email: user{number}@example.com}}" for number in range(users))
    pairs = "\n".join(
        f"  - {{between: [user{number}@example.com, user{number + 1}@example.com]}}" for number in range(0, users, 2)
    )
    owned = "\n".join(
        f"  - {{name: a{n}, id: {agent_id(n)}, owner: user0@example.com, token: {token(n)}}}" for n in range(agents)
    )
    text = f"users:\n{people}\nconversations:\n{pairs}\n" + (f"agents:\n{owned}\n" if agents else "")
    (folder / "hashee.yaml").write_text(text)
    return folder


def load(port: int, **job: Any) -> dict[str, Any]:
    """Runs the load generator in a process of its own; gives what it measured."""
    command = [sys.executable, "-m", "bench.hashee_load", json.dumps({"port": port, **job})]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def hashee(_: Path) -> list[Row]:
    """The figures of the issue."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        with servers.ours(write_cast(Path(folder) / "pairs", USERS)) as us, servers.hub() as bare:
            load(us.port, users=2, rate=0, messages=50)
            one = min((load(us.port, users=2, rate=0, messages=500) for _ in range(3)), key=lambda got: got["p50"])
            plain = min((load(bare.port, hub=True, messages=500) for _ in range(3)), key=lambda got: got["p50"])
        detail = f"p99 {one['p99'] * 1000:.1f} ms; bare hub p50 {plain['p50'] * 1000:.2f} ms"
        rows.append(Row("hashee: send to message.new p50, SQLite, ms", one["p50"] * 1000, 5, "<=", detail))
        with servers.ours(Path(folder) / "pairs") as us:
            many = load(us.port, users=USERS, rate=RATE, messages=RATE * SECONDS)
        name = f"hashee: {USERS} users, {RATE} messages/s for {SECONDS} s"
        rows.append(Row(f"{name}: p99, ms", many["p99"] * 1000, 100, "<=", f"p50 {many['p50'] * 1000:.1f} ms"))
        wrong = many["lost"] + many["twice"] + many["unordered"]
        detail = f"{many['lost']} lost, {many['twice']} twice, {many['unordered']} pairs out of order"
        rows.append(Row("… lost, twice or out of order", wrong, 0, "<=", detail))
        with servers.ours(write_cast(Path(folder) / "idle", 20, IDLE)) as us:
            load(us.port, users=20, rate=0, messages=20)
            before = us.memory()
            with idle(us.port):
                each = (us.memory() - before) / IDLE / 1024
        rows.append(Row(f"hashee: {IDLE} idle sockets, KB each", each, 30, "<=", "authenticated"))
    return rows


class idle:  # noqa: N801 - used as a function
    """Holds open sockets that say nothing."""

    def __init__(self, port: int) -> None:
        self._job = json.dumps({"port": port, "idle": True, "users": IDLE})

    def __enter__(self) -> None:
        command = [sys.executable, "-m", "bench.hashee_load", self._job]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if "opened" not in self._process.stdout.readline():
            raise RuntimeError("the sockets could not be opened")

    def __exit__(self, *_: object) -> None:
        self._process.communicate("done\n", timeout=60)

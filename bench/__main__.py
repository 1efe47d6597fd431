"""`make bench`: every figure beside its baseline, measured in the same run; ratios are what counts on a shared machine.

`python -m bench NAME …` runs some of the sections only; `--json FILE` writes the rows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from bench import servers
from bench.hashee import hashee
from bench.hotwords import hotwords
from bench.journal import journal
from bench.replay import replay
from bench.rows import Row
from bench.servers import KEY, REPLY_TOKENS
from bench.spoken import malangee

ROUNDS = 5


def median(values: list[float]) -> float:
    return statistics.median(values)


def throughput(fixtures: Path) -> list[Row]:
    """20 connections, 40-token turns, no voice, pace 0: against the naive server and against the bare loop, rounds
    interleaved.
    """
    subject: list[float] = []
    baseline: list[float] = []
    bare: list[float] = []
    with servers.ours(fixtures) as us, servers.naive(fixtures) as them:
        for port in (us.port, them.port):
            servers.load(port, connections=20, turns=3, room="warm")
        for _ in range(ROUNDS):
            for running, into in ((us, subject), (them, baseline)):
                got = servers.load(running.port, connections=20, turns=15)
                into.append(got["turns"] * REPLY_TOKENS / got["seconds"])
            bare.append(bare_loop(fixtures))
    ours, naive, loop = median(subject), median(baseline), median(bare)
    rate = f"{ours:,.0f} tokens/s against {naive:,.0f}"
    return [
        Row("20 connections, tokens/s against the naive server", ours / naive, 1.6, ">=", rate),
        Row("… against the bare astream_events loop", ours / loop, 0.75, ">=", f"{ours:,.0f} against {loop:,.0f}"),
    ]


def bare_loop(fixtures: Path) -> float:
    """Tokens per second of the same graph in a process of its own, no network, no checkpointer."""
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "bench.baselines.bare", str(fixtures)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def latency(fixtures: Path) -> list[Row]:
    """sendmsg to START."""
    with servers.ours(fixtures) as us:
        servers.load(us.port, connections=4, turns=3, room="warm")
        one = [servers.load(us.port, connections=1, turns=100, room=f"one{n}") for n in range(3)]
        many = [servers.load(us.port, connections=100, turns=5, room=f"many{n}") for n in range(3)]
    p50 = median([got["start_p50"] for got in one]) * 1000
    p99 = median([got["start_p99"] for got in many]) * 1000
    return [
        Row("one connection: sendmsg to START p50, ms", p50, 1.5, "<=", ""),
        Row(
            "100 conversations: sendmsg to START p99, ms",
            p99,
            60,
            "<=",
            f"p50 {median([g['start_p50'] for g in many]) * 1000:.1f} ms",
        ),
    ]


def start(fixtures: Path) -> list[Row]:
    """Start of the process to health 200."""
    subject: list[float] = []
    baseline: list[float] = []
    for _ in range(ROUNDS):
        with servers.ours(fixtures) as us:
            subject.append(us.boot)
        with servers.naive(fixtures) as them:
            baseline.append(them.boot)
    detail = f"{median(subject):.2f} s against {median(baseline):.2f} s"
    return [Row("start to health 200 against the naive server", median(subject) / median(baseline), 0.6, "<=", detail)]


def memory(fixtures: Path) -> list[Row]:
    """2,000 idle sockets."""

    def each(running: servers.Running) -> float:
        servers.load(running.port, connections=4, turns=2, room="warm")
        before = running.memory()
        with servers.idle(running.port, 2000):
            return (running.memory() - before) / 2000 / 1024

    with servers.ours(fixtures) as us:
        subject = each(us)
    with servers.naive(fixtures) as them:
        plain = each(them)
    with servers.naive(fixtures, deflate=True) as them:
        deflated = each(them)
    detail = f"naive: {plain:.0f} KB, with permessage-deflate on {deflated:.0f} KB"
    return [Row("2,000 idle connections, KB each", subject, 32, "<=", detail)]


def voice(fixtures: Path) -> list[Row]:
    """End of a 20-character Korean sentence to its voice_ready, over a socket; warm and cached."""

    async def measure(port: int) -> tuple[float, float]:
        from websockets.asyncio.client import connect

        fresh: list[float] = []
        cached: list[float] = []
        async with connect(f"ws://127.0.0.1:{port}/v3/", compression=None) as socket:
            for number in range(40):
                sentence = f"오늘은 날씨가 참 좋습니다 {number:02d}번."
                for into in (fresh, cached):
                    ask = {"action": "sendmsg", "api_key": KEY, "room_uid": "v", "user_id": "u", "msg": sentence}
                    await socket.send(json.dumps({**ask, "return_voice": 1}))
                    spoken = 0.0
                    while True:
                        frame = json.loads(await socket.recv())
                        if frame["status"] == "stream":
                            spoken = time.perf_counter()
                        elif frame["status"] == "voice_ready":
                            into.append(time.perf_counter() - spoken)
                        elif frame["status"] == "END":
                            break
        return median(fresh[5:]) * 1000, median(cached[5:]) * 1000

    with servers.ours(fixtures) as us:
        warm, again = asyncio.run(measure(us.port))
    return [
        Row("20-character sentence to voice_ready, warm p50, ms", warm, 60, "<=", ""),
        Row("… cached, ms", again, 8, "<=", ""),
    ]


def lag(fixtures: Path) -> list[Row]:
    """Event-loop lag while two workers synthesise a burst of 150 sentences."""

    async def measure() -> tuple[float, float]:
        from app.emulation.determinism import RealClock
        from app.voice.speech import Speaker

        speaker = Speaker(engine="pyttsx3", workers=2, timeout=30, clock=RealClock(), queue_limit=500)
        await speaker.start()
        await asyncio.gather(*(speaker.say(f"준비 운동 {n}입니다.", "ko") for n in range(4)))
        lags: list[float] = []
        stop = asyncio.Event()

        async def watch() -> None:
            while not stop.is_set():
                began = time.perf_counter()
                await asyncio.sleep(0.005)
                lags.append(time.perf_counter() - began - 0.005)

        watcher = asyncio.create_task(watch())
        began = time.perf_counter()
        await asyncio.gather(*(speaker.say(f"이것은 {n}번째 문장이고 조금 더 깁니다.", "ko") for n in range(150)))
        seconds = time.perf_counter() - began
        stop.set()
        await watcher
        await speaker.close()
        lags.sort()
        return lags[int(len(lags) * 0.99)] * 1000, 150 / seconds

    p99, rate = uvloop.run(measure())
    return [Row("event-loop lag p99 in a burst of 150 sentences, ms", p99, 20, "<=", f"{rate:.0f} sentences/s")]


def room(fixtures: Path) -> list[Row]:
    """Turn 200 of a room against turn 20: ten turns from there on, on one socket; young and old rooms take turns."""
    early: list[float] = []
    late: list[float] = []
    with servers.ours(fixtures) as us:
        servers.load(us.port, connections=2, turns=5, room="warm")
        servers.load(us.port, connections=1, turns=195, room="old")
        for number in range(7):
            servers.load(us.port, connections=1, turns=20, room=f"young{number}")
            early.append(servers.load(us.port, connections=1, turns=10, room=f"young{number}")["seconds"])
            late.append(servers.load(us.port, connections=1, turns=10, room="old")["seconds"])
    return [Row("turn 200 of a room against turn 20", min(late) / min(early), 1.1, "<=", "")]


SECTIONS: dict[str, Callable[[Path], list[Row]]] = {
    "throughput": throughput,
    "latency": latency,
    "start": start,
    "memory": memory,
    "voice": voice,
    "lag": lag,
    "room": room,
    "hotwords": hotwords,
    "malangee": malangee,
    "hashee": hashee,
    "journal": journal,
    "replay": replay,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Figures beside their baselines, row by row.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; without any: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to a file")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.sections if name not in SECTIONS]:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        fixtures = servers.write_bench_fixtures(Path(folder) / "fixtures")
        for name in given.sections or SECTIONS:
            for row in SECTIONS[name](fixtures):
                rows.append(row)
                mark = "ok  " if row.met else "MISS"
                print(
                    f"{mark} {row.what:58} {row.value:8.2f}  (must be {row.better} {row.goal:g})  {row.detail}",
                    flush=True,
                )
    if given.json:
        facts: list[dict[str, Any]] = [asdict(row) for row in rows]
        given.json.write_text(json.dumps(facts, indent=1, ensure_ascii=False))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""What the journal costs: the 20-connection load against a server that keeps one and a server that does not."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from bench import servers
from bench.rows import Row
from bench.servers import REPLY_TOKENS, Running

PAIRS = 6
ROUNDS = 3


def journal(fixtures: Path) -> list[Row]:
    """Rounds interleaved, each compared with the one beside it. Judged by the CPU time of the server, which a busy
    machine disturbs least. Several pairs of servers: where the memory of one comes to lie makes up to a tenth.
    """
    kept: list[tuple[float, float]] = []
    without: list[tuple[float, float]] = []
    for _ in range(PAIRS):
        with servers.ours(fixtures) as us, servers.ours(fixtures, env={"CHLDO_JOURNAL_ENTRIES": "0"}) as them:
            for running in (us, them):
                servers.load(running.port, connections=20, turns=30, room="warm")
            for number in range(ROUNDS):
                pair = ((us, kept), (them, without))
                for running, into in pair if number % 2 else reversed(pair):
                    into.append(_round(running))
    cpu = statistics.median(one[0] / other[0] for one, other in zip(kept, without, strict=True))
    rate = statistics.median(one[1] for one in kept), statistics.median(one[1] for one in without)
    detail = f"{rate[0]:,.0f} tokens/s with, {rate[1]:,.0f} without ({rate[0] / rate[1]:.2f}x)"
    return [Row("20 connections: CPU of a turn with the journal against without", cpu, 1.05, "<=", detail)]


def _round(running: Running) -> tuple[float, float]:
    before = cpu_seconds(running)
    got = servers.load(running.port, connections=20, turns=20)
    return (cpu_seconds(running) - before) / got["turns"], got["turns"] * REPLY_TOKENS / got["seconds"]


def cpu_seconds(running: Running) -> float:
    """User and system time of the server's process so far."""
    after_name = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

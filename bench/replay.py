"""Tapes against the plainest thing that sends the same bytes: a uvicorn loop over a list of texts."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from pathlib import Path

from bench import servers
from bench.rows import Row
from bench.servers import KEY

ROUNDS = 7
CONNECTIONS, TURNS = 20, 30


def replay(fixtures: Path) -> list[Row]:
    """20 connections, turns of 40 tokens at once. One turn is recorded; the tape server renews the identifiers of every
    frame, the loop does not. Rounds take turns.
    """
    subject: list[float] = []
    plain: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder) / "turn.jsonl"
        with servers.ours(fixtures) as emulator:
            frames, lines = asyncio.run(_record(emulator.port))
        tape.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        listing = Path(folder) / "frames.json"
        listing.write_text(json.dumps(frames), encoding="utf-8")
        served = ("--tape", str(tape), "--tape-speed", "0")
        with servers.ours(fixtures, *served) as us, servers.sender(listing) as them:
            for number in range(ROUNDS + 1):
                pairs = ((us.port, subject), (them.port, plain))
                for port, into in pairs if number % 2 else pairs[::-1]:
                    got = servers.load(port, connections=CONNECTIONS, turns=TURNS)
                    into.append(got["frames"] / got["seconds"])
    ratios = [mine / bare for mine, bare in zip(subject, plain, strict=True)][1:]  # the first round warms up
    rate = f"{statistics.median(subject[1:]):,.0f} frames/s against {statistics.median(plain[1:]):,.0f}"
    return [Row("replayed tape, frames/s against a bare uvicorn loop", statistics.median(ratios), 0.6, ">=", rate)]


async def _record(port: int) -> tuple[list[str], list[str]]:
    """One turn of the emulator: its frames, and the lines of a tape of it."""
    from websockets.asyncio.client import connect

    from app.emulation.tapes import frame_line, header_line

    ask = json.dumps({"action": "sendmsg", "room_uid": "recorded0001", "user_id": "u", "msg": "bench", "api_key": KEY})
    url = f"ws://127.0.0.1:{port}/v3/?room_uid=recorded0001&user_uid=u"
    frames: list[str] = []
    async with connect(url, compression=None) as socket:
        await socket.send(ask)
        while not frames or json.loads(frames[-1])["status"] != "END":
            frames.append(str(await socket.recv()))
    answers = (frame_line("server", 0, text) for text in frames)
    return frames, [header_line(url=url), frame_line("client", 0, ask), *answers]

"""What listening for hotwords costs a turn: a space with 5,000 memories that listen beside one with none."""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from bench import servers
from bench.rows import Row

MEMORIES = 5000
TOKENS = ["안녕", "하세요", ",", " 오늘", "은", " 날씨", "가", " 참", " 좋", "네요"] * 40
LISTENING, DEAF = "0" * 20 + "aa", "0" * 20 + "bb"
ROUNDS = 15


def hotwords(fixtures: Path) -> list[Row]:
    """Turns of 400 tokens, no voice, pace 0. Both spaces live in one server: two processes with the same work differ by
    half of what is allowed here. Rounds take turns, each gives a ratio of its own.
    """
    times: dict[str, list[float]] = {LISTENING: [], DEAF: []}
    with tempfile.TemporaryDirectory() as folder, servers.ours(_write(Path(folder) / "fixtures", fixtures)) as us:
        for number in range(ROUNDS + 1):
            for key in (LISTENING, DEAF) if number % 2 else (DEAF, LISTENING):
                got = servers.load(us.port, connections=2, turns=12, room=f"r{number}", api_key=key)
                times[key].append(got["seconds"] / got["turns"] * 1000)
    pairs = list(zip(times[LISTENING], times[DEAF], strict=True))[1:]  # the first round warms up
    ratio = statistics.median(subject / baseline for subject, baseline in pairs)
    subject, baseline = (statistics.median(column) for column in zip(*pairs, strict=True))
    detail = f"{subject:.1f} ms against {baseline:.1f} ms"
    return [Row("400-token turn, 5,000 hotwords against none", ratio, 1.05, "<=", detail)]


def _write(folder: Path, fixtures: Path) -> Path:
    """Two spaces like the benchmark's, a reply of 400 tokens, and memories whose words nearly occur in it."""
    import yaml

    (folder / "replies").mkdir(parents=True)
    space = yaml.safe_load((fixtures / "spaces.yaml").read_text(encoding="utf-8"))["spaces"][0]
    beginnings = ["오늘", "날씨", "안녕", "좋네", "은 날", *(chr(0xAC00 + number) for number in range(0, 11172, 25))]
    memories = [
        {"uid": f"{number:017x}", "name": f"{number}", "variants": [f"{beginnings[number % len(beginnings)]}{number}"]}
        for number in range(MEMORIES)
    ]
    listening = {**space, "uid": "listening", "api_keys": [LISTENING], "memories": memories}
    deaf = {**space, "uid": "deaf", "org_id": "org_deaf", "api_keys": [DEAF], "default": False}
    script = {"replies": [{"when": {"msg": "bench"}, "tokens": TOKENS}]}
    (folder / "spaces.yaml").write_text(json.dumps({"spaces": [listening, deaf]}, ensure_ascii=False), encoding="utf-8")
    (folder / "replies" / "bench.yaml").write_text(json.dumps(script, ensure_ascii=False), encoding="utf-8")
    return folder

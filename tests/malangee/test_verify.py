"""The rules of the wire: none is broken by the emulator, and each finds the defect that is planted for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.contract.checks.recordings import Recording
from app.contract.checks.rig import Plan
from app.contract.checks.rules import judge
from app.contract.checks.run import Choice, check_server
from app.contract.malangee.reading import EDITIONS, gather
from app.contract.malangee.rules import RULES
from app.contract.malangee.wire import MALANGEE
from app.emulation.determinism import Ids, RealClock
from app.emulation.tapes import Tape, TapeFrame
from tests.live import LiveServer
from tests.malangee.caller import GUEST, Sound, call
from tests.malangee.test_faults import WIRE, faulty


async def broken(server: LiveServer) -> set[str]:
    plan = Plan(server.ws, timeout=15.0)
    report = await check_server(MALANGEE, plan, Choice(), clock=RealClock(), ids=Ids())
    assert not report.problem, report.problem
    return {found.id for found in report.rules if found.outcome == "failed"}


@pytest.mark.parametrize("edition", EDITIONS)
async def test_the_emulator_breaks_no_rule(edition: str, quick: LiveServer, backend: LiveServer) -> None:
    assert await broken(quick if edition == "guide" else backend) == set()


def on(frame: str, **fault: Any) -> dict[str, Any]:
    return {**fault, "when": {**WIRE, "frame": frame}}


DEFECTS = {
    "keys.frames": on("user.transcript", fault="edit", set={"more": 1}) | {"when": {**WIRE, "frame": "audio.done"}},
    "keys.report": on("disconnected", fault="edit", remove=["report.messages"]),
    "order.ready": on("ready", fault="foreign"),
    "order.ends": on("transcript.done", fault="swap"),
    "audio.whole": on("audio.delta", fault="edit", set={"delta": "AAAA"}),
    "end.answered": on("disconnected", fault="drop"),
    "end.last": on("disconnected", fault="duplicate"),
    "errors.malformed": on("error", fault="drop"),
}


@pytest.mark.parametrize("rule", DEFECTS)
async def test_a_planted_defect_is_found(tmp_path: Path, rule: str) -> None:
    with faulty(tmp_path, DEFECTS[rule]) as server:
        assert rule in await broken(server)


def tape(*frames: dict[str, Any], close: tuple[int, str] | None = (1000, "")) -> Recording:
    told = tuple(TapeFrame("server", 0.1 * n, json.dumps(frame), None) for n, frame in enumerate(frames))
    return Recording(Tape(name="t", url="ws://x", frames=told, close=close), watched=True)


START, STOP = {"type": "speech.started"}, {"type": "speech.stopped"}
DELTA, HEARD = {"type": "audio.delta", "delta": "AAA="}, {"type": "user.transcript", "transcript": "x"}


@pytest.mark.parametrize(
    ("rule", "edition", "frames"),
    [
        ("order.interruption", "guide", [DELTA, START, DELTA, STOP]),
        ("order.transcript", "guide", [START, STOP, DELTA, HEARD]),
        ("order.no_ready", "backend", [{"type": "ready"}]),
        ("keys.scenario", "guide", [{"type": "scenario.completed", "json": {}, "completed": True}]),
        ("end.close", "guide", [{"type": "disconnected", "reason": "Session ended", "report": {}}]),
    ],
)
def test_a_recorded_defect_is_found(rule: str, edition: str, frames: list[dict[str, Any]]) -> None:
    (found,) = (one for one in RULES if one.id == rule)
    assert found.holds_in(edition)
    close = None if rule == "end.close" else (1000, "")
    assert judge(found, gather([tape(*frames, close=close)], edition, {})).outcome == "failed"


async def test_a_spoken_turn_keeps_the_rules(quick: LiveServer, spoken: Callable[[str], Sound]) -> None:
    async with call(quick, f"{GUEST}/rules") as caller:
        await caller.send({"type": "text", "text": "Tell me a story"})
        await caller.until("audio.delta", 3)
        await caller.speak(spoken("coffee").pcm)
        await caller.until("audio.done")
    rules = [rule for rule in RULES if rule.holds_in("guide")]
    verdicts = {rule.id: judge(rule, gather([tape(*caller.frames)], "guide", {})) for rule in rules}
    assert [name for name, verdict in verdicts.items() if verdict.outcome == "failed"] == []
    assert verdicts["order.interruption"].outcome == verdicts["order.transcript"].outcome == "passed"


def test_every_rule_is_documented() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "malangee.md").read_text(encoding="utf-8")
    for rule in RULES:
        held = "both" if rule.until == "~" else rule.since
        assert f"| `{rule.id}` | {held} | {rule.says} |" in page

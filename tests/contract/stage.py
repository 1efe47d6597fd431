"""A server that gives every rule of the chldo wire an occasion, and a check of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from app.contract.checks.report import Report
from app.contract.checks.rig import Plan
from app.contract.checks.run import Choice, check_server
from app.contract.checks.wires import wires
from app.contract.chldo.probes import AGAIN, FIRST, WHOLE
from app.contract.chldo.words import V1
from app.emulation.determinism import Ids, RealClock
from tests.contract.defects import BROKEN, HOTWORD, POOR, UNUSABLE
from tests.live import DEMO_KEY, LiveServer, write_fixtures

Json = dict[str, Any]

FIRST_SAYS = ["네", ",", " 정말", " 정말", " 반갑습니다", ".", " 오늘은", " 무엇을", " 도와드릴까요", "?"]
FIRST_SAYS += [" 편하게", " 말씀해", " 주시면", " 됩니다", "!"]
AGAIN_SAYS = ["다시", " 만나서", " 정말", " 반갑습니다", ".", " 무엇을", " 도와드릴까요", "?"]
OFFER = [{"text": "오늘 날씨가 어떤가요?", "tone": "중립적"}, {"text": "책을 추천해 주세요.", "tone": "공손한"}]
REPLIES: list[Json] = [
    {"when": {"space": "broken"}, "error": {"status": 404, "body": {"status": "failure", "message": "none"}}},
    {"when": {"msg": FIRST}, "tokens": FIRST_SAYS},
    {"when": {"msg": AGAIN}, "tokens": AGAIN_SAYS, "choices": OFFER},
    {"when": {"msg": WHOLE}, "tokens": ["안녕", "하세요", "!"]},
    {"when": {"msg": HOTWORD}, "tokens": ["딥티크", "의", " 도", "손", "을", " 좋아해요", "."]},
]
SPACE: Json = {
    "greetings": {1: "안녕하세요~ 저는 김컴재입니다. 도손을 아시나요?"},
    "memories": [
        {"uid": "d3609c2758b7aa6b9", "name": "도손", "dictionary": [{"k": "note", "v": "튜베로즈"}]},
        {"uid": "c" * 17, "name": "번지", "variants": ["34"], "text": "서른네 번째 거리"},
    ],
}
FAILING: list[Json] = [
    {"uid": "off", "api_keys": [{"key": UNUSABLE, "usable": False}], "credit": 1000},
    {"uid": "poor", "api_keys": [POOR], "credit": 0},
    {"uid": "broken", "api_keys": [BROKEN], "credit": 1000},
]


def staged(folder: Path, **settings: Any) -> LiveServer:
    """The server, not yet started."""
    fixtures = write_fixtures(folder / "fixtures", replies=REPLIES, space=SPACE, spaces=FAILING)
    voice = {"engine": "tone", "workers": 1}
    return LiveServer(folder / "data", fixtures=fixtures, voice=voice, watch=False, **settings)


def url_of(server: LiveServer, revision: str) -> str:
    return f"{server.ws}/v1/" if revision == V1 else f"{server.ws}/v3/?revision={revision}"


async def checked(url: str, *, patience: float = 20.0, choice: Choice | None = None, **plan: Any) -> Report:
    """A check with everything that the stage has to offer."""
    given: Json = {"api_key": DEMO_KEY, "unusable_key": UNUSABLE, "failing_keys": (POOR, BROKEN), "say": (HOTWORD,)}
    made = Plan(url, timeout=patience, **(given | plan))
    return await check_server(wires()["chldo"], made, choice or Choice(), clock=RealClock(), ids=Ids())


def broken(report: Report) -> set[str]:
    """The rules that were not kept."""
    return {result.id for result in report.rules if result.outcome == "failed"}


def told(report: Report) -> str:
    """What is wrong, for a failing test to say."""
    found = [(one.id, one.findings[:2]) for one in report.rules if one.findings]
    return json.dumps(
        [(name, [finding.model_dump() for finding in findings]) for name, findings in found],
        indent=1,
        ensure_ascii=False,
    )


def run(url: str, **plan: Any) -> Report:
    return asyncio.run(checked(url, **plan))

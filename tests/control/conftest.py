"""A server with a control plane, and somebody who asks it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live import DEMO_KEY, Json, LiveServer, write_fixtures

REPLIES: list[Json] = [
    {"when": {"msg": "누구세요"}, "reply": "저는 민트예요."},
    {"when": {"msg": {"contains": "turn"}}, "reply": "turn {{turn}}"},
]
LORE: Json = {
    "greetings": {1: "안녕하세요~"},
    "scenes": {2: {"name": "바다", "prompt": "등대지기"}, 3: "책방"},
    "memories": [
        {"name": "튜베로즈", "variants": ["34", "34번가"], "dictionary": {"note": "꽃"}},
        {"name": "비밀", "hotword": False, "text": "아무도 몰라요", "long_term": True},
    ],
}
FAULTS = "faults:\n  - {fault: delay, seconds: 0, when: {frame: never}}\n"
PROFILE = """\
about: For tests.
faults:
  - {fault: drop, when: {frame: never}}
  - {fault: duplicate, when: {frame: never}}
"""


class Control:
    """The control plane as an HTTP client sees it."""

    def __init__(self, server: LiveServer, **headers: str) -> None:
        self.server = server
        self.http = httpx.Client(base_url=f"{server.http}/_emulator", timeout=30, headers=headers)

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200, **options: Any) -> Any:
        """The JSON of an answer, which must have the given status."""
        if body is not None:
            options["json"] = body
        answer = self.http.request(method, path, **options)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def get(self, path: str, **params: Any) -> Any:
        return self.ask("GET", path, params=params)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return self.ask("POST", path, body, status=status)

    def refused(self, status: int, method: str, path: str, body: Any = None, **options: Any) -> str:
        """The one line with which a request is refused."""
        message = self.ask(method, path, body, status=status, **options)["message"]
        assert isinstance(message, str)
        assert "\n" not in message
        return message


def control_server(folder: Path, **settings: Any) -> LiveServer:
    """A server with the fixtures of these tests."""
    fixtures = write_fixtures(
        folder / "fixtures",
        replies=REPLIES,
        space={**LORE, "credit_per_turn": 10},
        spaces=[{"uid": "second", "api_keys": ["k-second"], "credit": 500}],
    )
    (fixtures / "faults.yaml").write_text(FAULTS)
    (fixtures / "profiles").mkdir()
    (fixtures / "profiles" / "quiet.yaml").write_text(PROFILE)
    return LiveServer(folder / "data", fixtures=fixtures, watch=False, **settings)


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests that put back what they change, which `control` does for them."""
    with control_server(tmp_path_factory.mktemp("control")) as server:
        yield server


@pytest.fixture
def control(shared: LiveServer) -> Iterator[Control]:
    """The control plane of a server that is as it was at its start."""
    made = Control(shared)
    try:
        yield made
    finally:
        made.post("/reset")
        made.http.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def plain_fixtures(folder: Path) -> Path:
    """Fixtures of one space with the demo key."""
    return write_fixtures(folder, replies=REPLIES)


__all__ = ["DEMO_KEY", "Control", "control_server", "plain_fixtures"]

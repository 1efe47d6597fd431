"""Conversations are not traced because the shell says so; a setting turns tracing on."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tracers.langchain import wait_for_all_tracers

from app.agent.models import ChatModels, Upstream
from app.agent.tracing import OUTDATED, set_tracing
from app.emulation.determinism import RealClock
from app.emulation.replies import ReplyAsk, ReplyBook
from tests.live import LiveServer, sendmsg, talk, write_fixtures

SAID = "아무에게도 말하지 마세요"


class TracingEndpoint:
    """Takes whatever LangSmith's client posts."""

    def __init__(self) -> None:
        self.posted: list[bytes] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(b'{"version": "0.10.0"}')

            def do_POST(self) -> None:
                endpoint.posted.append(self.rfile.read(int(self.headers.get("content-length", 0))))
                self._answer(b"{}")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> TracingEndpoint:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[TracingEndpoint]:
    with TracingEndpoint() as made:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", made.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_test")
        monkeypatch.setenv("LANGCHAIN_ENDPOINT", made.url)
        yield made
    set_tracing(False)


async def traced(folder: Path, endpoint: TracingEndpoint, **settings: Any) -> int:
    """Has a conversation; how often something was posted by its end."""
    fixtures = write_fixtures(folder / "fixtures", replies=[])
    with LiveServer(folder / "data", fixtures=fixtures, voice={"engine": "tone", "workers": 1}, **settings) as server:
        async with talk(server) as peer:
            frames = await peer.turn(sendmsg(SAID))
    wait_for_all_tracers()
    assert [frame["status"] for frame in frames if frame["status"] in ("stream", "END")][-1] == "END"
    assert any(frame["status"] == "stream" for frame in frames), frames
    return len(endpoint.posted)


@pytest.mark.parametrize(
    "variables",
    [
        ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2"),
        (*OUTDATED, "LC_OUTPUT_VERSION"),
    ],
)
async def test_the_environment_alone_traces_nothing_and_fails_nothing(
    variables: tuple[str, ...], tmp_path: Path, endpoint: TracingEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in variables:
        monkeypatch.setenv(name, "v1" if name == "LC_OUTPUT_VERSION" else "true")
    assert await traced(tmp_path, endpoint) == 0


def test_a_model_is_asked_where_openai_base_url_leads_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGSMITH_GATEWAY", "OPENAI_API_BASE"):
        monkeypatch.setenv(name, "https://elsewhere.example")
    for given, address in ((None, "https://api.openai.com/v1"), ("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1")):
        models = ChatModels(book=ReplyBook([]), clock=RealClock(), upstream=Upstream("sk-test", given))
        model: Any = models.open("gpt-4o-mini", None, ReplyAsk(msg=None))
        assert str(model.root_async_client.base_url).rstrip("/") == address


async def test_the_setting_turns_it_on(tmp_path: Path, endpoint: TracingEndpoint) -> None:
    assert "LANGSMITH_TRACING" not in os.environ
    assert await traced(tmp_path, endpoint, agent={"tracing": True}) > 0

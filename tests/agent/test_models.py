"""The chat model behind an upstream, as a graph uses it: awaited or not, with a history of any kind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage

from app.agent.inputs import conversation
from app.agent.models import ChatModels, Upstream
from app.agent.upstream import UpstreamError
from app.emulation.determinism import RealClock
from app.emulation.fixtures import load_fixtures
from app.emulation.replies import ReplyAsk
from tests.broken_upstream import BROKEN, GOOD, BrokenUpstream
from tests.live import write_fixtures

CALL = {"name": "add", "args": {}, "id": "c1"}
HISTORY: list[AnyMessage] = [
    HumanMessage("하나"),
    AIMessage(""),
    HumanMessage("둘"),
    AIMessage(" \n"),
    HumanMessage("셋"),
    AIMessage([{"type": "text", "text": ""}]),
    HumanMessage("넷"),
    AIMessage("", tool_calls=[CALL]),
]


@pytest.fixture
def upstream() -> Iterator[BrokenUpstream]:
    with BrokenUpstream() as running:
        yield running


@pytest.fixture
def models(tmp_path: Path, upstream: BrokenUpstream) -> ChatModels:
    book = load_fixtures(write_fixtures(tmp_path / "fixtures", replies=[])).replies
    behind = Upstream(api_key="sk-never-seen", base_url=upstream.base_url, timeout=2.0, max_retries=0)
    return ChatModels(book=book, clock=RealClock(), upstream=behind)


def ask(models: ChatModels) -> Any:
    return models.open("real", None, ReplyAsk(msg=None))


@pytest.mark.parametrize("how", ["invoke", "stream", "ainvoke", "astream"])
def test_empty_replies_are_not_sent_however_the_model_is_asked(
    models: ChatModels, upstream: BrokenUpstream, how: str
) -> None:
    async def say() -> str:
        model = ask(models)
        if how == "astream":
            text = "".join([chunk.text async for chunk in model.astream(HISTORY)])
        else:
            text = (await model.ainvoke(HISTORY)).text
        await models.close()
        return text

    if how.startswith("a"):
        assert asyncio.run(say()) == "안녕하세요."
    elif how == "stream":
        assert "".join(chunk.text for chunk in ask(models).stream(HISTORY)) == "안녕하세요."
    else:
        assert ask(models).invoke(HISTORY).text == "안녕하세요."
    asyncio.run(models.close())
    (sent,) = upstream.requests
    assert [message["role"] for message in sent["messages"]] == ["user"] * 4 + ["assistant"]
    assert sent["messages"][-1]["tool_calls"][0]["id"] == "c1"


@pytest.mark.parametrize("shape", ["an error event", "an HTML page", "a stream that just ends", "garbage for gzip"])
def test_a_graph_that_does_not_await_its_model_is_told_the_same(
    models: ChatModels, upstream: BrokenUpstream, shape: str
) -> None:
    upstream.answer = BROKEN[shape]
    with pytest.raises(UpstreamError, match=upstream.host):
        ask(models).invoke("안녕")
    upstream.answer = GOOD
    assert ask(models).invoke("안녕").text == "안녕하세요."
    asyncio.run(models.close())


def test_what_says_nothing_is_no_earlier_message() -> None:
    told = conversation(" ", [HumanMessage(" "), AIMessage(""), AIMessage("네")], "", None)
    assert [(message.type, message.content) for message in told] == [("ai", "네"), ("human", "")]
    assert isinstance(conversation("너는", (), None)[0], SystemMessage)

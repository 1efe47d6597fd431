"""What the proxy does with what it should not be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chldo.bad_requests import BadRequest
from app.chldo.completion_shapes import StopCutter
from app.chldo.completions import CompletionAsk, parse_completion
from tests.live import DEMO_KEY, PATIENCE, Json
from tests.wire.proxied import Proxied, said, serving, user


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Proxied]:
    async with serving(tmp_path) as made:
        yield made


@given(st.text("ab.", max_size=30), st.lists(st.text("ab.", min_size=1, max_size=5), max_size=4), st.integers(1, 5))
def test_a_stop_sequence_is_found_however_the_tokens_fall(text: str, stops: list[str], size: int) -> None:
    cutter = StopCutter(stops)
    told = ""
    for at in range(0, len(text), size):
        told += cutter.feed(text[at : at + size])
        if cutter.stopped:
            break
    told += cutter.close()
    # Tokens end one after the other: the first stop sequence to be complete is the one that counts.
    seen = text if not cutter.stopped else text[: at + size]
    found = [place for place in (seen.find(stop) for stop in stops) if place >= 0]
    assert told == seen[: min(found, default=len(seen))]
    assert cutter.stopped == any(stop in text for stop in stops)


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, None, None),
        ({"model": 5}, "model", "invalid_type"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": [{"role": "god", "content": "a"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id", "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, "messages[0].content[0].type", "invalid_value"),
        ({"messages": user("a") * 2049}, "messages", "array_above_max_length"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": True}, "max_tokens", "invalid_type"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"stop": list("abcde")}, "stop", "array_above_max_length"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name", "missing_required_parameter"),
        ({"tool_choice": "maybe"}, "tool_choice", "invalid_value"),
        ({"stream_options": {}}, "stream_options", "invalid_value"),
        ({"messages": user("가나 " * 200_000)}, "messages", "context_length_exceeded"),
    ],
)
async def test_bad_input_is_told_in_openais_form(
    change: Json, param: str | None, code: str | None, proxied: Proxied
) -> None:
    answer = await proxied.post({"model": "gpt-4o", "messages": user("안녕"), **change})
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"null", b'{"model":"\\ud800"}', b"[" * 5000])
async def test_a_body_that_is_no_object_is_refused(body: bytes, proxied: Proxied) -> None:
    answer = await proxied.post(body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_body_above_the_limit_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, body_limit=100_000) as proxied:
        body = orjson.dumps({"model": "gpt-4o", "messages": user("안녕"), "user": "x" * 100_000})
        declared = await proxied.post(body)

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 10_000):
                yield body[at : at + 10_000]

        headers = {"authorization": f"Bearer {DEMO_KEY}"}
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            url = f"{proxied.http}/v1/chat/completions"
            undeclared = await client.post(url, content=pieces(), headers=headers)
        assert [declared.status_code, undeclared.status_code] == [413, 413]
        assert declared.json()["error"]["code"] == "request_too_large"
        assert (await proxied.post({"model": "gpt-4o", "messages": user("안녕")})).status_code == 200


async def test_a_picture_of_fifteen_megabytes_is_taken(proxied: Proxied) -> None:
    url = "data:image/png;base64," + "A" * 15_000_000
    content = [{"type": "text", "text": "그림"}, {"type": "image_url", "image_url": {"url": url}}]
    assert said(await proxied.post({"model": "gpt-4o", "messages": user(content)}))[0] == "그림이네요."


texts = st.text(st.characters(codec="utf-8"), max_size=8)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
parts = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "image_url", "file"]) | anything,
        "text": anything,
        "image_url": anything,
    },
)
calls = st.fixed_dictionaries(
    {},
    optional={
        "id": texts | anything,
        "function": st.fixed_dictionaries({"name": texts, "arguments": texts}) | anything,
    },
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "developer", "tool"]) | anything},
    optional={
        "content": texts | st.lists(parts, max_size=2) | anything,
        "tool_calls": st.lists(calls, max_size=2) | anything,
        "tool_call_id": texts | anything,
        "name": texts | anything,
    },
)
fields = dict.fromkeys(
    ("stop", "stream", "stream_options", "tools", "tool_choice", "temperature", "max_tokens", "n", "seed", "user"),
    anything,
)
good = st.fixed_dictionaries({"role": st.sampled_from(["user", "system"]), "content": texts})
bodies = st.fixed_dictionaries(
    {"model": st.just("gpt-4o") | anything, "messages": st.lists(messages, max_size=3) | anything}, optional=fields
) | st.fixed_dictionaries(
    {"model": st.just("gpt-4o"), "messages": st.lists(good | messages, min_size=1, max_size=3)},
    optional={"stream": st.booleans(), "stop": texts, "user": texts, "metadata": anything, "max_tokens": anything},
)


@given(bodies | anything)
def test_any_json_is_understood_or_refused(body: Any) -> None:
    ask = parse_completion(orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS))
    if isinstance(ask, BadRequest):
        assert ask.status == 400
        assert ask.body()["error"]["message"]
    else:
        assert isinstance(ask, CompletionAsk)


async def test_any_json_gets_an_answer_below_500(proxied: Proxied) -> None:
    samples: list[Any] = []

    @settings(max_examples=150, database=None)
    @given(bodies | anything)
    def draw(body: Any) -> None:
        samples.append(body)

    draw()
    headers = {"authorization": f"Bearer {DEMO_KEY}"}
    seen: set[int] = set()
    async with httpx.AsyncClient(timeout=PATIENCE, headers=headers) as client:
        for body in samples:
            answer = await client.post(f"{proxied.http}/v1/chat/completions", content=orjson.dumps(body))
            assert answer.status_code in (200, 400), (body, answer.text)
            seen.add(answer.status_code)
    assert seen == {200, 400}

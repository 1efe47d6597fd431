"""The proxy in front of a real model: byte for byte what was sent, both ways; only the key is another."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.agent.models import Upstream
from tests.broken_upstream import BrokenUpstream, head, whole
from tests.live import DEMO_KEY
from tests.wire.proxied import collect, serving, user

SECRET = "sk-upstream-secret"
HUGE = "12345678901234567890123"

REQUEST = (
    """{ "model":"gpt-4o", "temperature": 1.0, "n": 2, "seed": HUGE, "stop": null, "made_up": [1e400, -0.0, 1E5],
  "extra_body": {"google": {"thinking_config": {"include_thoughts": true}}},
  "messages": [
    {"role": "system", "content": [{"type": "text", "text": "짧게 \\ud83d", "cache_control": {"type": "ephemeral"}}]},
    {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "https://x/y.mp4"}, "fps": 0.10}]},
    {"role": "assistant", "content": null, "reasoning_content": "음", "refusal": null, "tool_calls": [
      {"id": "c1", "type": "function", "extra_content": {"google": {"thought_signature": "AbC=="}},
       "function": {"name": "add", "arguments": "{\\"a\\": HUGE, \\"b\\": 0.10}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "", "is_error": false},
    {"role": "function", "name": "old", "content": "way"}
  ],
  "tools": [{"type": "function", "function": {"name": "add", "parameters": {"maximum": HUGE}}},
            {"type": "web_search"}], "stream": STREAM }"""
).replace("HUGE", HUGE)

COMPLETION = (
    """{"id": "gen-7", "object":"chat.completion","created": 1.0, "model": "org/m", "provider": "P", "choices": [
  {"index": 0, "native_finish_reason": "STOP", "finish_reason": "tool_calls", "logprobs": null, "message": {
    "role": "assistant", "content": null, "refusal": null, "reasoning_content": "음 \\ud83d", "annotations": [],
    "tool_calls": [{"id": "c1", "type": "function", "extra_content": {"google": {"thought_signature": "AbC=="}},
      "function": {"name": "add", "arguments": "{\\"a\\": HUGE}"}}]}},
  {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "", "refusal": "싫어요"}}],
 "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 0.10, "big": HUGE,
   "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 1}}}"""
).replace("HUGE", HUGE)

EVENTS = (
    """data: {"id":"gen-7","object":"chat.completion.chunk","created":1,"model":"org/m","choices":[{"index":0,"""
    """"delta":{"role":"assistant","content":null,"reasoning_content":"음"},"finish_reason":null}]}

: keep-alive

event: chunk
id: 7
data: {"id":"gen-7", "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function",
data: "extra_content":{"google":{"thought_signature":"AbC=="}},"function":{"name":"add","arguments":""}}]}}]}

data: {"id":"7","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\": HUGE}"}}]}}]}

data:{"id":"7","choices":[{"index":1,"delta":{"refusal":"싫어요 \\ud83d"},"finish_reason":"tool_calls"}],"x":1e400}

data: {"id":"gen-7","choices":[],"usage":{"prompt_tokens_details":{"cached_tokens":1},"cost":0.10,"big":HUGE}}

data: [DONE]

"""
).replace("HUGE", HUGE)


@pytest.fixture
def upstream() -> Iterator[BrokenUpstream]:
    with BrokenUpstream() as running:
        yield running


def at(upstream: BrokenUpstream, retries: int = 0) -> dict[str, Any]:
    """The options of a proxy whose space has a model there."""
    behind = Upstream(api_key=SECRET, base_url=f"{upstream.base_url}/", timeout=5.0, max_retries=retries)
    return {"space": {"model": "gpt-4o-mini", "credit": 1000, "credit_per_turn": 100}, "upstream": behind}


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_a_whole_answer_goes_through_byte_for_byte(
    tmp_path: Path, upstream: BrokenUpstream, encoding: str
) -> None:
    asked, answered = REQUEST.replace("STREAM", "false").encode(), COMPLETION.encode()
    upstream.answer = whole(answered, more=("x-request-id: r7", "x-ratelimit-remaining-requests: 9"))
    if encoding:
        upstream.answer = whole(gzip.compress(answered), more=("Content-Encoding: gzip",))
    async with serving(tmp_path, **at(upstream)) as proxied:
        answer = await proxied.post(asked, **{"x-coredot-provider": "anthropic"})
        assert await proxied.balance() == 900
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.content == answered
    assert upstream.bodies == [asked]
    sent = upstream.heads[0].lower()
    assert f"authorization: bearer {SECRET}" in sent
    assert "x-coredot-provider: anthropic" in sent
    assert DEMO_KEY not in sent
    if not encoding:
        assert (answer.headers["x-request-id"], answer.headers["x-ratelimit-remaining-requests"]) == ("r7", "9")


async def test_a_stream_goes_through_byte_for_byte(tmp_path: Path, upstream: BrokenUpstream) -> None:
    asked = REQUEST.replace("STREAM", "true").encode()
    upstream.answer = head() + EVENTS.encode()
    async with serving(tmp_path, **at(upstream)) as proxied:
        answer = await proxied.post(asked)
        read = await collect(
            await proxied.client().chat.completions.create(model="gpt-4o", messages=user("x"), stream=True)
        )
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.content.decode() == EVENTS
    assert upstream.bodies[0] == asked
    first, call, more = (chunk.choices[0].delta for chunk in read[:3])
    assert first.model_extra == {"reasoning_content": "음"}
    assert first.content is None
    assert call.tool_calls
    assert call.tool_calls[0].model_extra == {"extra_content": {"google": {"thought_signature": "AbC=="}}}
    assert more.tool_calls
    assert more.tool_calls[0].model_dump(exclude_unset=True) == {
        "index": 0,
        "function": {"arguments": f'{{"a": {HUGE}}}'},
    }


async def test_an_error_goes_through_with_what_clients_heed_but_not_the_key(
    tmp_path: Path, upstream: BrokenUpstream
) -> None:
    error = f'{{"error": {{"message": "no quota for {SECRET}", "metadata": {{"big": {HUGE}}}}}}}'
    upstream.answer = whole(error.encode(), status="429 Too Many Requests", more=("Retry-After: 7",))
    async with serving(tmp_path, **at(upstream, retries=1)) as proxied:
        answer = await proxied.post(REQUEST.replace("STREAM", "true").encode())
        assert await proxied.balance() == 1000
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.text == error.replace(SECRET, "***")
    assert len(upstream.bodies) == 1  # it has said when to come back


async def test_a_server_that_stumbles_is_asked_again(tmp_path: Path, upstream: BrokenUpstream) -> None:
    upstream.answer = whole(b"{}", status="503 Service Unavailable")
    async with serving(tmp_path, **at(upstream, retries=1)) as proxied:
        answer = await proxied.post(REQUEST.replace("STREAM", "true").encode())
    assert (answer.status_code, answer.text) == (503, "{}")
    assert len(upstream.bodies) == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "We could not parse the JSON body of your request."),
        (b"[" * 100_000, "We could not parse the JSON body of your request."),
        (b"[]", "The body of a request is a JSON object, not an array."),
        (b'{"messages": []}', "you must provide a model parameter"),
        (b'{"model": 5}', "Invalid type for 'model': expected a string, but got an integer instead."),
        (b'{"model": "m", "stream": 1}', "Invalid type for 'stream': expected a boolean, but got an integer instead."),
    ],
)
async def test_what_is_no_request_at_all_is_refused_here(
    tmp_path: Path, upstream: BrokenUpstream, body: bytes, said: str
) -> None:
    async with serving(tmp_path, **at(upstream)) as proxied:
        answer = await proxied.post(body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, said)
    assert not upstream.bodies


async def test_the_script_answers_still_where_it_is_asked_for(tmp_path: Path, upstream: BrokenUpstream) -> None:
    async with serving(tmp_path, **at(upstream)) as proxied:
        answer = await proxied.post({"model": "scripted", "messages": user("안녕")})
        refused = await proxied.post({"model": "scripted", "messages": user("안녕"), "n": 0})
    assert json.loads(answer.content)["choices"][0]["message"]["content"] == "안녕하세요! 반갑습니다."
    assert refused.status_code == 400
    assert not upstream.bodies

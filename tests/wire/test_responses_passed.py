"""`/v1/responses` in front of a real model: byte for byte what was sent, both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from app.agent.models import Upstream
from tests.broken_upstream import BrokenUpstream, head, whole
from tests.live import DEMO_KEY
from tests.wire.proxied import TOKENS, serving
from tests.wire.test_proxy_passed import HUGE, at

REQUEST = (
    """{ "model":"gpt-4o", "input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "AbC==", "summary": []},
  {"type": "made_up", "n": HUGE}], "background": true, "conversation": "conv_1", "stream": STREAM }"""
).replace("HUGE", HUGE)

RESPONSE = (
    """{"id": "resp_7", "object":"response", "created_at": 1.0, "status": "incomplete", "error": null, "model": "m",
  "output": [], "usage": {"cost": 0.10, "big": HUGE}, "made_up": true}"""
).replace("HUGE", HUGE)

CREATED = (
    'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"resp_7"}}\n\n'
)
DELTA = (
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":1,"delta":"안",'
    '"item_id":"msg_7","output_index":0,"content_index":0,"logprobs":[]}\n\n'
)
COMPLETED = (
    'event: response.completed\ndata: {"type":"response.completed","sequence_number":2,"response":{"id":"resp_7",'
    '"big":HUGE,"output":[]}}\n\n'
).replace("HUGE", HUGE)


@pytest.fixture
def upstream() -> Iterator[BrokenUpstream]:
    with BrokenUpstream() as running:
        yield running


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_of_a_real_model_goes_through_byte_for_byte(
    stream: bool, tmp_path: Path, upstream: BrokenUpstream
) -> None:
    asked = REQUEST.replace("STREAM", "true" if stream else "false").encode()
    answered = (CREATED + DELTA + COMPLETED if stream else RESPONSE).encode()
    upstream.answer = head() + answered if stream else whole(answered)
    async with serving(tmp_path, **at(upstream)) as proxied:
        answer = await proxied.post(asked, path="/v1/responses")
        assert await proxied.balance() == 900
    assert (answer.status_code, answer.content) == (200, answered)
    assert upstream.bodies == [asked]
    assert upstream.heads[0].startswith("POST /v1/responses HTTP/1.1")
    assert DEMO_KEY not in upstream.heads[0]


async def test_a_stream_that_breaks_ends_with_an_event_of_its_kind(tmp_path: Path, upstream: BrokenUpstream) -> None:
    upstream.answer = head() + (CREATED + DELTA).encode()
    async with serving(tmp_path, **at(upstream)) as proxied:
        answer = await proxied.post(REQUEST.replace("STREAM", "true").encode(), path="/v1/responses")
        assert await proxied.balance() == 1000
        with pytest.raises(openai.APIError, match="broke off its answer"):
            async for _ in await proxied.client().responses.create(model="m", input="x", stream=True):
                pass
    name, data = answer.text.split("\n\n")[-2].split("\n")
    event = json.loads(data.removeprefix("data: "))
    assert (name, event["type"], event["sequence_number"]) == ("event: error", "error", 2)
    assert upstream.host in event["message"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("404 Not Found", b'{"detail":"Not Found"}'),
        ("404 Not Found", b"<html><title>404</title></html>"),
        ("404 Not Found", b'{"error": {"message": "Unknown request URL", "code": "unknown_url"}}'),
        ("405 Method Not Allowed", b""),
        ("501 Not Implemented", b'{"error": "no"}'),
    ],
)
async def test_a_server_that_has_no_responses_is_told_clearly(
    status: str, body: bytes, tmp_path: Path, upstream: BrokenUpstream
) -> None:
    upstream.answer = whole(body, status=status)
    async with serving(tmp_path, **at(upstream)) as proxied:
        with pytest.raises(openai.APIStatusError) as refused:
            await proxied.client().responses.create(model="gpt-4o", input="x")
        assert await proxied.balance() == 1000
    assert refused.value.status_code == int(status[:3])
    assert f"{upstream.host} does not serve /responses" in refused.value.message
    assert "chat completions" in refused.value.message


async def test_other_errors_of_the_server_are_its_own(tmp_path: Path, upstream: BrokenUpstream) -> None:
    error = b'{"error": {"message": "The model does not exist", "code": "model_not_found"}}'
    upstream.answer = whole(error, status="404 Not Found")
    async with serving(tmp_path, **at(upstream)) as proxied:
        answer = await proxied.post({"model": "m", "input": "x"}, path="/v1/responses")
        kept = await proxied.get("/v1/responses/resp_7")
    assert (answer.status_code, answer.content) == (404, error)
    assert (kept.status_code, kept.json()["error"]["message"]) == (404, "Response with id 'resp_7' not found.")


async def test_responses_go_through_two_emulators(tmp_path: Path) -> None:
    async with serving(tmp_path / "a") as near:
        upstream = Upstream(api_key=DEMO_KEY, base_url=f"{near.http}/v1", max_retries=0)
        async with serving(tmp_path / "b", space={"model": "gpt-4o-mini"}, upstream=upstream) as far:
            responses: Any = far.client().responses
            async with responses.stream(model="gpt-4o", input="안녕") as stream:
                first = await stream.get_final_response()
            second = await responses.create(model="gpt-4o", input="a", previous_response_id=first.id)
            scripted = await responses.create(model="scripted", input="안녕")
            own = await responses.retrieve(scripted.id)
    assert (first.output_text, second.output_text) == ("".join(TOKENS), "두 번째예요.")
    assert own.output_text == scripted.output_text == "".join(TOKENS)

"""The proxy host, asked by OpenAI's own SDK over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import orjson
import pytest

from app.chldo.completion_shapes import count_tokens
from app.chldo.proxy import NO_KEY
from tests.live import DEMO_KEY, PATIENCE
from tests.wire.proxied import ADD, TOKENS, UNUSABLE, Proxied, collect, said, serving, user


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Proxied]:
    async with serving(tmp_path) as made:
        yield made


async def test_a_whole_completion_is_the_scripts_reply_with_its_counts(proxied: Proxied) -> None:
    answer = await proxied.client().chat.completions.create(model="gpt-4o-mini", messages=user("안녕"))
    assert answer.choices[0].message.content == "".join(TOKENS)
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.id.startswith("chatcmpl-")
    assert len(answer.id) == len("chatcmpl-") + 29
    assert (answer.object, answer.model) == ("chat.completion", "gpt-4o-mini")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == len(TOKENS)
    assert answer.usage.prompt_tokens == 6 + count_tokens("안녕")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + len(TOKENS)


async def test_a_stream_goes_from_the_role_over_the_tokens_to_the_counts(proxied: Proxied) -> None:
    chunks = await collect(
        await proxied.client().chat.completions.create(
            model="gpt-4o", messages=user("안녕"), stream=True, stream_options={"include_usage": True}
        )
    )
    first, *tokens, last, counts = chunks
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    assert [chunk.choices[0].delta.content for chunk in tokens] == TOKENS
    assert (last.choices[0].delta.content, last.choices[0].finish_reason) == (None, "stop")
    assert counts.choices == []
    assert counts.usage is not None
    assert counts.usage.completion_tokens == len(TOKENS)
    assert len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}) == 1


async def test_the_bytes_of_a_stream_are_events_that_end_in_done(proxied: Proxied) -> None:
    answer = await proxied.post({"model": "gpt-4o", "messages": user("안녕"), "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"][0]["delta"] == {}
    assert all("usage" not in chunk for chunk in chunks)


def test_the_synchronous_client_streams_too(tmp_path: Path) -> None:
    async def talk_to_it() -> None:
        async with serving(tmp_path) as proxied:

            def ask() -> list[str | None]:
                with openai.OpenAI(base_url=f"{proxied.http}/v1/", api_key=DEMO_KEY, max_retries=0) as client:
                    whole = client.chat.completions.create(model="gpt-4", messages=user("안녕"))
                    assert whole.choices[0].message.content == "".join(TOKENS)
                    with client.chat.completions.create(model="gpt-4", messages=user("안녕"), stream=True) as stream:
                        return [chunk.choices[0].delta.content for chunk in stream]

            assert await asyncio.to_thread(ask) == ["", *TOKENS, None]

    asyncio.run(talk_to_it())


async def test_a_base_with_a_slash_too_many_is_served(proxied: Proxied) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE, headers={"authorization": f"Bearer {DEMO_KEY}"}) as client:
        body = {"model": "gpt-4o", "messages": user("안녕")}
        answer = await client.post(f"{proxied.http}/v1//chat/completions", json=body)
        listed = await client.get(f"{proxied.http}/v1//models")
    assert answer.json()["choices"][0]["message"]["content"] == "".join(TOKENS)
    assert listed.json()["object"] == "list"


async def test_anthropics_models_answer_in_openais_form(proxied: Proxied) -> None:
    client = proxied.client(default_headers={"x-coredot-provider": "anthropic"})
    name = "claude-3-5-sonnet-20240620"
    answer = await client.chat.completions.create(model=name, messages=user("안녕"), max_tokens=1024)
    assert (answer.model, answer.choices[0].message.content) == (name, "".join(TOKENS))


async def test_the_models_of_the_pages_are_listed(proxied: Proxied) -> None:
    client = proxied.client()
    assert [model.id async for model in client.models.list()] == [
        *("gpt-4o-mini", "gpt-4o", "gpt-4", "gpt-4-turbo", "claude-3-sonnet-20240229", "claude-3-5-sonnet-20240620"),
        "scripted",
    ]
    assert (await client.models.retrieve("gpt-4o")).owned_by == "chldo"
    with pytest.raises(openai.NotFoundError) as missing:
        await client.models.retrieve("gpt-9")
    assert missing.value.code == "model_not_found"


async def test_the_sdk_says_what_is_served_where_it_asks_for_something_else(proxied: Proxied) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await proxied.client().embeddings.create(model="text-embedding-3-small", input="안녕")
    assert (unknown.value.code, unknown.value.type) == ("unknown_url", "invalid_request_error")
    assert "POST /v1/chat/completions" in unknown.value.message


@pytest.mark.parametrize("key", [None, "", "0" * 22, UNUSABLE, "\x00", "키"])
async def test_a_key_that_opens_nothing_gets_the_documented_answer(key: str | None, proxied: Proxied) -> None:
    headers = {} if key is None else {b"authorization": f"Bearer {key}".strip().encode()}
    if key == "\x00":
        headers = {b"authorization": b"Basic " + DEMO_KEY.encode()}
    body = orjson.dumps({"model": "gpt-4o", "messages": user("안녕")})
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        posted = await client.post(f"{proxied.http}/v1/chat/completions", content=body, headers=headers)
        listed = await client.get(f"{proxied.http}/v1/models", headers=headers)
    for answer in (posted, listed):
        assert (answer.status_code, answer.json()) == (404, {"status": "failure", "message": "API_KEY does not exist."})


async def test_the_sdk_words_an_unknown_key_as_the_captures_do(proxied: Proxied) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await proxied.client("0" * 22).chat.completions.create(model="gpt-4o", messages=user("안녕"))
    assert refused.value.response.json() == NO_KEY


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_ends_at_its_limit(name: str, stream: bool, proxied: Proxied) -> None:
    answer = await proxied.post({"model": "gpt-4o", "messages": user("안녕"), name: 3, "stream": stream})
    text, finish = said(answer)
    assert (text, finish) == ("".join(TOKENS[:3]), "length")
    whole = await proxied.post({"model": "gpt-4o", "messages": user("안녕"), name: len(TOKENS), "stream": stream})
    assert said(whole) == ("".join(TOKENS), "stop")


@pytest.mark.parametrize(
    ("stop", "text"), [("! 반갑", "안녕하세요"), (["없음", "갑"], "안녕하세요! 반"), ("다.!", None)]
)
async def test_an_answer_ends_before_a_stop_sequence_that_spans_tokens(
    stop: Any, text: str | None, proxied: Proxied
) -> None:
    answer = await proxied.post({"model": "gpt-4o", "messages": user("안녕"), "stop": stop, "stream": True})
    assert said(answer) == ("".join(TOKENS) if text is None else text, "stop")


async def test_a_scripted_tool_call_is_answered_with_its_result(proxied: Proxied) -> None:
    completions = proxied.client().chat.completions
    asked: Any = user("더해 줘")
    called = await completions.create(model="gpt-4o", messages=asked, tools=[ADD])
    choice = called.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert choice.message.tool_calls is not None
    call: Any = choice.message.tool_calls[0]
    assert (call.type, call.function.name, json.loads(call.function.arguments)) == ("function", "add", {"a": 2, "b": 3})
    turned = [*asked, choice.message, {"role": "tool", "tool_call_id": call.id, "content": "5"}]
    answer = await completions.create(model="gpt-4o", messages=turned, tools=[ADD])
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("답은 5입니다.", "stop")


async def test_a_tool_call_is_streamed_as_the_sdk_gathers_it(proxied: Proxied) -> None:
    chat: Any = proxied.client().chat.completions
    async with chat.stream(model="gpt-4o", messages=user("더해 줘"), tools=[ADD]) as stream:
        final = await stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    assert (final.choices[0].finish_reason, call.function.name) == ("tool_calls", "add")
    assert json.loads(call.function.arguments) == {"a": 2, "b": 3}


async def test_no_tool_is_called_where_the_client_forbids_it(proxied: Proxied) -> None:
    answer = await proxied.client().chat.completions.create(
        model="gpt-4o", messages=user("더해 줘"), tools=[ADD], tool_choice="none"
    )
    assert answer.choices[0].message.content == "답은 5입니다."


@pytest.mark.parametrize(
    ("text", "url", "reply"),
    [
        ("이건 뭐야?", "https://example.com/a/cat.png?size=2", "고양이네요."),
        ("그림", "data:image/png;base64,iVBORw0KGgo=", "그림이네요."),
    ],
)
async def test_a_picture_can_be_matched_by_its_name(text: str, url: str, reply: str, proxied: Proxied) -> None:
    content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
    answer = await proxied.client().chat.completions.create(model="gpt-4o", messages=user(content))
    assert answer.choices[0].message.content == reply


async def test_the_conversation_counts_as_the_rooms_turns(proxied: Proxied) -> None:
    messages = [{"role": "developer", "content": "d"}, *user("a"), {"role": "assistant", "content": "b"}, *user("c")]
    answer = await proxied.post({"model": "gpt-4o", "messages": messages})
    assert said(answer)[0] == "두 번째예요."


SHORT = {"role": "system", "content": "짧게"}
CAT = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}


@pytest.mark.parametrize(
    "after", [[SHORT], [{**SHORT, "role": "developer"}], [{"role": "assistant", "content": "음"}], user([CAT])]
)
async def test_what_follows_the_last_user_text_does_not_hide_it(after: list[Any], proxied: Proxied) -> None:
    answer = await proxied.post({"model": "gpt-4o", "messages": [*user("안녕"), *after]})
    assert said(answer)[0] == "".join(TOKENS)


async def test_results_of_tools_give_the_prepared_answer_whatever_follows_them(proxied: Proxied) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    messages = [*user("더해 줘"), {"role": "assistant", "content": None, "tool_calls": [call]}]
    messages += [{"role": "tool", "tool_call_id": "c", "content": "5"}, SHORT]
    answer = await proxied.post({"model": "gpt-4o", "messages": messages, "tools": [ADD]})
    assert said(answer) == ("답은 5입니다.", "stop")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_scripted_failure_is_its_http_answer(stream: bool, proxied: Proxied) -> None:
    answer = await proxied.post({"model": "gpt-4o", "messages": user("오류"), "stream": stream})
    assert (answer.status_code, answer.json()) == (404, NO_KEY)


async def test_a_completion_costs_a_turn_and_a_failed_one_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, space={"credit": 350, "credit_per_turn": 120}) as proxied:
        assert (await proxied.post({"model": "gpt-4o", "messages": user("안녕")})).status_code == 200
        assert await proxied.balance() == 230
        assert (await proxied.post({"model": "gpt-4o", "messages": user("오류")})).status_code == 404
        assert (await proxied.post({"model": "gpt-4o"})).status_code == 400
        assert await proxied.balance() == 230
        assert (await proxied.post({"model": "gpt-4o", "messages": user("안녕"), "stream": True})).status_code == 200
        answer = await proxied.post({"model": "gpt-4o", "messages": user("안녕"), "stream": True})
        assert answer.status_code == 402
        assert answer.json() == {
            "status": "failure",
            "message": "현재 크레딧은 110 입니다. 크레딧이 100원 이상 필요합니다.",
        }
        assert await proxied.balance() == 110


async def test_a_browser_may_ask(proxied: Proxied) -> None:
    asked = {
        "origin": "https://example.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-coredot-provider",
    }
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        allowed = await client.options(f"{proxied.http}/v1/chat/completions", headers=asked)
    assert allowed.status_code == 200
    assert "x-coredot-provider" in allowed.headers["access-control-allow-headers"]
    body = {"model": "gpt-4o", "messages": user("안녕"), "stream": True}
    answer = await proxied.post(body, origin="https://example.com")
    assert answer.headers["access-control-allow-origin"] == "*"


def completions_running() -> int:
    return sum(task.get_name().startswith("completion") for task in asyncio.all_tasks())


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_cancels_the_model(stream: bool, proxied: Proxied) -> None:
    body = orjson.dumps({"model": "gpt-4o", "messages": user("천천히"), "stream": stream})
    port = int(proxied.http.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {DEMO_KEY}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    async with asyncio.timeout(PATIENCE):
        while completions_running() < 2:
            await asyncio.sleep(0.001)
        writer.close()
        while completions_running():
            await asyncio.sleep(0.001)


async def test_a_completion_that_takes_too_long_ends(tmp_path: Path) -> None:
    async with serving(tmp_path, timeout=0.2) as proxied:
        whole = await proxied.post({"model": "gpt-4o", "messages": user("천천히")})
        streamed = await proxied.post({"model": "gpt-4o", "messages": user("천천히"), "stream": True})
    assert whole.status_code == 504
    assert json.loads(streamed.text.split("\n\n")[-2][6:])["error"]["code"] == "timeout"
    assert "[DONE]" not in streamed.text

"""`/v1/responses`, asked by OpenAI's SDK and by LangChain over a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from app.chldo.completion_shapes import count_tokens
from app.chldo.proxy import NO_KEY
from tests.live import DEMO_KEY, PATIENCE, Json
from tests.wire.proxied import TOKENS, Proxied, serving, user
from tests.wire.test_proxy_formats import LOOK, Weather

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "".join(TOKENS)
ADD: Any = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}
SECOND = "11111111111111111111e2"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxied(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxied]:
    other: Json = {"uid": "second", "name": "Second", "org_id": "org_second", "api_keys": [SECOND]}
    paid = {"credit": 100_000, "credit_per_turn": 1}
    async with serving(tmp_path_factory.mktemp("responses"), space=paid, others=[other]) as made:
        yield made


def langchain(proxied: Proxied, **options: Any) -> ChatOpenAI:
    base, key = f"{proxied.http}/v1", SecretStr(DEMO_KEY)
    return ChatOpenAI(
        base_url=base, api_key=key, model="gpt-4o", max_retries=0, timeout=PATIENCE, use_responses_api=True, **options
    )


async def post(proxied: Proxied, **body: Any) -> httpx.Response:
    return await proxied.post(json.dumps({"model": "gpt-4o", **body}).encode(), path="/v1/responses")


async def asked(proxied: Proxied, given: Any, **fields: Any) -> Json:
    answer = await post(proxied, input=given, **fields)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def events_of(answer: httpx.Response) -> list[Json]:
    found = []
    for block in answer.text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


async def test_a_text_is_answered_whole(proxied: Proxied) -> None:
    answer = await proxied.client().responses.create(model="gpt-4o", input="안녕")
    assert (answer.output_text, answer.status, answer.object, answer.error) == (TEXT, "completed", "response", None)
    (message,) = answer.output
    assert message.type == "message"
    assert (message.role, message.status, message.id[:4], answer.id[:5]) == ("assistant", "completed", "msg_", "resp_")
    assert answer.usage is not None
    assert answer.usage.output_tokens == len(TOKENS)
    assert answer.usage.input_tokens == 6 + count_tokens("안녕")
    assert answer.usage.total_tokens == answer.usage.input_tokens + len(TOKENS)
    assert answer.usage.output_tokens_details.reasoning_tokens == 0
    assert (answer.parallel_tool_calls, answer.tool_choice, answer.tools, answer.metadata) == (True, "auto", [], {})


async def test_a_stream_tells_its_events_in_order(proxied: Proxied) -> None:
    events = events_of(await post(proxied, input="안녕", stream=True))
    assert [event["type"] for event in events] == [
        *("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"),
        *["response.output_text.delta"] * len(TOKENS),
        *("response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"),
    ]
    assert [event["delta"] for event in events if event["type"].endswith("delta")] == TOKENS
    created, completed = events[0]["response"], events[-1]["response"]
    assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)
    assert (completed["status"], completed["id"]) == ("completed", created["id"])
    item = completed["output"][0]
    assert events[-2]["item"] == item
    assert {event["item_id"] for event in events if "item_id" in event} == {item["id"]}
    assert item["content"] == [{"type": "output_text", "annotations": [], "logprobs": [], "text": TEXT}]


async def test_the_sdk_streams_with_its_helper(proxied: Proxied) -> None:
    async with proxied.client().responses.stream(model="gpt-4o", input="안녕") as stream:
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert (deltas, final.output_text) == (TOKENS, TEXT)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_function_is_called_and_its_result_answered(stream: bool, proxied: Proxied) -> None:
    responses: Any = proxied.client().responses
    if stream:
        async with responses.stream(model="gpt-4o", input="더해 줘", tools=[ADD]) as told:
            seen = [event.type async for event in told]
            first = await told.get_final_response()
        assert seen[2:6] == [
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
        ]
    else:
        first = await responses.create(model="gpt-4o", input="더해 줘", tools=[ADD])
    (call,) = first.output
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "add", {"a": 2, "b": 3})
    assert (call.id[:3], call.call_id[:5], call.status) == ("fc_", "call_", "completed")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "5"}
    asked_again = [{"role": "user", "content": "더해 줘"}, *first.output, result]
    again = await responses.create(model="gpt-4o", input=asked_again, tools=[ADD])
    assert again.output_text == "답은 5입니다."
    short = await responses.create(model="gpt-4o", previous_response_id=first.id, input=[result], tools=[ADD])
    assert short.output_text == "답은 5입니다."


async def test_a_conversation_goes_on_from_an_earlier_response(proxied: Proxied) -> None:
    first = await asked(proxied, "a", instructions="짧게")
    second = await asked(proxied, "c", previous_response_id=first["id"])
    assert (second["output"][0]["content"][0]["text"], second["previous_response_id"]) == ("두 번째예요.", first["id"])
    third = await asked(proxied, "안녕", previous_response_id=second["id"])
    assert third["output"][0]["content"][0]["text"] == TEXT
    assert third["usage"]["input_tokens"] > second["usage"]["input_tokens"] > first["usage"]["input_tokens"]
    assert third["instructions"] is None
    only = await post(proxied, previous_response_id=first["id"])
    assert only.status_code == 200


async def test_input_may_be_items_of_all_kinds(proxied: Proxied) -> None:
    picture = {"type": "input_image", "image_url": "https://example.com/a/cat.png", "detail": "low"}
    given: list[Any] = [
        {"role": "system", "content": "s"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "하나"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "둘", "annotations": []}, {"type": "refusal", "refusal": "r"}],
        },
        {"role": "user", "content": [{"type": "input_text", "text": "이건 뭐야?"}, picture]},
        {"role": "developer", "content": "짧게"},
    ]
    assert (await asked(proxied, given))["output"][0]["content"][0]["text"] == "고양이네요."
    assert (await asked(proxied, [*user("안녕"), {"role": "system", "content": "짧게"}]))["output"][0]["content"][0][
        "text"
    ] == TEXT
    assert (await asked(proxied, [*user("안녕"), {"role": "user", "content": [picture]}]))["status"] == "completed"


async def test_results_may_have_parts_and_calls_may_be_custom(proxied: Proxied) -> None:
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "add", "input": "2 + 3"}
    parts = [{"type": "input_text", "text": "5"}, {"type": "input_image", "image_url": "data:image/png;base64,AA=="}]
    output = {"type": "custom_tool_call_output", "call_id": "c1", "output": parts}
    answer = await asked(proxied, [*user("더해 줘"), call, output, {"role": "developer", "content": "짧게"}])
    assert answer["output"][0]["content"][0]["text"] == "답은 5입니다."


async def test_items_can_be_referred_to(proxied: Proxied) -> None:
    first = await asked(proxied, "더해 줘", tools=[ADD])
    (call,) = first["output"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "5"}
    for reference in ({"type": "item_reference", "id": call["id"]}, {"id": call["id"]}):
        again = await asked(proxied, [*user("더해 줘"), reference, result])
        assert again["output"][0]["content"][0]["text"] == "답은 5입니다."


async def test_responses_are_kept_shown_and_forgotten(proxied: Proxied) -> None:
    client = proxied.client()
    first = await client.responses.create(model="gpt-4o", input="안녕", metadata={"a": "b"})
    second = await client.responses.create(model="gpt-4o", input="안녕", previous_response_id=first.id)
    shown = await client.responses.retrieve(second.id)
    assert (shown.output_text, shown.id, shown.previous_response_id) == (TEXT, second.id, first.id)
    items = [item async for item in client.responses.input_items.list(second.id, order="asc", limit=2)]
    assert [item.type for item in items] == ["message"] * 3
    assert [getattr(item, "role", None) for item in items] == ["user", "assistant", "user"]
    assert len({item.id for item in items}) == 3
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        await client.responses.cancel(second.id)
    await client.responses.delete(first.id)
    for gone in (client.responses.retrieve(first.id), client.responses.delete(first.id)):
        with pytest.raises(openai.NotFoundError, match=f"Response with id '{first.id}' not found"):
            await gone
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(model="gpt-4o", input="x", previous_response_id=first.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_what_is_not_to_be_kept_is_not(proxied: Proxied) -> None:
    answer = await asked(proxied, "안녕", store=False)
    assert answer["store"] is False
    assert (await post(proxied, input="x", previous_response_id=answer["id"])).status_code == 400
    lost = await post(proxied, input=[{"type": "item_reference", "id": answer["output"][0]["id"]}])
    assert (lost.status_code, lost.json()["error"]["param"]) == (404, "input")
    assert "Items are not persisted when `store` is set to false" in lost.json()["error"]["message"]


async def test_responses_belong_to_their_space(proxied: Proxied) -> None:
    answer = await asked(proxied, "안녕")
    stranger = proxied.client(SECOND)
    with pytest.raises(openai.NotFoundError):
        await stranger.responses.retrieve(answer["id"])
    with pytest.raises(openai.BadRequestError):
        await stranger.responses.create(model="gpt-4o", input="x", previous_response_id=answer["id"])


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_ends_at_its_limit(stream: bool, proxied: Proxied) -> None:
    answer = await post(proxied, input="안녕", max_output_tokens=3, stream=stream)
    body = events_of(answer)[-1]["response"] if stream else answer.json()
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (body["output"][0]["status"], body["usage"]["output_tokens"]) == ("incomplete", 3)
    assert not stream or events_of(answer)[-1]["type"] == "response.incomplete"


async def test_a_schema_is_satisfied_and_a_tool_called_where_it_must_be(proxied: Proxied) -> None:
    responses: Any = proxied.client().responses
    parsed = await responses.parse(model="gpt-4o", input="아무 도시", text_format=Weather)
    assert isinstance(parsed.output_parsed, Weather)
    async with responses.stream(model="gpt-4o", input="아무 도시", text_format=Weather) as stream:
        await stream.until_done()
        assert isinstance((await stream.get_final_response()).output_parsed, Weather)
    look = {"type": "function", **LOOK["function"], "strict": True}
    for choice in ("required", {"type": "function", "name": "look"}):
        called = await responses.create(model="gpt-4o", input="아무 데나", tools=[look, ADD], tool_choice=choice)
        assert (called.output[0].type, called.output[0].name) == ("function_call", "look")
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "add"}]}
    called = await responses.create(model="gpt-4o", input="아무 데나", tools=[look, ADD], tool_choice=allowed)
    assert called.output[0].name == "add"
    loose = await asked(proxied, "아무거나", text={"format": {"type": "json_object"}, "verbosity": "low"})
    assert json.loads(loose["output"][0]["content"][0]["text"]) == {"reply": "네, 알겠습니다."}
    assert loose["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}


async def test_log_probabilities_are_told_where_they_are_included(proxied: Proxied) -> None:
    told = await asked(proxied, "안녕", include=["message.output_text.logprobs"], top_logprobs=2)
    logprobs = told["output"][0]["content"][0]["logprobs"]
    assert [entry["token"] for entry in logprobs] == TOKENS
    assert {len(entry["top_logprobs"]) for entry in logprobs} == {2}
    plain = await asked(proxied, "안녕", top_logprobs=2)
    assert plain["output"][0]["content"][0]["logprobs"] == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_scripted_failure_is_its_http_answer(stream: bool, proxied: Proxied) -> None:
    answer = await post(proxied, input="오류", stream=stream)
    assert (answer.status_code, answer.json()) == (404, NO_KEY)


async def test_a_key_that_opens_nothing_gets_the_documented_answer(proxied: Proxied) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await proxied.client("0" * 22).responses.create(model="gpt-4o", input="안녕")
    assert refused.value.response.json() == NO_KEY
    with pytest.raises(openai.NotFoundError):
        await proxied.client("0" * 22).responses.retrieve("resp_1")


async def test_a_response_costs_a_turn(proxied: Proxied) -> None:
    before = await proxied.balance()
    await asked(proxied, "안녕")
    assert (await post(proxied, input="오류")).status_code == 404
    assert await proxied.balance() == before - 1


@pytest.mark.parametrize(
    ("change", "param", "code", "status"),
    [
        ({"model": None}, None, None, 400),
        ({"input": None}, "input", "missing_required_parameter", 400),
        ({"input": 5}, "input", "invalid_type", 400),
        ({"input": []}, "input", "missing_required_parameter", 400),
        ({"input": [5]}, "input[0]", "invalid_type", 400),
        ({"input": [{"type": "web_search_call", "id": "x"}]}, "input[0].type", "invalid_value", 400),
        ({"input": [{"type": ["message"]}]}, "input[0].type", "invalid_value", 400),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role", "invalid_value", 400),
        ({"input": [{"role": "user"}]}, "input[0].content", "invalid_type", 400),
        (
            {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            "input[0].content[0].type",
            "invalid_value",
            400,
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input[0].content[0].text",
            "missing_required_parameter",
            400,
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].image_url",
            "missing_required_parameter",
            400,
        ),
        (
            {"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]},
            "input[0].call_id",
            "missing_required_parameter",
            400,
        ),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input", None, 400),
        ({"input": [{"type": "item_reference"}]}, "input[0].id", "missing_required_parameter", 400),
        ({"input": [{"id": "msg_0"}]}, "input", None, 404),
        ({"previous_response_id": "resp_0"}, "previous_response_id", "previous_response_not_found", 400),
        ({"previous_response_id": 5}, "previous_response_id", "invalid_type", 400),
        ({"max_output_tokens": 0}, "max_output_tokens", "integer_below_min_value", 400),
        ({"temperature": 3}, "temperature", "decimal_above_max_value", 400),
        ({"text": "x"}, "text", "invalid_type", 400),
        ({"text": {"format": "json"}}, "text.format", "invalid_type", 400),
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type", "invalid_value", 400),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name", "missing_required_parameter", 400),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "x"}}}},
            "text.format.schema",
            "invalid_json_schema",
            400,
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"enum": []}}}},
            "text.format.schema",
            "invalid_json_schema",
            400,
        ),
        ({"tools": {}}, "tools", "invalid_type", 400),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter", 400),
        (
            {"tools": [{**ADD, "parameters": {"type": "array"}}]},
            "tools[0].parameters",
            "invalid_function_parameters",
            400,
        ),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value", 400),
        ({"tools": [ADD], "tool_choice": {"type": "function", "name": "x"}}, "tool_choice", "invalid_value", 400),
        ({"tools": [ADD], "tool_choice": {"type": "function"}}, "tool_choice.name", "missing_required_parameter", 400),
        (
            {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}},
            "tool_choice.type",
            "invalid_value",
            400,
        ),
        ({"background": True}, "background", "unsupported_parameter", 400),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter", 400),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_parameter", 400),
        ({"instructions": 5}, "instructions", "invalid_type", 400),
        ({"input": "가나 " * 200_000}, "input", "context_length_exceeded", 400),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_bad_input_is_told_by_the_names_it_was_sent_with(
    change: Json, param: str | None, code: str | None, status: int, proxied: Proxied
) -> None:
    answer = await post(proxied, **{"input": "안녕", **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (status, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code)
    assert not any(word in error["message"] for word in ("messages[", "response_format.", "max_completion_tokens"))


async def test_tools_that_a_server_runs_may_be_offered(proxied: Proxied) -> None:
    hosted = [
        {"type": "web_search"},
        {"type": "file_search", "vector_store_ids": ["v"]},
        {"type": "mcp", "server_label": "x"},
    ]
    answer = await asked(proxied, "안녕", tools=[*hosted, ADD], background=False, truncation="auto")
    assert answer["output"][0]["content"][0]["text"] == TEXT
    assert answer["tools"] == [*hosted, ADD]


async def test_numbers_of_any_size_come_back(proxied: Proxied) -> None:
    large = 12345678901234567890123
    tool = {**ADD, "parameters": {"type": "object", "properties": {"a": {"type": "integer", "minimum": large}}}}
    answer = await post(proxied, input="안녕", tools=[tool], stream=True)
    assert str(large) in answer.text
    whole = await post(proxied, input="아무거나", tools=[tool], tool_choice="required")
    assert json.loads(whole.json()["output"][0]["arguments"])["a"] >= large


async def test_langchain_talks_calls_and_goes_on(proxied: Proxied) -> None:
    model = langchain(proxied)
    assert (await model.ainvoke("안녕")).text == TEXT
    assert "".join([chunk.text async for chunk in model.astream("안녕")]) == TEXT
    bound = model.bind_tools([{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}])
    called = await bound.ainvoke("더해 줘")
    assert [call["name"] for call in called.tool_calls] == ["add"]
    result = ToolMessage("5", tool_call_id=called.tool_calls[0]["id"])
    answered = await bound.ainvoke([HumanMessage("더해 줘"), called, result])
    assert isinstance(answered, AIMessage)
    assert answered.text == "답은 5입니다."
    linked = langchain(proxied, use_previous_response_id=True)
    first = await linked.ainvoke("안녕")
    assert (await linked.ainvoke([HumanMessage("안녕"), first, HumanMessage("a")])).text == "두 번째예요."


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
async def test_langchain_gets_structured_output(method: Any, proxied: Proxied) -> None:
    found = await langchain(proxied).with_structured_output(Weather, method=method).ainvoke("아무 도시")
    assert isinstance(found, Weather)


async def test_a_failure_in_the_middle_is_told_as_an_event(tmp_path: Path) -> None:
    async with serving(tmp_path, timeout=0.3) as slow:
        answer = await slow.post({"model": "m", "input": "천천히", "stream": True}, path="/v1/responses")
        events = events_of(answer)
        with pytest.raises(openai.APIError, match="Request timed out"):
            async for _ in await slow.client().responses.create(model="m", input="천천히", stream=True):
                pass
    assert [event["type"] for event in events][-2:] == ["error", "response.failed"]
    assert (events[-2]["code"], events[-2]["error"]["code"]) == ("timeout", "timeout")
    failed = events[-1]["response"]
    assert (failed["status"], failed["error"]) == ("failed", {"code": "server_error", "message": "Request timed out."})
    assert failed["output"][0]["status"] == "incomplete"

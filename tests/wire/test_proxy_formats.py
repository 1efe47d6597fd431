"""Answers in the shape that is asked for, as the SDKs of others ask for it: JSON, forced calls, choices, log
probabilities.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from typing import Any, Literal

import jsonschema
import openai
import pytest
import pytest_asyncio
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field, SecretStr

from tests.live import DEMO_KEY, PATIENCE, Json
from tests.wire.proxied import ADD, Proxied, serving, user

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPLIES: list[Json] = [
    {
        "when": {"msg": "서울 날씨", "json_schema": "Weather"},
        "json": {"city": "서울", "sky": "sunny", "days": [{"high": 21}]},
    },
    {"when": {"msg": "깨진 JSON", "response_format": "json_schema"}, "reply": "{이건 JSON이 아니에요"},
    {"when": {"response_format": "json_object", "msg": "객체"}, "json": {"하나": 1}},
    {"when": {"msg": "그냥"}, "reply": "그냥 말이에요."},
    {"when": {"msg": "더해 줘"}, "reply": "답은 5입니다.", "tool_calls": [{"name": "add", "args": {"a": 2, "b": 3}}]},
    {"when": {"tool_choice": "look"}, "reply": "x", "tool_calls": [{"name": "look", "args": {"place": "바다"}}]},
    {"when": {"msg": "오류"}, "error": {"status": 429, "body": {"error": {"message": "slow down"}}}},
]


class Day(BaseModel):
    high: int = Field(ge=-50, le=50)


class Weather(BaseModel):
    """The weather of a city."""

    city: str = Field(min_length=2, max_length=40)
    sky: Literal["sunny", "cloudy"]
    days: list[Day] = Field(min_length=1, max_length=3)
    near: Weather | None = None


LOOK: Json = {
    "type": "function",
    "function": {
        "name": "look",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "pattern": "^[가-힣]{2,5}$"}, "times": {"type": "integer"}},
            "required": ["place", "times"],
            "additionalProperties": False,
        },
    },
}


def wanting(schema: Any, name: str = "Answer", **more: Any) -> Json:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, **more}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxied(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxied]:
    async with serving(tmp_path_factory.mktemp("formats"), replies=REPLIES) as made:
        yield made


def langchain(proxied: Proxied, **options: Any) -> ChatOpenAI:
    base, key = f"{proxied.http}/v1", SecretStr(DEMO_KEY)
    return ChatOpenAI(base_url=base, api_key=key, model="gpt-4o", max_retries=0, timeout=PATIENCE, **options)


async def asked(proxied: Proxied, text: str, **fields: Any) -> Json:
    answer = await proxied.post({"model": "gpt-4o", "messages": user(text), **fields})
    assert answer.status_code == 200, answer.text
    choice: Json = answer.json()["choices"][0]
    return choice


async def test_the_sdk_parses_what_is_made_for_a_model(proxied: Proxied) -> None:
    parse = proxied.client().chat.completions.parse
    answer = await parse(model="gpt-4o", messages=user("아무 도시"), response_format=Weather)
    assert isinstance(answer.choices[0].message.parsed, Weather)
    assert answer.choices[0].finish_reason == "stop"
    scripted = await parse(model="gpt-4o", messages=user("서울 날씨"), response_format=Weather)
    found = scripted.choices[0].message.parsed
    assert found == Weather(city="서울", sky="sunny", days=[Day(high=21)])


async def test_the_sdk_streams_and_parses_what_is_made(proxied: Proxied) -> None:
    chat: Any = proxied.client().chat.completions
    async with chat.stream(model="gpt-4o", messages=user("아무 도시"), response_format=Weather) as stream:
        pieces = [event.delta async for event in stream if event.type == "content.delta"]
        final = await stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Weather)
    assert len(pieces) > 5


async def test_the_sdk_parses_the_arguments_of_a_tool_that_must_be_called(proxied: Proxied) -> None:
    tool = openai.pydantic_function_tool(Weather)
    answer = await proxied.client().chat.completions.parse(
        model="gpt-4o", messages=user("아무 도시"), tools=[tool], tool_choice="required"
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, Weather)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("responses", [False])
async def test_langchain_gets_structured_output(method: Any, responses: bool, proxied: Proxied) -> None:
    model = langchain(proxied, use_responses_api=responses).with_structured_output(Weather, method=method)
    found = await model.ainvoke("아무 도시")
    assert isinstance(found, Weather)


async def test_langchain_calls_the_tool_it_names(proxied: Proxied) -> None:
    bound = langchain(proxied).bind_tools([LOOK], tool_choice="look")
    (call,) = (await bound.ainvoke("아무 데나")).tool_calls
    assert (call["name"], call["args"]) == ("look", {"place": "바다"})


async def test_a_json_object_is_the_scripts_or_carries_its_words(proxied: Proxied) -> None:
    wanted = {"type": "json_object"}
    assert json.loads((await asked(proxied, "객체", response_format=wanted))["message"]["content"]) == {"하나": 1}
    told = json.loads((await asked(proxied, "그냥", response_format=wanted))["message"]["content"])
    assert told == {"reply": "그냥 말이에요."}
    assert (await asked(proxied, "그냥", response_format={"type": "text"}))["message"]["content"] == "그냥 말이에요."


async def test_a_reply_for_a_format_is_sent_as_it_stands(proxied: Proxied) -> None:
    broken = await asked(proxied, "깨진 JSON", response_format=wanting({"type": "object"}))
    assert broken["message"]["content"] == "{이건 JSON이 아니에요"
    refused = await proxied.post({"model": "m", "messages": user("오류"), "response_format": wanting({})})
    assert (refused.status_code, refused.json()["error"]["message"]) == (429, "slow down")


@pytest.mark.parametrize("strict", [True, False, None])
async def test_json_is_made_for_schemas_as_they_come(strict: bool | None, proxied: Proxied) -> None:
    schemas: list[Json] = [
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "uniqueItems": True},
        {"type": "string", "format": "date-time"},
        {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer", "exclusiveMinimum": 3, "maximum": 4}}},
        {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}, "required": ["kids"]},
    ]
    for schema in schemas:
        choice = await asked(proxied, "그냥", response_format=wanting(schema, strict=strict))
        jsonschema.validate(json.loads(choice["message"]["content"]), schema)


async def test_a_long_answer_is_cut_and_says_so(proxied: Proxied) -> None:
    choice = await asked(proxied, "그냥", response_format=wanting({"type": "array", "minItems": 50}), max_tokens=5)
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("required", "add"),
        ({"type": "function", "function": {"name": "add"}}, "add"),
        ({"type": "function", "function": {"name": "look"}}, "look"),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "look"}}]},
            },
            "look",
        ),
    ],
    ids=str,
)
async def test_a_tool_that_must_be_called_is(choice: Any, name: str, proxied: Proxied) -> None:
    for text in ("그냥", "더해 줘"):
        answer = await asked(proxied, text, tools=[ADD, LOOK], tool_choice=choice)
        (call,) = answer["message"]["tool_calls"]
        assert (answer["finish_reason"], call["function"]["name"]) == ("tool_calls", name)
        arguments = json.loads(call["function"]["arguments"])
        assert name == "add" or next(iter(arguments)) == "place"
        assert len(call["id"]) == len("call_") + 24


async def test_a_tool_may_also_not_be_called(proxied: Proxied) -> None:
    for fields in (
        {"tool_choice": "none", "tools": [ADD]},
        {"tool_choice": "auto", "tools": [LOOK]},
        {"tools": [LOOK]},
    ):
        assert (await asked(proxied, "그냥", **fields))["message"]["content"] == "그냥 말이에요."


async def test_choices_are_all_alike(proxied: Proxied) -> None:
    body: Json = {"model": "gpt-4o", "messages": user("그냥"), "n": 3}
    whole = (await proxied.post(body)).json()
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2]
    assert {choice["message"]["content"] for choice in whole["choices"]} == {"그냥 말이에요."}
    stream = await proxied.client().chat.completions.create(stream=True, **body)
    told = ["", "", ""]
    ends = []
    async for chunk in stream:
        told[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
        ends += [chunk.choices[0].index] if chunk.choices[0].finish_reason else []
    assert (told, ends) == (["그냥 말이에요."] * 3, [0, 1, 2])
    one = (await proxied.post({**body, "n": 1})).json()["usage"]["completion_tokens"]
    assert whole["usage"]["completion_tokens"] == 3 * one


async def test_log_probabilities_are_told_for_each_token(proxied: Proxied) -> None:
    create: Any = proxied.client().chat.completions.create
    answer = await create(model="gpt-4o", messages=user("그냥"), logprobs=True, top_logprobs=3)
    told = answer.choices[0].logprobs.content
    assert "".join(entry.token for entry in told) == "그냥 말이에요."
    for entry in told:
        assert bytes(entry.bytes).decode() == entry.token
        assert entry.top_logprobs[0].token == entry.token
        assert len({other.token for other in entry.top_logprobs}) == 3
        assert sum(math.exp(other.logprob) for other in entry.top_logprobs) <= 1
        assert sorted((other.logprob for other in entry.top_logprobs), reverse=True)[0] == entry.logprob
    plain = await create(model="gpt-4o", messages=user("그냥"), logprobs=True, stream=True)
    pieces = [chunk.choices[0] async for chunk in plain]
    assert [piece.logprobs.content[0].token for piece in pieces if piece.delta.content] == [
        entry.token for entry in told
    ]
    assert (await asked(proxied, "그냥"))["logprobs"] is None


IMPOSSIBLE: Json = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("fields", "param", "code", "message"),
    [
        ({"response_format": {"type": "yaml"}}, "response_format.type", "invalid_value", "'json_schema'"),
        ({"response_format": {}}, "response_format.type", "invalid_value", "'json_schema'"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter", ""),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "response_format.json_schema.name",
            "missing_required_parameter",
            "",
        ),
        ({"response_format": wanting({}, "a b")}, "response_format.json_schema.name", "invalid_value", ""),
        ({"response_format": wanting([])}, "response_format.json_schema.schema", "invalid_type", ""),
        (
            {"response_format": wanting({"type": "x"})},
            "response_format",
            None,
            "Invalid schema for response_format 'Answer'",
        ),
        ({"response_format": wanting(IMPOSSIBLE)}, "response_format", None, "no value satisfies it"),
        (
            {"response_format": wanting({"$ref": "http://127.0.0.1:9/x"})},
            "response_format",
            None,
            "leads out of the schema",
        ),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value", "only allowed when 'tools'"),
        (
            {"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "sub"}}},
            "tool_choice",
            "invalid_value",
            "'sub' is not among",
        ),
        ({"tools": [ADD], "tool_choice": {"type": "custom"}}, "tool_choice.type", "invalid_value", "'function'"),
        (
            {"tools": [ADD], "tool_choice": {"type": "function"}},
            "tool_choice.function.name",
            "missing_required_parameter",
            "",
        ),
        (
            {"tools": [LOOK, {"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]},
            "tools[1].function.parameters",
            "invalid_function_parameters",
            "Invalid schema for function 'f'",
        ),
        (
            {
                "tools": [{"type": "function", "function": {"name": "f", "parameters": IMPOSSIBLE}}],
                "tool_choice": "required",
            },
            "tools[0].function.parameters",
            "invalid_function_parameters",
            "no value satisfies it",
        ),
        ({"top_logprobs": 3}, "top_logprobs", "invalid_value", ""),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value", ""),
        ({"modalities": ["text", "audio"]}, "modalities", "invalid_value", ""),
        ({"audio": {"voice": "ash", "format": "mp3"}}, "audio", "unsupported_parameter", ""),
        ({"functions": [{"name": "f"}]}, "functions", "unsupported_parameter", "use 'tools'"),
        ({"function_call": {"name": "f"}}, "function_call", "unsupported_parameter", "use 'tool_choice'"),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_cannot_be_done_is_a_bad_request(
    fields: Json, param: str, code: str | None, message: str, stream: bool, proxied: Proxied
) -> None:
    answer = await proxied.post({"model": "gpt-4o", "messages": user("그냥"), "stream": stream, **fields})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert message in error["message"]

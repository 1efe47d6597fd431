"""What a client of the proxy may ask, and OpenAI's answer to each way of asking wrongly. PURE.

`parse_completion` turns the body of `POST /v1/chat/completions` into a `CompletionAsk` or a `BadRequest`. Messages come
out with their known fields only. What a model behind an upstream is to answer is a `PassedAsk`: it goes there as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.chldo.bad_requests import BadRequest, Json, missing, read_body, shallow, too_long, unsupported, wrong_type

SCRIPTED = "scripted"
"""The model that is the script, whatever the space has."""

MODELS = (
    *("gpt-4o-mini", "gpt-4o", "gpt-4", "gpt-4-turbo", "claude-3-sonnet-20240229", "claude-3-5-sonnet-20240620"),
    SCRIPTED,
)
"""What `GET /v1/models` lists: the models of the chldo pages, and the script."""

COMPLETIONS, RESPONSES = "/chat/completions", "/responses"
"""What is asked for, below a base URL."""

MOST_MESSAGES, MOST_TOOLS, MOST_STOPS, MOST_CHOICES = 2048, 128, 4, 128
LONGEST_STOP = 256
DEEPEST = 64
"""Levels of nesting that a field may have: what passes it on walks it recursively."""

ROLES = ("system", "developer", "user", "assistant", "tool")
PARTS = {"text": str, "refusal": str, "image_url": dict, "input_audio": dict, "file": dict}
"""The kinds of content, and the type of what each carries under its own name."""

_FLAGS = ("stream", "logprobs", "store", "parallel_tool_calls")
_TEXTS = ("user", "reasoning_effort", "service_tier")
_OBJECTS = ("stream_options", "response_format", "logit_bias", "metadata")
_DECIMALS = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}
_LEAST = {"max_tokens": 1, "max_completion_tokens": 1, "top_logprobs": 0, "n": 1, "seed": -(2**63)}
_CHOICES = ("none", "auto", "required")
LONGEST_MODEL = 256
"""Characters of a model's name; it stands in every chunk of an answer."""

_OWN = frozenset({"model", "messages", "stream", "stream_options", "n"})


@dataclass(frozen=True, slots=True)
class CompletionAsk:
    """A chat completion that is asked for.

    `limit`: tokens the answer may have; `choices`: how many answers are given. `top_logprobs`: how many tokens are told
    for each place, None where none are. `passed`: the fields of the body that only the model understands.
    """

    model: str
    messages: tuple[Json, ...]
    stream: bool
    include_usage: bool
    limit: int | None
    stop: tuple[str, ...]
    choices: int
    top_logprobs: int | None
    user: str
    passed: Json


@dataclass(frozen=True, slots=True)
class PassedAsk:
    """A chat completion that a model behind an upstream answers: `body` goes there as it is."""

    model: str
    stream: bool
    body: bytes


def parse_passed(body: bytes) -> PassedAsk | BadRequest:
    """The body of a request for an upstream: whatever JSON object it is, the upstream judges the rest. Large ones
    belong into a thread.
    """
    sent = read_body(body)
    if isinstance(sent, BadRequest):
        return sent
    problem = next(_model_problems(sent), None)
    if problem is not None:
        return problem
    stream = sent.get("stream")
    if not isinstance(stream, bool | None):
        return wrong_type("stream", "a boolean", stream)
    return PassedAsk(sent["model"], stream is True, body)


def parse_completion(body: bytes) -> CompletionAsk | BadRequest:
    """The body of a request. Linear in the body; large ones belong into a thread."""
    sent = read_body(body)
    return sent if isinstance(sent, BadRequest) else completion_of(sent)


def completion_of(sent: Json) -> CompletionAsk | BadRequest:
    """The completion that the fields of a body ask for. null counts as left out."""
    given: Json = {key: value for key, value in sent.items() if value is not None}
    problem = next(_problems(given), None)
    if problem is not None:
        return problem
    stop = given.get("stop", ())
    limits = [given[key] for key in ("max_completion_tokens", "max_tokens") if key in given]
    return CompletionAsk(
        model=given["model"],
        messages=tuple(_message(message) for message in given["messages"]),
        stream=given.get("stream", False),
        include_usage=given.get("stream_options", {}).get("include_usage") is True,
        limit=min(limits, default=None),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        choices=given.get("n", 1),
        top_logprobs=given.get("top_logprobs", 0) if given.get("logprobs") else None,
        user=given.get("user", ""),
        passed={key: value for key, value in given.items() if key not in _OWN},
    )


def _problems(given: Json) -> Iterator[BadRequest]:
    """What is wrong with a body, in the order in which it is told."""
    yield from _model_problems(given)
    yield from _message_problems(given)
    yield from _field_problems(given)
    if "stream_options" in given and not given.get("stream"):
        yield BadRequest(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            "stream_options",
            "invalid_value",
        )
    if given.get("n", 1) > MOST_CHOICES:
        yield BadRequest(f"Invalid 'n': expected a value <= {MOST_CHOICES}.", "n", "integer_above_max_value")
    yield from _stop_problems(given.get("stop", ()))
    yield from _tool_problems(given)
    for key, value in given.items():
        if key not in ("model", "messages") and not shallow(value, DEEPEST):
            yield BadRequest(f"Invalid '{key[:64]}': nested too deep.", key[:64], "invalid_value")


def _model_problems(given: Json) -> Iterator[BadRequest]:
    model = "" if given.get("model") is None else given["model"]
    if not isinstance(model, str):
        yield wrong_type("model", "a string", model)
    elif len(model) > LONGEST_MODEL:
        yield BadRequest(f"Invalid 'model': at most {LONGEST_MODEL} characters.", "model", "invalid_value")
    elif not model.strip():
        yield BadRequest("you must provide a model parameter")


def _field_problems(given: Json) -> Iterator[BadRequest]:
    for keys, kind, name in ((_FLAGS, bool, "a boolean"), (_TEXTS, str, "a string"), (_OBJECTS, dict, "an object")):
        for key in keys:
            if key in given and not isinstance(given[key], kind):
                yield wrong_type(key, name, given[key])
    for key, (least, most) in _DECIMALS.items():
        value = given.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield wrong_type(key, "a decimal", value)
        elif not least <= value <= most:
            code = "decimal_below_min_value" if value < least else "decimal_above_max_value"
            yield BadRequest(f"Invalid '{key}': must be {least} to {most}, but got {value}.", key, code)
    for key, least in _LEAST.items():
        value = given.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int):
            yield wrong_type(key, "an integer", value)
        elif value < least:
            yield BadRequest(
                f"Invalid '{key}': integer below minimum value. Expected a value >= {least}, but got {value} instead.",
                key,
                "integer_below_min_value",
            )


def _stop_problems(stop: object) -> Iterator[BadRequest]:
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list | tuple):
        yield wrong_type("stop", "a string or an array", stop)
        return
    if len(stops) > MOST_STOPS:
        yield too_long("stop", len(stops), MOST_STOPS)
    for number, text in enumerate(stops):
        if not isinstance(text, str):
            yield wrong_type(f"stop[{number}]", "a string", text)
        elif len(text) > LONGEST_STOP:
            yield BadRequest(
                f"Invalid 'stop': longer than {LONGEST_STOP} characters.", "stop", "string_above_max_length"
            )


def _tool_problems(given: Json) -> Iterator[BadRequest]:
    tools = given.get("tools", [])
    if not isinstance(tools, list):
        yield wrong_type("tools", "an array", tools)
        return
    if len(tools) > MOST_TOOLS:
        yield too_long("tools", len(tools), MOST_TOOLS)
    for number, tool in enumerate(tools):
        where = f"tools[{number}]"
        if not isinstance(tool, dict):
            yield wrong_type(where, "an object", tool)
        elif not isinstance(tool.get("type"), str):
            yield missing(f"{where}.type")
        elif tool["type"] == "function":
            function = tool.get("function")
            if not isinstance(function, dict) or not isinstance(function.get("name"), str):
                yield missing(f"{where}.function.name")
    choice = given.get("tool_choice", "auto")
    if not isinstance(choice, dict) and choice not in _CHOICES:
        yield unsupported("tool_choice", choice, _CHOICES)


def _message_problems(given: Json) -> Iterator[BadRequest]:
    messages = given.get("messages")
    if messages is None:
        yield missing("messages")
        return
    if not isinstance(messages, list):
        yield wrong_type("messages", "an array", messages)
        return
    if not messages:
        yield BadRequest(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.", "messages", "empty_array"
        )
    if len(messages) > MOST_MESSAGES:
        yield too_long("messages", len(messages), MOST_MESSAGES)
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict):
            yield wrong_type(where, "an object", message)
            continue
        role = message.get("role")
        if role not in ROLES:
            yield missing(f"{where}.role") if role is None else unsupported(f"{where}.role", role, ROLES)
            continue
        if not isinstance(message.get("name") or "", str):
            yield wrong_type(f"{where}.name", "a string", message["name"])
        if role == "tool" and not isinstance(message.get("tool_call_id"), str):
            yield missing(f"{where}.tool_call_id")
        calls = message.get("tool_calls") if role == "assistant" else None
        yield from _call_problems(f"{where}.tool_calls", calls)
        said = role == "assistant" and (calls or isinstance(message.get("refusal"), str))
        if not said or message.get("content") is not None:
            yield from _content_problems(f"{where}.content", message.get("content"))


def _call_problems(where: str, calls: object) -> Iterator[BadRequest]:
    if calls is None:
        return
    if not isinstance(calls, list):
        yield wrong_type(where, "an array", calls)
        return
    if len(calls) > MOST_TOOLS:
        yield too_long(where, len(calls), MOST_TOOLS)
    for number, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(call.get("id"), str):
            yield missing(f"{where}[{number}].id")
        elif not isinstance(function, dict) or not isinstance(function.get("name"), str):
            yield missing(f"{where}[{number}].function.name")
        elif not isinstance(function.get("arguments"), str):
            yield missing(f"{where}[{number}].function.arguments")


def _content_problems(where: str, content: object) -> Iterator[BadRequest]:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        yield wrong_type(where, "a string or an array of objects", content)
        return
    if not content:
        yield BadRequest(f"Invalid '{where}': empty array.", where, "empty_array")
    if len(content) > MOST_MESSAGES:
        yield too_long(where, len(content), MOST_MESSAGES)
    for number, part in enumerate(content):
        here = f"{where}[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or kind not in PARTS:
            yield unsupported(f"{here}.type", kind, tuple(PARTS))
            continue
        if not isinstance(part.get(kind), PARTS[kind]) or not shallow(part[kind], DEEPEST):
            yield missing(f"{here}.{kind}")
        elif kind == "image_url" and not isinstance(part[kind].get("url"), str):
            yield missing(f"{here}.image_url.url")


def _message(message: Mapping[str, Any]) -> Json:
    """A message that holds up, with its known fields only."""
    content = message.get("content")
    if isinstance(content, list):
        content = [{"type": part["type"], part["type"]: part[part["type"]]} for part in content]
    calls = [
        {"id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
        for call in (message["role"] == "assistant" and message.get("tool_calls")) or ()
    ]
    return {
        "role": message["role"],
        "content": "" if content is None else content,
        "name": message.get("name") or None,
        "tool_calls": calls,
        "tool_call_id": message.get("tool_call_id"),
    }

"""What a client of `POST /v1/responses` may ask of the script: a chat completion in other words. PURE.

`parse_response` turns a body into a `ResponseAsk`, whose `completion` runs as any other does; only the words of the
request and of the answer are different. What is wrong with it is told by the names that the client has used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from app.agent.answer_shape import JSON_SCHEMA, TEXT
from app.chldo.bad_requests import BadRequest, Json, read_body, shallow, wrong_type
from app.chldo.completions import DEEPEST, CompletionAsk, completion_of
from app.chldo.response_items import BadInput, items_of, messages_of

LOGPROBS = "message.output_text.logprobs"
"""What `include` says for log probabilities."""

_ALIKE = (
    *("model", "stream", "temperature", "top_p", "user", "parallel_tool_calls", "metadata", "service_tier", "store"),
    "top_logprobs",
)
"""Fields that a chat completion has too."""

_UNSERVED = {
    "background": "Responses in the background are not served.",
    "conversation": "Conversations are not served: use 'previous_response_id'.",
    "prompt": "Prompts that are kept by their id are not served: use 'instructions' and 'input'.",
}
_OBJECTS = ("text", "reasoning", "stream_options")
_TEXTS = ("instructions", "previous_response_id", "truncation", "prompt_cache_key", "safety_identifier")
_OWN_WORDS = (
    (re.compile(r"^response_format\.json_schema"), "text.format"),
    (re.compile(r"^response_format$"), "text.format.schema"),
    (re.compile(r"^response_format"), "text.format"),
    (re.compile(r"^(tools\[\d+\])\.function"), r"\1"),
    (re.compile(r"^tool_choice\.(function|allowed_tools)"), "tool_choice"),
    (re.compile(r"^max_completion_tokens"), "max_output_tokens"),
    (re.compile(r"^reasoning_effort"), "reasoning.effort"),
    (re.compile(r"^verbosity"), "text.verbosity"),
    (re.compile(r"^messages"), "input"),
)
"""Parameters of a chat completion, and what they are called here."""


class Earlier(Protocol):
    """The responses of a space that are kept."""

    def context(self, uid: str) -> tuple[Json, ...] | None:
        """All items up to the end of a response."""
        ...

    def item(self, uid: str) -> Json | None:
        """An item by its id."""
        ...


@dataclass(frozen=True, slots=True)
class ResponseAsk:
    """A response that is asked for. `items`: those of `input`; `context`: those of earlier responses. `given`: the
    fields of the body.
    """

    completion: CompletionAsk
    items: tuple[Json, ...]
    context: tuple[Json, ...]
    given: Json

    @property
    def kept(self) -> bool:
        """Whether the response can be asked for later."""
        return self.given.get("store") is not False


def parse_response(body: bytes, earlier: Earlier) -> ResponseAsk | BadRequest:
    """The body of a request. null counts as left out. Linear in the body; large ones belong into a thread."""
    sent = read_body(body)
    if isinstance(sent, BadRequest):
        return sent
    given: Json = {key: value for key, value in sent.items() if value is not None}
    problem = next(_problems(given), None)
    if problem is not None:
        return problem
    try:
        context = _context(given.get("previous_response_id"), earlier)
        items = tuple(items_of(given.get("input", []), earlier.item))
        messages = messages_of((*context, *items))
    except BadInput as bad:
        return bad.problem
    if "instructions" in given:
        messages.insert(0, {"role": "developer", "content": given["instructions"]})
    completion = completion_of({"messages": messages or None, **_chat_fields(given)})
    if isinstance(completion, BadRequest):
        return in_own_words(completion)
    return ResponseAsk(completion, items, context, given)


def in_own_words(problem: BadRequest) -> BadRequest:
    """A problem of a chat completion, by the names that a response has for it."""
    param = problem.param
    if param is None:
        return problem
    own = next((words.sub(name, param) for words, name in _OWN_WORDS if words.search(param)), param)
    code = problem.code
    if param == "response_format":
        code = "invalid_json_schema"
    return replace(problem, param=own, code=code, message=problem.message.replace(f"'{param}'", f"'{own}'"))


def _problems(given: Json) -> Iterator[BadRequest]:
    for key, why in _UNSERVED.items():
        if given.get(key, False) is not False:
            yield BadRequest(why, key, "unsupported_parameter")
    for keys, kind, name in (
        (_OBJECTS, dict, "an object"),
        (_TEXTS, str, "a string"),
        (("include",), list, "an array"),
    ):
        for key in keys:
            if key in given and not isinstance(given[key], kind):
                yield wrong_type(key, name, given[key])
    tools = given.get("tools", [])
    if not isinstance(tools, list):
        yield wrong_type("tools", "an array", tools)
    wanted = _format(given)
    if not isinstance(wanted, dict):
        yield wrong_type("text.format", "an object", wanted)
    if "input" not in given and "previous_response_id" not in given:
        yield BadRequest(
            "One of 'input' or 'previous_response_id' must be provided.", "input", "missing_required_parameter"
        )
    for key in ("text", "tools", "tool_choice", "reasoning", "metadata"):
        if not shallow(given.get(key), DEEPEST):
            yield BadRequest(f"Invalid '{key}': nested too deep.", key, "invalid_value")


def _context(uid: str | None, earlier: Earlier) -> tuple[Json, ...]:
    if uid is None:
        return ()
    context = earlier.context(uid)
    if context is None:
        message = f"Previous response with id '{uid[:64]}' not found."
        raise BadInput(BadRequest(message, "previous_response_id", "previous_response_not_found"))
    return context


def _format(given: Json) -> Any:
    wanted = given["text"].get("format") if isinstance(given.get("text"), dict) else None
    return {"type": TEXT} if wanted is None else wanted


def _chat_fields(given: Json) -> Json:
    """The fields of a response as a chat completion has them."""
    fields: Json = {key: given[key] for key in _ALIKE if key in given}
    if "max_output_tokens" in given:
        fields["max_completion_tokens"] = given["max_output_tokens"]
    wanted = _format(given)
    if wanted.get("type") == JSON_SCHEMA:
        wanted = {"type": JSON_SCHEMA, JSON_SCHEMA: {key: value for key, value in wanted.items() if key != "type"}}
    fields["response_format"] = wanted
    if "effort" in given.get("reasoning", {}):
        fields["reasoning_effort"] = given["reasoning"]["effort"]
    if LOGPROBS in given.get("include", ()):
        fields["logprobs"] = True
    else:
        fields.pop("top_logprobs", None)
    if "tools" in given:
        fields["tools"] = [_tool(tool) for tool in given["tools"]]
    if "tool_choice" in given:
        fields["tool_choice"] = _choice(given["tool_choice"])
    return fields


def _tool(tool: Any) -> Any:
    """A function as a chat completion has it: one level deeper. Tools that a server runs stay as they are."""
    if not isinstance(tool, Mapping) or tool.get("type") not in ("function", "custom"):
        return tool
    return {"type": tool["type"], tool["type"]: {key: value for key, value in tool.items() if key != "type"}}


def _choice(choice: Any) -> Any:
    if not isinstance(choice, Mapping):
        return choice
    if choice.get("type") == "allowed_tools":
        tools = choice.get("tools")
        named = [_tool(tool) for tool in tools] if isinstance(tools, list) else []
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.get("mode"), "tools": named}}
    return _tool(choice)

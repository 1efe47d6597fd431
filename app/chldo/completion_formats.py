"""What a request may ask of the shape of an answer by the script, and what the script cannot do. PURE.

An upstream judges for itself: nothing of this is asked of a request that goes there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.agent.answer_shape import JSON_OBJECT, JSON_SCHEMA, TEXT, OfferedTool, allowed_names, chosen, shape_of
from app.chldo.bad_requests import BadRequest, Json, missing, unsupported, wrong_type
from app.emulation.samples.draws import UnusableSchema
from app.emulation.samples.making import check

SHAPE_FIELDS = ("response_format", "tools", "tool_choice", "parallel_tool_calls", "seed")
"""The fields that shape an answer, as the scripted model takes them."""

MOST_TOP_LOGPROBS = 20
_FORMATS = (TEXT, JSON_OBJECT, JSON_SCHEMA)
_CHOICE_TYPES = ("function", "allowed_tools")
_MODES = ("auto", "required")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNSERVED = {
    "functions": "'functions' is not served: use 'tools'.",
    "function_call": "'function_call' is not served: use 'tool_choice'.",
    "audio": "The script answers with text: 'audio' is not served.",
}


def format_problem(asked: Mapping[str, Any]) -> BadRequest | None:
    """Why the script cannot answer in the shape that the fields of a body ask for. Checks all schemas."""
    return next(_problems(asked), None)


def schema_problem(error: Exception, tool: int | None, name: str) -> BadRequest:
    """A schema that cannot be used: the answer's, or that of the arguments of the tool with that number."""
    if tool is None:
        return BadRequest(f"Invalid schema for response_format '{name[:64]}': {error}", "response_format")
    where = f"tools[{tool}].function.parameters"
    return BadRequest(f"Invalid schema for function '{name[:64]}': {error}", where, "invalid_function_parameters")


def _problems(asked: Mapping[str, Any]) -> Iterator[BadRequest]:
    yield from (BadRequest(why, key, "unsupported_parameter") for key, why in _UNSERVED.items() if key in asked)
    modalities = asked.get("modalities", ["text"])
    if modalities != ["text"]:
        yield BadRequest("The script answers with text: 'modalities' is ['text'].", "modalities", "invalid_value")
    yield from _logprob_problems(asked)
    yield from _format_problems(asked.get("response_format", {"type": TEXT}))
    tools = shape_of(asked).tools
    for tool in tools:
        yield from _tool_problems(tool)
    yield from _choice_problems(asked.get("tool_choice"), [tool.name for tool in tools])


def _logprob_problems(asked: Mapping[str, Any]) -> Iterator[BadRequest]:
    if "top_logprobs" not in asked:
        return
    if not asked.get("logprobs"):
        message = "Invalid value for 'top_logprobs': 'logprobs' must be true to use it."
        yield BadRequest(message, "top_logprobs", "invalid_value")
    elif asked["top_logprobs"] > MOST_TOP_LOGPROBS:
        message = (
            f"Invalid 'top_logprobs': integer above maximum value. Expected a value <= {MOST_TOP_LOGPROBS}, but got"
        )
        yield BadRequest(f"{message} {asked['top_logprobs']} instead.", "top_logprobs", "integer_above_max_value")


def _format_problems(wanted: Json) -> Iterator[BadRequest]:
    kind = wanted.get("type")
    if kind not in _FORMATS:
        yield unsupported("response_format.type", kind, _FORMATS)
        return
    if kind != JSON_SCHEMA:
        return
    where = f"response_format.{JSON_SCHEMA}"
    described = wanted.get(JSON_SCHEMA)
    if not isinstance(described, dict):
        yield missing(where)
        return
    name = described.get("name")
    if not isinstance(name, str):
        yield missing(f"{where}.name")
        return
    if not _NAME.fullmatch(name):
        yield BadRequest(f"Invalid '{where}.name': 1 to 64 of a-z A-Z 0-9 _ -.", f"{where}.name", "invalid_value")
    schema = described.get("schema")
    if schema is None:
        return
    if not isinstance(schema, dict):
        yield wrong_type(f"{where}.schema", "an object", schema)
        return
    try:
        check(schema)
    except UnusableSchema as error:
        yield schema_problem(error, None, name)


def _tool_problems(tool: OfferedTool) -> Iterator[BadRequest]:
    try:
        check(tool.parameters)
    except UnusableSchema as error:
        yield schema_problem(error, tool.number, tool.name)
        return
    if tool.parameters.get("type") != "object":
        yield schema_problem(ValueError('the schema of arguments has the "type" "object"'), tool.number, tool.name)


def _choice_problems(choice: object, names: Sequence[str]) -> Iterator[BadRequest]:
    if isinstance(choice, Mapping):
        kind = choice.get("type")
        if kind not in _CHOICE_TYPES:
            yield unsupported("tool_choice.type", kind, _CHOICE_TYPES)
            return
        if kind == "allowed_tools" and chosen(choice) not in _MODES:
            yield unsupported("tool_choice.allowed_tools.mode", chosen(choice), _MODES)
            return
    elif choice != "required":
        return
    wanted = allowed_names(choice)
    if wanted is None:
        name = chosen(choice)
        if name is None:
            where = "tool_choice.function.name"
            yield missing(where)
            return
        wanted = () if name == "required" else (name,)
    if not names:
        message = "Invalid value for 'tool_choice': it is only allowed when 'tools' are functions to call."
        yield BadRequest(message, "tool_choice", "invalid_value")
    for name in wanted:
        if name not in names:
            message = f"Invalid value for 'tool_choice': '{str(name)[:64]}' is not among the functions in 'tools'."
            yield BadRequest(message, "tool_choice", "invalid_value")

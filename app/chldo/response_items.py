"""The items of OpenAI's Responses, as messages of a chat completion. PURE.

`input` is a text or a list of items: messages, calls of functions and their results, references to items of earlier
responses. What a model has thought (`reasoning`) means nothing to the script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.chldo.bad_requests import BadRequest, Json, missing, shallow, too_long, unsupported, wrong_type
from app.chldo.completions import DEEPEST, MOST_MESSAGES

ROLES = ("user", "assistant", "system", "developer")
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Items that call something, and where each says what with."""

RESULTS = ("function_call_output", "custom_tool_call_output")
REFERENCE = "item_reference"
_UNHEARD = ("reasoning",)
_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
TYPES = ("message", *CALLS, *RESULTS, REFERENCE, *_UNHEARD)
PARTS = ("input_text", "output_text", "refusal", "input_image", "input_file", "input_audio")


class BadInput(Exception):
    """Input that cannot be used."""

    def __init__(self, problem: BadRequest) -> None:
        super().__init__(problem.message)
        self.problem = problem


def items_of(sent: object, referred: Callable[[str], Json | None]) -> list[Json]:
    """The items of `input`: a text is a message of the user, and `referred` gives those that are referred to. Raises
    `BadInput`.
    """
    if isinstance(sent, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": sent}]}]
    if not isinstance(sent, list):
        raise BadInput(wrong_type("input", "a string or an array", sent))
    if len(sent) > MOST_MESSAGES:
        raise BadInput(too_long("input", len(sent), MOST_MESSAGES))
    items = []
    for number, item in enumerate(sent):
        problem = next(_item_problems(f"input[{number}]", item), None)
        if problem is not None:
            raise BadInput(problem)
        items.append(_found(item, referred) if _type(item) == REFERENCE else item)
    return items


def messages_of(items: Iterable[Json]) -> list[Json]:
    """The items as a chat completion has them. Calls in a row are one message, with the text before them. Raises
    `BadInput` for a result without a call.
    """
    messages: list[Json] = []
    called: set[str] = set()
    for item in items:
        kind = _type(item)
        if kind == "message":
            messages.append({"role": item["role"], "content": _content(item["content"])})
        elif kind in CALLS:
            called.add(item["call_id"])
            function = {"name": item["name"], "arguments": item[CALLS[kind]]}
            call = {"id": item["call_id"], "type": "function", "function": function}
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": None})
            messages[-1].setdefault("tool_calls", []).append(call)
        elif kind in RESULTS:
            uid = item["call_id"]
            if uid not in called:
                message = f"No tool call found for function call output with call_id {uid[:64]}."
                raise BadInput(BadRequest(message, "input"))
            messages.append({"role": "tool", "tool_call_id": uid, "content": _content(item["output"])})
    return messages


def kept_item(item: Json, uid: Callable[[str], str]) -> Json:
    """An item as it is shown later: with an id and a type, a text as a list of parts. `uid` makes an id."""
    kind = str(_type(item))
    kept: Json = {"id": uid(_PREFIXES.get(kind, "item")), "type": kind}
    kept |= {key: value for key, value in item.items() if value is not None}
    if kind == "message" and isinstance(item["content"], str):
        told = item["role"] == "assistant"
        part: Json = {"type": "output_text" if told else "input_text", "text": item["content"]}
        kept["content"] = [{**part, "annotations": []} if told else part]
    return kept


def _found(item: Json, referred: Callable[[str], Json | None]) -> Json:
    found = referred(item["id"])
    if found is None:
        message = (
            f"Item with id '{item['id'][:64]}' not found. Items are not persisted when `store` is set to false. Try "
            "again with `store` set to true, or remove this item from your input."
        )
        raise BadInput(BadRequest(message, "input", status=404))
    return found


def _type(item: Mapping[str, Any]) -> object:
    """The type of an item. A message may do without, and so may a reference."""
    kind = item.get("type")
    if kind is None:
        return "message" if "role" in item or "id" not in item else REFERENCE
    return kind


def _item_problems(where: str, item: object) -> Iterator[BadRequest]:
    if not isinstance(item, dict):
        yield wrong_type(where, "an object", item)
        return
    kind = _type(item)
    if kind == "message":
        yield from _message_problems(where, item)
    elif kind == REFERENCE:
        if not isinstance(item.get("id"), str):
            yield missing(f"{where}.id")
    elif isinstance(kind, str) and kind in CALLS:
        yield from _text_problems(where, item, ("call_id", "name", CALLS[kind]))
    elif kind in RESULTS:
        yield from _text_problems(where, item, ("call_id",))
        yield from _content_problems(f"{where}.output", item.get("output"))
    elif kind not in _UNHEARD:
        yield unsupported(f"{where}.type", kind, TYPES)


def _text_problems(where: str, item: Json, keys: Sequence[str]) -> Iterator[BadRequest]:
    yield from (missing(f"{where}.{key}") for key in keys if not isinstance(item.get(key), str))


def _message_problems(where: str, item: Json) -> Iterator[BadRequest]:
    role = item.get("role")
    if role not in ROLES:
        yield missing(f"{where}.role") if role is None else unsupported(f"{where}.role", role, ROLES)
    yield from _content_problems(f"{where}.content", item.get("content"))


def _content_problems(where: str, content: object) -> Iterator[BadRequest]:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        yield wrong_type(where, "a string or an array of objects", content)
        return
    if len(content) > MOST_MESSAGES:
        yield too_long(where, len(content), MOST_MESSAGES)
    for number, part in enumerate(content):
        here = f"{where}[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in PARTS or not isinstance(part, dict):
            yield unsupported(f"{here}.type", kind, PARTS)
        elif not shallow(part, DEEPEST):
            yield BadRequest(f"Invalid '{here}': nested too deep.", here, "invalid_value")
        elif kind == "refusal" and not isinstance(part.get("refusal"), str):
            yield missing(f"{here}.refusal")
        elif kind in ("input_text", "output_text") and not isinstance(part.get("text"), str):
            yield missing(f"{here}.text")
        elif kind == "input_image" and not isinstance(part.get("image_url") or part.get("file_id"), str):
            yield missing(f"{here}.image_url")


def _content(content: str | list[Json]) -> str | list[Json]:
    """The parts of a message as a chat completion has them; no part at all is an empty text."""
    if isinstance(content, str):
        return content
    return [_part(part) for part in content] or ""


def _part(part: Json) -> Json:
    match part["type"]:
        case "input_text" | "output_text":
            return {"type": "text", "text": part["text"]}
        case "refusal":
            return {"type": "refusal", "refusal": part["refusal"]}
        case "input_image":
            return {"type": "image_url", "image_url": {"url": part.get("image_url") or part["file_id"]}}
        case _:  # sound, too: to a script it is no more than something that came along
            return {"type": "file", "file": {key: value for key, value in part.items() if key != "type"}}

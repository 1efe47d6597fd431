"""OpenAI's answers to requests that cannot be served. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.json_text import loads

_NAMES = ((bool, "a boolean"), (str, "a string"), (int, "an integer"), (float, "a decimal"), (list, "an array"))

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRequest:
    """A request that cannot be served, in OpenAI's form."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400

    def body(self) -> Json:
        return error_body(self.message, "invalid_request_error", self.param, self.code)


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> Json:
    """An error as OpenAI words it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def read_body(body: bytes) -> Json | BadRequest:
    """The JSON object that a body is. Linear in the body; large ones belong into a thread."""
    try:
        sent = loads(body)
    except ValueError:
        return BadRequest("We could not parse the JSON body of your request.")
    if not isinstance(sent, dict):
        return BadRequest(f"The body of a request is a JSON object, not {name_of(sent)}.")
    return sent


def shallow(value: object, levels: int) -> bool:
    """Whether a value is no deeper than `levels`."""
    if isinstance(value, dict):
        return levels > 0 and all(shallow(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels > 0 and all(shallow(item, levels - 1) for item in value)
    return True


def name_of(value: object) -> str:
    if value is None:
        return "null"
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "an object")


def wrong_type(param: str, expected: str, value: object) -> BadRequest:
    message = f"Invalid type for '{param}': expected {expected}, but got {name_of(value)} instead."
    return BadRequest(message, param, "invalid_type")


def missing(param: str) -> BadRequest:
    return BadRequest(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def unsupported(param: str, value: object, known: Sequence[str]) -> BadRequest:
    shown = value[:64] if isinstance(value, str) else name_of(value)
    named = ", ".join(f"'{name}'" for name in known)
    return BadRequest(f"Invalid value: '{shown}'. Supported values are: {named}.", param, "invalid_value")


def too_long(param: str, length: int, most: int) -> BadRequest:
    return BadRequest(
        f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but got {length}.",
        param,
        "array_above_max_length",
    )

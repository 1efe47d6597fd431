"""What the proxy answers: chunks, whole completions and token counts, as OpenAI shapes them. PURE.

Source of the shapes: OpenAI's reference of chat completions and the proxy page of chldo (section 7 of the wire).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.agent.tokens import cut_tokens
from app.chldo.bad_requests import Json, error_body
from app.chldo.completions import MODELS
from app.json_text import dumps

LISTED_SINCE = 1731423600
"""`created` of every model: 2024-11-13 in Seoul, the day of the last page."""

IMAGE_TOKENS = 85
MESSAGE_TOKENS = 3
SAMPLE = 65_536
LONGEST_TOKEN = 8
"""Characters that one token of a long text stands for at the most: marks without end would count as nothing."""
MOST_COUNTED = 1_000_000
"""Tokens after which nobody needs to know how many more there are."""
"""Characters of one text that are really cut when tokens are counted; the rest counts in proportion."""

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts."""

    prompt: int
    completion: int

    def body(self) -> Json:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an answer: text, or pieces of tool calls `{index, id, type, function: {name, arguments}}`. `logprobs`:
    what is told of the tokens of the text, None where nothing is.
    """

    text: str = ""
    calls: tuple[Json, ...] = ()
    logprobs: tuple[Json, ...] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A completion that failed, as an HTTP answer. `body`: a JSON value, or JSON as bytes."""

    status: int
    body: Any
    headers: Mapping[str, str] | None = None

    def event(self) -> Json:
        """The same as the last event of a stream."""
        body = json.loads(self.body) if isinstance(self.body, bytes) else self.body
        if isinstance(body, dict):
            if isinstance(body.get("error"), dict):
                return body
            if isinstance(body.get("message"), str):
                return error_body(body["message"], "server_error", code=str(self.status))
        return error_body(f"Error code: {self.status} - {body}", "server_error", code=str(self.status))


TIMED_OUT = Failure(504, error_body("Request timed out.", "server_error", code="timeout"))


def joined_calls(parts: Iterable[Part]) -> list[Json]:
    """Whole tool calls out of their pieces, in the order of their index."""
    calls: dict[int, Json] = {}
    for piece in (piece for part in parts for piece in part.calls):
        function = piece["function"]
        call = calls.setdefault(
            piece["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = piece.get("id") or call["id"]
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""
    return [calls[index] for index in sorted(calls)]


def event(chunk: Mapping[str, Any]) -> bytes:
    """A chunk as a server-sent event."""
    return b"data: " + dumps(chunk).encode() + b"\n\n"


def model_body(name: str) -> Json:
    """A model as `GET /v1/models/{model}` shows it."""
    return {"id": name, "object": "model", "created": LISTED_SINCE, "owned_by": "chldo"}


def model_names(own: str) -> tuple[str, ...]:
    """The models that a space with the model `own` is told of."""
    return MODELS if own in MODELS else (*MODELS, own)


def count_tokens(text: str) -> int:
    """Tokens of a text, as the scripted model would cut it."""
    if len(text) <= SAMPLE:
        return len(cut_tokens(text))
    counted = len(text) // LONGEST_TOKEN
    for start in range(0, len(text), SAMPLE):
        if counted > MOST_COUNTED:
            break
        counted += len(cut_tokens(text[start : start + SAMPLE]))
    return counted


def count_prompt(messages: Sequence[Json], tools: object = None) -> int:
    """Tokens of a request: its texts, its tool calls, its tools, 85 an image, and 3 a message."""
    total = MESSAGE_TOKENS
    for message in messages:
        total += MESSAGE_TOKENS + count_tokens(message["name"] or "")
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            value = part[part["type"]]
            total += count_tokens(value) if isinstance(value, str) else IMAGE_TOKENS
        total += sum(count_tokens(call["name"] + call["arguments"]) for call in message["tool_calls"])
    if tools:
        total += count_tokens(dumps(tools))
    return total


class StopCutter:
    """Ends a stream of text before the first of some stop sequences. Feed tokens, get what may be shown of them."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.stopped = False

    def feed(self, token: str) -> str:
        """What can be told: a beginning of a stop sequence at the end is held back."""
        if not self._stops:
            return token
        text = self._held + token
        found = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)]
        kept = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def close(self) -> str:
        """What was held back, once no more follows."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` begins with (and is not all of it)."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0

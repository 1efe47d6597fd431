"""One chat completion of the proxy: asks the chat model, tells what it says in parts, words what goes wrong.

Imports LangChain: imported when the first completion is asked for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import orjson
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
)

from app.agent.models import SCRIPTED, ChatModels
from app.agent.scripted import ScriptedChatModel, ScriptedFailure
from app.chldo.completion_shapes import Part, StopCutter, Usage, count_prompt, count_tokens
from app.chldo.completion_turn import reply_ask, results_given
from app.chldo.completions import BadRequest, CompletionAsk, Json, error_body
from app.emulation.replies import ReplyAsk
from app.spaces.models import Space

log = logging.getLogger("app.chldo.proxy")

CONTEXT = 128_000
"""Tokens that a request to the scripted model may have, as gpt-4o-mini."""

MOST_BRACKETS = 200
"""Brackets in the arguments of an earlier tool call up to which they are read: what sends them on is recursive."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A completion that failed, as an HTTP answer: JSON, or what an upstream said in a media type of its own."""

    status: int
    body: Any
    media_type: str = "application/json"

    def event(self) -> Json:
        """The same as the last event of a stream."""
        if isinstance(self.body, dict):
            if isinstance(self.body.get("error"), dict):
                return self.body
            if isinstance(self.body.get("message"), str):
                return error_body(self.body["message"], "server_error", code=str(self.status))
        return error_body(f"Error code: {self.status} - {self.body}", "server_error", code=str(self.status))


class CompletionRun:
    """One completion under way. `finish` and `usage` hold once `parts` is at its end."""

    def __init__(self, models: ChatModels, space: Space, ask: CompletionAsk, headers: Mapping[str, str]) -> None:
        self._models = models
        self._ask = ask
        self._headers = dict(headers)
        by_script = ask.model == SCRIPTED
        self._said = reply_ask(space, ask)
        self._model = models.open(SCRIPTED if by_script else space.model, None if by_script else ask.model, self._said)
        self._told = 0
        self._prompt: int | None = None
        self._counted: tuple[int, int] | None = None
        self.finish = "stop"

    def refusal(self) -> BadRequest | None:
        """Why the model will not even be asked. Counts the tokens of the request: large ones belong into a thread."""
        if not self._scripted:
            return None
        tokens = self._prompt_tokens()
        if tokens <= CONTEXT:
            return None
        return BadRequest(
            f"This model's maximum context length is {CONTEXT} tokens. However, your messages resulted in {tokens} "
            "tokens. Please reduce the length of the messages.",
            "messages",
            "context_length_exceeded",
        )

    def usage(self) -> Usage:
        """Token counts: the upstream's own if it told them. May count the request's, as `refusal`."""
        if self._counted is not None:
            return Usage(*self._counted)
        return Usage(self._prompt_tokens(), self._told)

    async def parts(self) -> AsyncGenerator[Part, None]:
        """What the model says. Raises whatever the model raises; `fail` words it."""
        said = self._say_script() if self._scripted else self._ask_upstream()
        async with aclosing(said) as parts:
            async for part in parts:
                yield part

    @property
    def _scripted(self) -> bool:
        return isinstance(self._model, ScriptedChatModel)

    def _prompt_tokens(self) -> int:
        if self._prompt is None:
            self._prompt = count_prompt(self._ask.messages, self._ask.passed.get("tools"))
        return self._prompt

    async def _say_script(self) -> AsyncGenerator[Part, None]:
        messages = script_messages(self._said, self._ask)
        cutter = StopCutter(self._ask.stop)
        limit = self._ask.limit
        stream = cast(AsyncGenerator[AIMessageChunk, None], self._model.astream(messages))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                part = self._part(chunk)
                if part.calls:
                    yield part
                    continue
                if not part.text:
                    continue
                if limit is not None and self._told > limit:
                    self._told = limit
                    self.finish = "length"
                    break
                text = cutter.feed(part.text)
                if text:
                    yield Part(text)
                if cutter.stopped:
                    break
        rest = cutter.close()
        if rest:
            yield Part(rest)

    async def _ask_upstream(self) -> AsyncGenerator[Part, None]:
        messages = [as_message(message) for message in self._ask.messages]
        # `extra_body` takes every field along as it was sent.
        options: dict[str, Any] = {"extra_body": self._ask.passed, "extra_headers": self._headers}
        if not self._ask.stream:
            message = await self._model.ainvoke(messages, stream=False, **options)
            yield self._part(message)
            return
        if self._ask.include_usage:
            options["stream_usage"] = True
        stream = cast(AsyncGenerator[AIMessageChunk, None], self._model.astream(messages, **options))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                part = self._part(chunk)
                if part.text or part.calls:
                    yield part

    def _part(self, message: AIMessage) -> Part:
        """A piece of what the model says, counted."""
        text = message.content if isinstance(message.content, str) else str(message.text)
        calls = tuple(_call_pieces(message))
        finish = message.response_metadata.get("finish_reason")
        if calls or finish:
            self.finish = finish or "tool_calls"
        self._told += bool(text) if isinstance(message, AIMessageChunk) else count_tokens(text)
        self._told += sum(count_tokens(call["function"]["name"] + call["function"]["arguments"]) for call in calls)
        counted = message.usage_metadata
        if counted:
            self._counted = counted["input_tokens"], counted["output_tokens"]
        return Part(text, calls, message.response_metadata.get("logprobs"))

    def fail(self, error: Exception) -> Failure:
        """A failure as the client is told it: an upstream's status and body, the script's, or what it comes nearest."""
        if isinstance(error, ScriptedFailure):
            return Failure(error.status, error.body)
        known = self._models.is_upstream_error(error)
        response = getattr(error, "response", None)
        if known and response is not None:
            return self._upstream_failure(response)
        told = self._models.tell(error)
        if isinstance(error, TimeoutError) or type(error).__name__ == "APITimeoutError":
            return Failure(504, error_body("Request timed out.", "server_error", code="timeout"))
        log.warning("completion failed: %s", told, exc_info=not known)
        return Failure(502, error_body(told, "server_error"))

    def _upstream_failure(self, response: Any) -> Failure:
        status = response.status_code if 400 <= response.status_code <= 599 else 502
        text = response.text
        secret = getattr(self._model, "openai_api_key", None)
        if secret is not None and secret.get_secret_value():
            text = text.replace(secret.get_secret_value(), "***")
        try:
            return Failure(status, orjson.loads(text))
        except orjson.JSONDecodeError:
            return Failure(status, text, response.headers.get("content-type", "text/plain"))


def script_messages(said: ReplyAsk, ask: CompletionAsk) -> list[BaseMessage]:
    """What the script reads of a conversation: the last user text, and whether its tools have been called."""
    spoken = [] if said.msg is None else [HumanMessage(said.msg)]
    called = not ask.may_call or results_given(ask.messages)
    return [*spoken, ToolMessage("", tool_call_id="any")] if called else [*spoken]


def as_message(message: Json) -> BaseMessage:
    """A message of a `CompletionAsk` for a chat model."""
    content, name = message["content"], message["name"]
    match message["role"]:
        case "user":
            return HumanMessage(content, name=name)
        case "assistant":
            calls = [(call, _arguments(call["arguments"])) for call in message["tool_calls"]]
            return AIMessage(
                content,
                name=name,
                tool_calls=[
                    ToolCall(name=call["name"], args=args, id=call["id"], type="tool_call")
                    for call, args in calls
                    if args is not None
                ],
                invalid_tool_calls=[
                    InvalidToolCall(
                        name=call["name"], args=call["arguments"], id=call["id"], error=None, type="invalid_tool_call"
                    )
                    for call, args in calls
                    if args is None
                ],
            )
        case "tool":
            return ToolMessage(content, tool_call_id=message["tool_call_id"])
        case role:
            extra = {"__openai_role__": "developer"} if role == "developer" else {}
            return SystemMessage(content, name=name, additional_kwargs=extra)


def _arguments(text: str) -> Json | None:
    """The arguments of an earlier tool call; None for text that is no object, or too deep a one."""
    if text.count("{") + text.count("[") > MOST_BRACKETS:
        return None
    try:
        args = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return None
    return args if isinstance(args, dict) else None


def _call_pieces(message: AIMessage) -> list[Json]:
    """The tool calls of a message or a piece of one, as OpenAI streams them."""
    if isinstance(message, AIMessageChunk):
        return [
            _piece(number if piece["index"] is None else piece["index"], piece["id"], piece["name"], piece["args"])
            for number, piece in enumerate(message.tool_call_chunks)
        ]
    whole: list[tuple[str | None, str, str]]
    whole = [(call["id"], call["name"], json.dumps(call["args"], ensure_ascii=False)) for call in message.tool_calls]
    whole += [(call["id"], call["name"] or "", call["args"] or "") for call in message.invalid_tool_calls]
    return [_piece(number, *call) for number, call in enumerate(whole)]


def _piece(index: int, uid: str | None, name: str | None, arguments: str | None) -> Json:
    if uid is None and name is None:
        return {"index": index, "function": {"name": "", "arguments": arguments or ""}}
    return {
        "index": index,
        "id": uid,
        "type": "function",
        "function": {"name": name or "", "arguments": arguments or ""},
    }

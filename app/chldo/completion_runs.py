"""One chat completion of the proxy: asks the chat model, tells what it says in parts, words what goes wrong.

Imports LangChain: imported when the first completion is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from langchain_core.messages import (
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)

from app.agent.models import ChatModels
from app.agent.scripted import CannotAnswer, ScriptedFailure
from app.chldo.bad_requests import BadRequest, Json, error_body
from app.chldo.completion_formats import SHAPE_FIELDS, format_problem, schema_problem
from app.chldo.completion_shapes import (
    TIMED_OUT,
    Failure,
    Part,
    StopCutter,
    Usage,
    count_prompt,
    count_tokens,
)
from app.chldo.completion_turn import reply_ask, results_given
from app.chldo.completions import CompletionAsk
from app.chldo.logprobs import logprob_of
from app.emulation.determinism import Ids
from app.emulation.replies import ReplyAsk
from app.spaces.models import Space

log = logging.getLogger("app.chldo.proxy")

CONTEXT = 128_000
"""Tokens that a request to the scripted model may have, as gpt-4o-mini."""


class CompletionRun:
    """One completion under way. `finish` and `usage` hold once `parts` is at its end."""

    def __init__(
        self, models: ChatModels, space: Space, ask: CompletionAsk, ids: Ids, words: Callable[[BadRequest], BadRequest]
    ) -> None:
        """`words` puts what is wrong with the request into the words in which it was made."""
        self._models = models
        self._ids = ids
        self._words = words
        self._ask = ask
        self._said = reply_ask(space, ask)
        self._model = models.scripted(self._said)
        self._told = 0
        self._prompt: int | None = None
        self.finish = "stop"

    def refusal(self) -> BadRequest | None:
        """Why the model will not even be asked. Checks schemas, counts tokens: large requests belong into a thread."""
        problem = format_problem(self._ask.passed)
        if problem is not None:
            return problem
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
        """Token counts. May count the request's, as `refusal`."""
        return Usage(self._prompt_tokens(), self._told * self._ask.choices)

    def _prompt_tokens(self) -> int:
        if self._prompt is None:
            self._prompt = count_prompt(self._ask.messages, self._ask.passed.get("tools"))
        return self._prompt

    async def parts(self) -> AsyncGenerator[Part, None]:
        """What the model says. Raises whatever the model raises; `fail` words it."""
        messages = script_messages(self._said, self._ask)
        cutter = StopCutter(self._ask.stop)
        limit = self._ask.limit
        shape = {key: self._ask.passed[key] for key in SHAPE_FIELDS if key in self._ask.passed}
        stream = cast(AsyncGenerator[AIMessageChunk, None], self._model.astream(messages, **shape))
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
                    yield self._spoken(text)
                if cutter.stopped:
                    break
        rest = cutter.close()
        if rest:
            yield self._spoken(rest)

    def _spoken(self, text: str) -> Part:
        top = self._ask.top_logprobs
        return Part(text, logprobs=None if top is None else (logprob_of(text, top),))

    def _part(self, chunk: AIMessageChunk) -> Part:
        """A piece of what the model says, counted."""
        text = chunk.content if isinstance(chunk.content, str) else str(chunk.text)
        calls = tuple(self._call_pieces(chunk))
        if calls:
            self.finish = "tool_calls"
        self._told += bool(text)
        self._told += sum(count_tokens(call["function"]["name"] + call["function"]["arguments"]) for call in calls)
        return Part(text, calls)

    def _call_pieces(self, chunk: AIMessageChunk) -> list[Json]:
        """The tool calls in a chunk, as OpenAI streams them. Their ids are new: a script counts from 1 each time."""
        return [
            {
                "index": number if piece["index"] is None else piece["index"],
                "id": f"call_{self._ids.base62(24)}",
                "type": "function",
                "function": {"name": piece["name"] or "", "arguments": piece["args"] or ""},
            }
            for number, piece in enumerate(chunk.tool_call_chunks)
        ]

    def fail(self, error: Exception) -> Failure:
        """A failure as the client is told it: the script's, or what it comes nearest."""
        if isinstance(error, ScriptedFailure):
            return Failure(error.status, error.body)
        if isinstance(error, TimeoutError):
            return TIMED_OUT
        if isinstance(error, CannotAnswer):
            problem = self._words(schema_problem(error, error.tool, error.name))
            return Failure(problem.status, problem.body())
        told = self._models.tell(error)
        log.warning("completion failed: %s", told, exc_info=not self._models.is_upstream_error(error))
        return Failure(502, error_body(told, "server_error"))


def script_messages(said: ReplyAsk, ask: CompletionAsk) -> list[BaseMessage]:
    """What the script reads of a conversation: the last user text, and how many tools have been called since."""
    spoken = [] if said.msg is None else [HumanMessage(said.msg)]
    return [*spoken, *(ToolMessage("", tool_call_id="any") for _ in range(results_given(ask.messages)))]

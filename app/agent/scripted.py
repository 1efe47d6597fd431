"""The scripted chat model: answers from the reply fixtures, in tokens, at the fixture's pace.

It is a LangChain chat model like any other, so graphs, callbacks and events cannot tell. Imports LangChain.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import ConfigDict, SkipValidation

from app.agent.tokens import cut_tokens
from app.emulation.determinism import Clock
from app.emulation.replies import Reply, ReplyAsk, ReplyBook, ReplyError, ToolCall

log = logging.getLogger("app.agent")


Matched = Callable[[Callable[[], dict[str, Any]]], None]
"""Hears of a question that is answered from the script; the function explains which reply answers, and why."""


class Unanswered(Exception):
    """The space is strict and no fixture answers; the text names those that came nearest."""


class ScriptedFailure(Exception):
    """The error a fixture asks for, worded as the OpenAI client words an HTTP error."""

    def __init__(self, error: ReplyError) -> None:
        super().__init__(f"Error code: {error.status} - {error.body}")
        self.status = error.status
        self.body = error.body


class ScriptedChatModel(BaseChatModel):
    """Streams the reply that `book` has for the last human message of the input and the circumstances in `ask`.

    Raises `Unanswered` or, where the fixture says so, `ScriptedFailure`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    book: SkipValidation[ReplyBook]
    ask: SkipValidation[ReplyAsk]
    clock: SkipValidation[Clock]
    matched: SkipValidation[Matched | None] = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """A script knows its tool calls already; it needs no description of the tools."""
        return self

    def _reply(self, messages: list[BaseMessage]) -> tuple[Reply, tuple[ToolCall, ...]]:
        """The reply to the last human message, and the tools to call before it (none once their results are there)."""
        msg: str | None = None
        results = False
        for message in reversed(messages):
            if isinstance(message, HumanMessage):
                msg = message.text or None
                break
            if isinstance(message, ToolMessage):
                results = True
            elif isinstance(message, AIMessage) and not message.tool_calls:
                break  # nobody spoke since the last reply: the agent speaks first
        ask = self.ask if msg == self.ask.msg else replace(self.ask, msg=msg)
        reply = self.book.answer(ask)
        if self.matched is not None:
            book = self.book
            self.matched(lambda: book.explain(ask).plain())
        level = logging.INFO if self.book.is_strict(ask.space) else logging.DEBUG
        if reply is None or log.isEnabledFor(level):
            why = str(self.book.explain(ask))
            log.log(level, "%s", why, extra={"room_uid": ask.room_uid})
            if reply is None:
                raise Unanswered(why)
        if reply.error is not None:
            raise ScriptedFailure(reply.error)
        return reply, () if results else reply.tool_calls

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply, calls = self._reply(messages)
        if calls:
            called = [{"name": call.name, "args": call.args, "id": f"call_{n}"} for n, call in enumerate(calls, 1)]
            return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=called))])
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(tokens_of(reply))))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply, calls = self._reply(messages)
        yield from _calls(calls) if calls else _chunks(tokens_of(reply))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply, calls = self._reply(messages)
        if calls:
            for chunk in _calls(calls):
                yield chunk
            return
        first = reply.pace.first if reply.pace else 0.0
        between = 1 / reply.pace.per_second if reply.pace and reply.pace.per_second else 0.0
        pause = first
        for chunk in _chunks(tokens_of(reply)):
            if pause:
                await self.clock.sleep(pause)
            pause = between
            yield chunk


def tokens_of(reply: Reply) -> Sequence[str]:
    """The reply's own tokens, or its text cut into tokens."""
    if reply.tokens is not None:
        return reply.tokens
    return cut_tokens(reply.text or "")


def _chunks(tokens: Sequence[str]) -> Iterator[ChatGenerationChunk]:
    end = len(tokens) - 1
    for number, token in enumerate(tokens):
        position = "last" if number == end else None
        yield ChatGenerationChunk(message=AIMessageChunk(content=token, chunk_position=position))


def _calls(calls: Sequence[ToolCall]) -> Iterator[ChatGenerationChunk]:
    end = len(calls) - 1
    for number, call in enumerate(calls):
        part = tool_call_chunk(
            name=call.name, args=json.dumps(call.args, ensure_ascii=False), id=f"call_{number + 1}", index=number
        )
        position: Literal["last"] | None = "last" if number == end else None
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[part], chunk_position=position))

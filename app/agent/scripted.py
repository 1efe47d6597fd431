"""The scripted chat model: answers from the reply fixtures, in tokens, at the fixture's pace.

It is a LangChain chat model like any other, so graphs, callbacks and events cannot tell. Imports LangChain.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import ConfigDict, SkipValidation

from app.agent.tokens import cut_tokens
from app.emulation.determinism import Clock
from app.emulation.replies import Reply, ReplyAsk, ReplyBook, ReplyError


class ScriptedFailure(Exception):
    """The error a fixture asks for, worded as the OpenAI client words an HTTP error."""

    def __init__(self, error: ReplyError) -> None:
        super().__init__(f"Error code: {error.status} - {error.body}")
        self.status = error.status


class ScriptedChatModel(BaseChatModel):
    """Streams the reply that `book` has for the last human message of the input and the circumstances in `ask`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    book: SkipValidation[ReplyBook]
    ask: SkipValidation[ReplyAsk]
    clock: SkipValidation[Clock]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """A script knows its tool calls already; it needs no description of the tools."""
        return self

    def _reply(self, messages: list[BaseMessage]) -> Reply:
        last = next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)
        msg = None if last is None else last.text
        reply = self.book.match(self.ask if msg == self.ask.msg else replace(self.ask, msg=msg))
        if reply.error is not None:
            raise ScriptedFailure(reply.error)
        return reply

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = "".join(tokens_of(self._reply(messages)))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield from _chunks(tokens_of(self._reply(messages)))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self._reply(messages)
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

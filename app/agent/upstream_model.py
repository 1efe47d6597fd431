"""The chat model behind an upstream. Imports langchain_openai: most of a second."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI

from app.agent.inputs import is_blank


class UpstreamModel(ChatOpenAI):
    """`ChatOpenAI`, which leaves out earlier replies that are empty: a model may well say nothing, but many providers
    refuse every conversation in which it did.
    """

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return super()._generate(_without_blanks(messages), *args, **kwargs)

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return await super()._agenerate(_without_blanks(messages), *args, **kwargs)

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        return super()._stream(_without_blanks(messages), *args, **kwargs)

    def _astream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        return super()._astream(_without_blanks(messages), *args, **kwargs)


def _without_blanks(messages: list[BaseMessage]) -> list[BaseMessage]:
    return [message for message in messages if message.type != "ai" or not is_blank(message)]

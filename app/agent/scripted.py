"""The scripted chat model: answers from the reply fixtures, in tokens, at the fixture's pace.

It is a LangChain chat model like any other, so graphs, callbacks and events cannot tell. Imports LangChain.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, SkipValidation

from app.agent.answer_shape import AnswerShape, OfferedTool, shape_of
from app.agent.tokens import cut_tokens
from app.emulation.determinism import Clock, Ids
from app.emulation.replies import FoundReply, Reply, ReplyAsk, ReplyBook, ReplyError, ToolCall
from app.emulation.samples.draws import UnusableSchema
from app.emulation.samples.making import sample
from app.emulation.samples.references import Schema

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


class CannotAnswer(Exception):
    """A schema for which no JSON is made. `tool`: the place of the tool whose arguments it describes; None for an
    answer's own. `name`: that of the schema or the tool.
    """

    def __init__(self, error: UnusableSchema, tool: int | None, name: str) -> None:
        super().__init__(str(error))
        self.tool = tool
        self.name = name


@dataclass(frozen=True, slots=True)
class _Made:
    """JSON that is to be made: an answer's text, or the arguments of a call of `tool`."""

    schema: Schema
    tool: OfferedTool | None
    name: str
    draws: Ids

    def value(self) -> Any:
        """Makes it. Takes up to a second. Raises `CannotAnswer`."""
        try:
            value = sample(self.schema, self.draws.fraction)
            if self.tool is not None and not isinstance(value, dict):
                raise UnusableSchema("the arguments of a tool are an object")
        except UnusableSchema as error:
            raise CannotAnswer(error, None if self.tool is None else self.tool.number, self.name) from None
        return value


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is answered: calls or a text, or what is to be made."""

    reply: Reply
    calls: tuple[ToolCall, ...] = ()
    made: _Made | None = None

    def complete(self) -> _Plan:
        """The plan with what is to be made. Takes up to a second. Raises `CannotAnswer`."""
        if self.made is None:
            return self
        value, tool = self.made.value(), self.made.tool
        if tool is None:
            return replace(self, reply=_with_text(self.reply, json.dumps(value, ensure_ascii=False)), made=None)
        return replace(self, calls=(ToolCall(tool.name, value),), made=None)


class ScriptedChatModel(BaseChatModel):
    """Streams the reply that `book` has for the last human message of the input and the circumstances in `ask`.

    It obeys `tools`, `tool_choice`, `parallel_tool_calls` and `response_format` as OpenAI's models do: where JSON or a
    call is wanted and no reply has it, it is made for the schema, with `ids` as its dice. Raises `Unanswered`,
    `CannotAnswer` or, where the fixture says so, `ScriptedFailure`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    book: SkipValidation[ReplyBook]
    ask: SkipValidation[ReplyAsk]
    clock: SkipValidation[Clock]
    ids: SkipValidation[Ids] = Field(default_factory=Ids)
    matched: SkipValidation[Matched | None] = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools. Without a choice that forces one, the script alone decides what is called."""
        offered = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=offered, **({} if tool_choice is None else {"tool_choice": tool_choice}), **kwargs)

    def _plan(self, messages: list[BaseMessage], asked: Mapping[str, Any]) -> _Plan:
        """What is answered to the last human message. Calls the script's tools until their results are there."""
        msg, results = _heard(messages)
        shape = shape_of(asked)
        ask = shape.ask(self.ask if msg == self.ask.msg else replace(self.ask, msg=msg))
        found = self.book.answer(ask)
        self._tell(ask, found)
        if found is None:
            raise Unanswered(str(self.book.explain(ask)))
        reply = found.reply
        if reply.error is not None:
            raise ScriptedFailure(reply.error)
        if ask.forced:
            calls = tuple(call for call in reply.calls(shape.choice) if shape.allows(call.name))
            tool = shape.forced_tool
            if tool is None or (found.called and (calls or not reply.tool_calls)):
                return _Plan(reply, calls)
            draws = self._draws(tool.parameters, shape, ask)
            return _Plan(reply, made=_Made(tool.parameters, tool, tool.name, draws))
        calls = () if shape.choice == "none" else tuple(call for call in reply.tool_calls if shape.allows(call.name))
        calls = calls[: 0 if results else None] if shape.parallel else calls[results : results + 1]
        if calls or found.formatted:
            return _Plan(reply, calls)
        if shape.schema is None:
            return _Plan(_with_text(reply, json.dumps({"reply": "".join(tokens_of(reply))}, ensure_ascii=False)))
        made = _Made(shape.schema, None, shape.schema_name or "", self._draws(shape.schema, shape, ask))
        return _Plan(reply, made=made)

    def _tell(self, ask: ReplyAsk, found: FoundReply | None) -> None:
        """Tells which reply answers, and why."""
        book = self.book
        if self.matched is not None:
            self.matched(lambda: book.explain(ask).plain())
        level = logging.INFO if book.is_strict(ask.space) else logging.DEBUG
        if found is None or log.isEnabledFor(level):
            log.log(level, "%s", book.explain(ask), extra={"room_uid": ask.room_uid})

    def _draws(self, schema: Schema, shape: AnswerShape, ask: ReplyAsk) -> Ids:
        """The dice for what is made: the same for the same question, where there is a seed."""
        ids = self.ids if shape.seed is None else Ids.seeded(shape.seed)
        return ids.branch("made", json.dumps(schema, sort_keys=True), ask.msg or "", ask.turn)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        plan = self._plan(messages, kwargs).complete()
        if plan.calls:
            called = [{"name": call.name, "args": call.args, "id": f"call_{n}"} for n, call in enumerate(plan.calls, 1)]
            return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=called))])
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(tokens_of(plan.reply))))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        plan = self._plan(messages, kwargs).complete()
        yield from _calls(plan.calls) if plan.calls else _chunks(tokens_of(plan.reply))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        plan = self._plan(messages, kwargs)
        if plan.made is not None:
            plan = await asyncio.to_thread(plan.complete)
        if plan.calls:
            for chunk in _calls(plan.calls):
                yield chunk
            return
        reply = plan.reply
        first = reply.pace.first if reply.pace else 0.0
        between = 1 / reply.pace.per_second if reply.pace and reply.pace.per_second else 0.0
        pause = first
        for chunk in _chunks(tokens_of(reply)):
            if pause:
                await self.clock.sleep(pause)
            pause = between
            yield chunk


def _heard(messages: Sequence[BaseMessage]) -> tuple[str | None, int]:
    """The text of the last human message, and how many results of tools have come since."""
    results = 0
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            return message.text or None, results
        if isinstance(message, ToolMessage):
            results += 1
        elif isinstance(message, AIMessage) and not message.tool_calls:
            break  # nobody spoke since the last reply: the agent speaks first
    return None, results


def _with_text(reply: Reply, text: str) -> Reply:
    return replace(reply, text=text, tokens=None, json=None)


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

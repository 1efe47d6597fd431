"""The scripted chat model as a graph uses it: any LangChain chat model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from app.agent.scripted import CannotAnswer, ScriptedChatModel, Unanswered
from app.emulation.conditions import Exact
from app.emulation.determinism import Ids, VirtualClock
from app.emulation.replies import Entry, Reply, ReplyAsk, ReplyBook, ToolCall

ADD = ToolCall("add", {"a": 2, "b": 3})
BOOK = ReplyBook(
    [
        Entry({"msg": Exact("안녕")}, Reply(text="안녕하세요!")),
        Entry({"msg": Exact("더해 줘")}, Reply(text="답은 5입니다.", tool_calls=(ADD,))),
        Entry({"msg": Exact(None)}, Reply(text="제가 먼저 말할게요.")),
    ]
)
CALLED = AIMessage("", tool_calls=[{"name": "add", "args": {}, "id": "call_1"}])
RESULT = ToolMessage("5", tool_call_id="call_1")
SHORT = SystemMessage("짧게")


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([SHORT, HumanMessage("안녕")], "안녕하세요!"),
        ([HumanMessage("안녕"), SHORT], "안녕하세요!"),
        ([HumanMessage("더해 줘"), CALLED, RESULT, SHORT], "답은 5입니다."),
        ([HumanMessage("안녕"), AIMessage("네")], "제가 먼저 말할게요."),
        ([HumanMessage("안녕"), AIMessage("네"), SHORT], "제가 먼저 말할게요."),
    ],
)
async def test_instructions_after_a_message_do_not_hide_it(messages: list[AnyMessage], text: str) -> None:
    model = ScriptedChatModel(book=BOOK, ask=ReplyAsk(None), clock=VirtualClock())
    assert (await model.ainvoke(messages)).text == text


class Scent(BaseModel):
    """What something smells of."""

    name: str
    strength: int = Field(ge=1, le=5)


@tool
def look(place: str, times: int) -> str:
    """Looks at a place."""
    return f"{place} {times}"


def model(*entries: Entry, strict: bool = False, seed: int = 1) -> ScriptedChatModel:
    book = ReplyBook([*BOOK.entries[:2], *entries], Reply(text="그래요"), strict=strict)
    return ScriptedChatModel(book=book, ask=ReplyAsk(None), clock=VirtualClock(), ids=Ids.seeded(seed))


def wanting(schema: Any, name: str = "Scent") -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}


SCHEMA = Scent.model_json_schema()


async def test_structured_output_of_a_graph_is_made_for_its_schema() -> None:
    found = await model().with_structured_output(Scent).ainvoke("민트는 어떤 향이야?")
    assert isinstance(found, Scent)
    assert await model().with_structured_output(Scent).ainvoke("민트는 어떤 향이야?") == found
    assert await model(seed=2).with_structured_output(Scent).ainvoke("민트는 어떤 향이야?") != found


async def test_a_reply_that_calls_the_wanted_tool_is_what_structured_output_gives() -> None:
    scripted = Entry(
        {"msg": Exact("민트")}, Reply(text="x", tool_calls=(ToolCall("Scent", {"name": "a", "strength": 3}),))
    )
    assert await model(scripted).with_structured_output(Scent).ainvoke("민트") == Scent(name="a", strength=3)


@pytest.mark.parametrize("choice", ["required", "any", "look", {"type": "function", "function": {"name": "look"}}])
async def test_a_tool_that_must_be_called_is(choice: Any) -> None:
    bound = model().bind_tools([look], tool_choice=choice)
    for answer in (
        await bound.ainvoke("안녕"),
        bound.invoke("안녕"),
        await anext(bound.astream("안녕")),
    ):
        (call,) = answer.tool_calls
        assert call["name"] == "look"
        assert look.invoke(call["args"])


async def test_tools_that_may_be_called_are_called_by_the_script_alone() -> None:
    bound = model().bind_tools([look])
    assert (await bound.ainvoke("안녕")).text == "안녕하세요!"
    assert [call["name"] for call in (await bound.ainvoke("더해 줘")).tool_calls] == ["add"]
    none = model().bind_tools([look], tool_choice="none")
    assert (await none.ainvoke("더해 줘")).text == "답은 5입니다."


TWICE = Entry(
    {"msg": Exact("두 번")}, Reply(text="끝", tool_calls=(ToolCall("add", {"a": 1}), ToolCall("look", {"a": 2})))
)


async def test_calls_come_one_by_one_where_they_may_not_be_parallel() -> None:
    one_by_one = model(TWICE).bind(parallel_tool_calls=False)
    asked: list[AnyMessage] = [HumanMessage("두 번")]
    names = []
    while (answer := await one_by_one.ainvoke(asked)).tool_calls:
        names += [call["name"] for call in answer.tool_calls]
        asked += [answer, ToolMessage("x", tool_call_id=answer.tool_calls[0]["id"])]
    assert (names, answer.text) == (["add", "look"], "끝")
    assert len((await model(TWICE).ainvoke("두 번")).tool_calls) == 2


async def test_only_allowed_tools_are_called() -> None:
    def allowed(mode: str) -> dict[str, Any]:
        only = {"mode": mode, "tools": [{"type": "function", "function": {"name": "look"}}]}
        return {"type": "allowed_tools", "allowed_tools": only}

    auto = await model(TWICE).ainvoke("두 번", tool_choice=allowed("auto"))
    assert [call["name"] for call in auto.tool_calls] == ["look"]
    offered = [{"type": "function", "function": {"name": name}} for name in ("add", "look")]
    forced = await model().ainvoke("안녕", tools=offered, tool_choice=allowed("required"))
    assert [(call["name"], call["args"]) for call in forced.tool_calls] == [("look", {})]


async def test_json_is_made_where_the_reply_is_prose() -> None:
    answer = await model().ainvoke("안녕", response_format=wanting(SCHEMA))
    assert Scent.model_validate_json(answer.text)
    streamed = "".join([chunk.text async for chunk in model().astream("안녕", response_format=wanting(SCHEMA))])
    assert streamed == answer.text
    told = await model().ainvoke("안녕", response_format={"type": "json_object"})
    assert json.loads(told.text) == {"reply": "안녕하세요!"}
    assert (await model().ainvoke("안녕", response_format={"type": "text"})).text == "안녕하세요!"


async def test_tools_are_called_before_json_is_made() -> None:
    asked: list[AnyMessage] = [HumanMessage("더해 줘")]
    first = await model().ainvoke(asked, response_format=wanting(SCHEMA))
    assert [call["name"] for call in first.tool_calls] == ["add"]
    then = await model().ainvoke([*asked, first, RESULT], response_format=wanting(SCHEMA))
    assert Scent.model_validate_json(then.text)


async def test_the_requests_own_seed_makes_the_same_json_in_any_world() -> None:
    made = {
        (await model(seed=world).ainvoke("안녕", response_format=wanting(SCHEMA), seed=seed)).text
        for world, seed in ((1, 7), (2, 7), (3, 7))
    }
    assert len(made) == 1
    assert (await model().ainvoke("안녕", response_format=wanting(SCHEMA), seed=8)).text not in made


async def test_a_schema_that_cannot_be_satisfied_is_told_with_its_name() -> None:
    impossible = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    with pytest.raises(CannotAnswer, match="no value satisfies it") as answer:
        await model().ainvoke("안녕", response_format=wanting(impossible))
    assert (answer.value.tool, answer.value.name) == (None, "Scent")
    offered = [{"type": "function", "function": {"name": name, "parameters": impossible}} for name in ("a", "b")]
    with pytest.raises(CannotAnswer) as call:
        await model().ainvoke("안녕", tools=offered, tool_choice={"type": "function", "function": {"name": "b"}})
    assert (call.value.tool, call.value.name) == (1, "b")


async def test_nothing_is_made_in_a_strict_space() -> None:
    with pytest.raises(Unanswered, match="reply: wanted JSON"):
        await model(strict=True).ainvoke("안녕", response_format=wanting(SCHEMA))
    with pytest.raises(Unanswered, match="reply: wanted a call"):
        await model(strict=True).bind_tools([look], tool_choice="any").ainvoke("안녕")

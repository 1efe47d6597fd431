"""The scripted chat model as a graph uses it: any LangChain chat model."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from app.agent.scripted import ScriptedChatModel
from app.emulation.conditions import Exact
from app.emulation.determinism import VirtualClock
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

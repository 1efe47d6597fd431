"""What the script is asked, whatever the order of the messages."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.chldo.completion_turn import reply_ask, results_given
from app.chldo.completions import CompletionAsk, parse_completion
from app.spaces.models import Space

Json = dict[str, Any]

SPACE = Space("test", "org", "Test", 1000, 0, 0, True, "ko", "scripted", "companion", "", False)
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
CALLED: Json = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT: Json = {"role": "tool", "tool_call_id": "call_1", "content": "5"}
SHORT: Json = {"role": "system", "content": "짧게"}


def picture(name: str) -> Json:
    return {"type": "image_url", "image_url": {"url": f"https://example.com/{name}"}}


def user(content: Any, **fields: Any) -> Json:
    return {"role": "user", "content": content, **fields}


def answer(content: Any = "네", **fields: Any) -> Json:
    return {"role": "assistant", "content": content, **fields}


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def asked(messages: list[Json]) -> CompletionAsk:
    ask = parse_completion(orjson.dumps({"model": "gpt-4o", "messages": messages}))
    assert isinstance(ask, CompletionAsk), ask
    return ask


@pytest.mark.parametrize(
    ("messages", "msg", "filename", "turn"),
    [
        ([user("안녕")], "안녕", None, 1),
        ([user("안녕"), SHORT], "안녕", None, 1),
        ([user("안녕"), {"role": "developer", "content": "짧게"}, SHORT], "안녕", None, 1),
        ([user("안녕"), answer("그래서")], "안녕", None, 1),
        ([user("안녕"), answer(""), SHORT, answer("음")], "안녕", None, 1),
        ([user("안녕"), user([picture("cat.png")])], "안녕", "cat.png", 1),
        ([user([picture("cat.png")]), user("안녕")], "안녕", "cat.png", 1),
        ([user([picture("a.png"), text("안녕"), picture("b.png")]), SHORT], "안녕", "b.png", 1),
        ([user([text("안"), picture("a.png"), text("녕")])], "안녕", "a.png", 1),
        ([user("안녕"), user(""), user([text("")])], "안녕", None, 1),
        ([user("안녕", name="철수"), answer("네", name="봇")], "안녕", None, 1),
        ([user("하나"), answer(), user("안녕"), SHORT], "안녕", None, 2),
        ([user([picture("old.png"), text("하나")]), answer(), user("안녕")], "안녕", None, 2),
        ([user("안녕"), answer(), user([picture("new.png")])], "안녕", "new.png", 2),
        ([user("안녕"), answer(None, refusal="싫어요"), SHORT], "안녕", None, 1),
        ([user("하나"), answer([{"type": "refusal", "refusal": "싫어요"}]), user("안녕")], "안녕", None, 2),
        ([user([text("안녕"), {"type": "refusal", "refusal": "싫어요"}])], "안녕", None, 1),
        ([user("안녕"), CALLED, RESULT, user([picture("result.png")])], "안녕", "result.png", 1),
        ([user([{"type": "file", "file": {"file_id": "f"}}])], None, None, 1),
        ([user([picture("cat.png")])], None, "cat.png", 1),
        ([SHORT], None, None, 1),
        ([SHORT, answer()], None, None, 2),
    ],
)
def test_the_last_user_text_is_what_the_script_is_asked(
    messages: list[Json], msg: str | None, filename: str | None, turn: int
) -> None:
    ask = reply_ask(SPACE, asked(messages))
    assert (ask.msg, ask.filename, ask.turn) == (msg, filename, turn)


@pytest.mark.parametrize(
    ("messages", "results"),
    [
        ([user("더해 줘")], 0),
        ([user("더해 줘"), CALLED, RESULT], 1),
        ([user("더해 줘"), CALLED, RESULT, RESULT, SHORT], 2),
        ([user("더해 줘"), CALLED, RESULT, {"role": "developer", "content": "짧게"}, answer("음")], 1),
        ([user("더해 줘"), CALLED, RESULT, user([picture("result.png")])], 1),
        ([user("더해 줘"), CALLED, RESULT, user("")], 1),
        ([user("더해 줘"), CALLED, RESULT, answer(), user("다시 더해 줘")], 0),
    ],
)
def test_results_of_tools_count_until_the_user_says_more(messages: list[Json], results: int) -> None:
    assert results_given(asked(messages).messages) == results

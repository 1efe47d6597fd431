"""Why a question gets its reply, and strict spaces."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from app.agent.models import ChatModels, Upstream
from app.agent.scripted import Unanswered
from app.emulation.conditions import Contains, Exact, Matches
from app.emulation.determinism import VirtualClock
from app.emulation.replies import (
    MOST_COMPARED,
    Entry,
    JsonReply,
    LiveBook,
    Mismatch,
    Reply,
    ReplyAsk,
    ReplyBook,
    ReplyError,
    ToolCall,
)

ENTRIES = (
    Entry({"msg": Exact("안녕하세요"), "turn": Exact(2)}, Reply(text="둘", source="replies/a.yaml:2")),
    Entry({"msg": Contains("민트")}, Reply(text="향", source="replies/a.yaml:4")),
    Entry({"msg": Matches("^오류"), "language": Exact("en")}, Reply(text="e", source="replies/a.yaml:6")),
    Entry({"filename": Exact(None), "user_id": Exact("u9")}, Reply(text="f", source="replies/b.yaml:2")),
)


def test_a_match_names_its_entry() -> None:
    told = ReplyBook(ENTRIES).explain(ReplyAsk("민트차"))
    assert (told.matched, told.source, told.nearest) == (True, "replies/a.yaml:4", ())
    assert str(told) == 'msg "민트차" is answered by replies/a.yaml:4'


def test_the_nearest_entry_is_the_one_that_lacks_least_and_names_the_key() -> None:
    told = ReplyBook(ENTRIES).explain(ReplyAsk("안녕하세요", turn=1))
    assert not told.matched
    assert told.nearest[0].source == "replies/a.yaml:2"
    assert told.nearest[0].failed == (Mismatch("turn", "2", "1"),)
    assert "replies/a.yaml:2 (turn: wanted 2, got 1)" in str(told)


def test_of_entries_that_lack_only_the_message_the_likest_is_nearest() -> None:
    book = ReplyBook(
        [
            Entry({"msg": Exact("잘 자요")}, Reply(text="a", source="1")),
            Entry({"msg": Exact("안녕하세요")}, Reply(text="b", source="2")),
            Entry({"msg": Contains("안녕해")}, Reply(text="c", source="3")),
        ]
    )
    assert [miss.source for miss in book.explain(ReplyAsk("안녕하시요"), nearest=2).nearest] == ["2", "3"]


def test_wanted_and_got_are_told_in_words() -> None:
    told = ReplyBook(ENTRIES).explain(ReplyAsk(None, filename="a.png"), nearest=4)
    failed = {miss.source: [str(one) for one in miss.failed] for miss in told.nearest}
    assert failed["replies/a.yaml:4"] == ['msg: wanted contains "민트", got nothing']
    assert failed["replies/a.yaml:6"][0] == 'msg: wanted regex "^오류", got nothing'
    assert failed["replies/b.yaml:2"][0] == 'filename: wanted nothing, got "a.png"'
    assert str(told).startswith("no fixture matches a turn without msg, the default answers (built in); nearest: ")


def test_an_explanation_of_a_long_message_and_a_long_book_is_short() -> None:
    entries = [Entry({"msg": Exact(f"{n}" * 500)}, Reply(text="x", source=f"{n}")) for n in range(MOST_COMPARED + 5)]
    told = ReplyBook(entries).explain(ReplyAsk("가" * 100_000))
    assert len(told.nearest) == 3
    assert len(str(told)) < 1_000
    assert ReplyBook(()).explain(ReplyAsk("x")).nearest == ()


@pytest.mark.parametrize(("strict", "answered"), [(False, True), (True, False), (["a"], False), (["b"], True)])
def test_a_strict_space_has_no_default(strict: bool | list[str], answered: bool) -> None:
    book = ReplyBook(ENTRIES, Reply(text="그래요"), strict=strict)
    assert (book.answer(ReplyAsk("x", space="a")) is not None) == answered
    assert (book.explain(ReplyAsk("x", space="a")).source is not None) == answered
    matched = book.answer(ReplyAsk("민트", space="a"))
    assert matched is not None
    assert matched.reply.text == "향"


ADD = ToolCall("add", {})
SHAPED = [
    Entry({"msg": Exact("민트")}, Reply(text="향", source="a:1")),
    Entry({"json_schema": Exact("Scent")}, Reply(json=JsonReply({"name": "{{msg}}"}), source="a:2")),
    Entry({"response_format": Exact("json_object")}, Reply(text="이건 JSON이 아니에요", source="a:3")),
    Entry({"msg": Contains("더해")}, Reply(text="5", tool_calls=(ADD,), source="a:4")),
    Entry({"msg": Exact("{}")}, Reply(tokens=("{", "}"), source="a:5")),
    Entry({"msg": Exact("오류")}, Reply(error=ReplyError(500, "x"), source="a:6")),
    Entry({"tool_choice": Exact("none")}, Reply(text="부르지 않아요", source="a:7")),
    Entry({"tool_choice": Exact("look")}, Reply(text="보지 않을래요", source="a:8")),
]
OBJECT: dict[str, Any] = {"response_format": "json_object"}
SCENT: dict[str, Any] = {"response_format": "json_schema", "json_schema": "Scent"}
OTHER: dict[str, Any] = {"response_format": "json_schema", "json_schema": "Other"}


@pytest.mark.parametrize(
    ("ask", "source", "called", "formatted"),
    [
        (ReplyAsk("민트"), "a:1", True, True),
        (ReplyAsk("민트", **SCENT), "a:2", True, True),
        (ReplyAsk("민트", **OBJECT), "a:3", True, True),
        (ReplyAsk("민트", **OTHER), "a:1", True, False),
        (ReplyAsk("없음", **OTHER), "last", True, False),
        (ReplyAsk("{}", **OTHER), "a:5", True, True),
        (ReplyAsk("오류", **OTHER), "a:6", True, False),
        (ReplyAsk("더해 줘", **OTHER), "a:4", True, False),
        (ReplyAsk("더해 줘", tool_choice="required"), "a:4", True, True),
        (ReplyAsk("더해 줘", tool_choice="add"), "a:4", True, True),
        (ReplyAsk("더해 줘", tool_choice="other"), "a:4", False, True),
        (ReplyAsk("더해 줘", tool_choice="none"), "a:4", True, True),
        (ReplyAsk("민트", tool_choice="required"), "a:1", False, True),
        (ReplyAsk("민트", tool_choice="look"), "a:8", True, True),
        (ReplyAsk("없음", tool_choice="none"), "a:7", True, True),
        (ReplyAsk("없음", tool_choice="auto"), "last", True, True),
    ],
    ids=lambda value: str(value)[:80],
)
def test_replies_with_the_shape_that_is_wanted_come_first(
    ask: ReplyAsk, source: str, called: bool, formatted: bool
) -> None:
    book = ReplyBook(SHAPED, Reply(text="그래요", source="last"))
    found = book.answer(ask)
    assert found is not None
    assert (found.reply.source, found.called, found.formatted) == (source, called, formatted)
    told = book.explain(ask)
    assert (told.source, told.made) == (source, not called or (not formatted and source not in ("a:4", "a:6")))


def test_what_was_added_at_runtime_comes_first_where_it_has_the_shape() -> None:
    live = LiveBook(ReplyBook(SHAPED))
    live.add([(Entry({"msg": Exact("민트")}, Reply(text="더 나중")), {})])
    live.add([(Entry({"msg": Exact("민트")}, Reply(text="[1]")), {})])
    live.add([(Entry({"msg": Exact("민트")}, Reply(text="나중")), {})])
    for ask, text in (
        (ReplyAsk("민트"), "나중"),
        (ReplyAsk("민트", **OTHER), "[1]"),
        (ReplyAsk("민트", **SCENT), "[1]"),
    ):
        found = live.current.answer(ask)
        assert found is not None
        assert found.reply.text == text


@pytest.mark.parametrize(("ask", "lacks"), [(ReplyAsk("민트", **OTHER), "JSON (json_schema)")])
def test_a_strict_space_has_nothing_made(ask: ReplyAsk, lacks: str) -> None:
    book = ReplyBook(SHAPED, strict=True)
    assert book.answer(ask) is None
    told = book.explain(ask)
    assert (told.matched, told.made, told.source) == (False, False, None)
    assert f"a:1 (reply: wanted {lacks}, got text)" in str(told)


def models(book: ReplyBook | LiveBook) -> ChatModels:
    return ChatModels(book=book, clock=VirtualClock(), upstream=Upstream())


async def test_what_nothing_answers_in_a_strict_space_fails_as_a_model_does(caplog: pytest.LogCaptureFixture) -> None:
    made = models(ReplyBook(ENTRIES, strict=True))
    with caplog.at_level(logging.INFO, "app.agent"), pytest.raises(Unanswered) as error:
        await made.open("scripted", None, ReplyAsk("안녕하세요")).ainvoke([HumanMessage("안녕하세요")])
    assert "replies/a.yaml:2 (turn: wanted 2, got 1)" in str(error.value)
    assert made.is_upstream_error(error.value)
    assert made.tell(error.value) in caplog.messages


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, 0), (logging.DEBUG, 2)])
async def test_replies_of_other_spaces_are_explained_at_debug(
    level: int, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = models(ReplyBook(ENTRIES))
    with caplog.at_level(level, "app.agent"):
        for msg in ("민트", "x"):
            await made.open("scripted", None, ReplyAsk(msg)).ainvoke([HumanMessage(msg)])
    told = [record.getMessage() for record in caplog.records if record.name == "app.agent"]
    assert len(told) == lines


async def test_a_model_keeps_the_book_it_was_opened_with() -> None:
    old = ReplyBook((), Reply(text="old"))
    live = LiveBook(old)
    made = models(live)
    opened, ask = made.open("scripted", None, ReplyAsk("x")), [HumanMessage("x")]
    live.files = ReplyBook((), Reply(text="new"))
    assert (await opened.ainvoke(ask)).text == "old"
    assert (await made.open("scripted", None, ReplyAsk("x")).ainvoke(ask)).text == "new"
    assert (await made.open("scripted", None, ReplyAsk("x"), old).ainvoke(ask)).text == "old"

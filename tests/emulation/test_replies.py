"""The reply book: which entry answers, and with which words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.emulation.conditions import LONGEST_SEARCHED, Contains, Exact, Matches
from app.emulation.fixtures import load_fixtures
from app.emulation.replies import Entry, Reply, ReplyAsk, ReplyBook

Fact = str | int | None

# First match wins: the book against the plainest matcher there can be, over files as a user writes them.

TEXTS = ["a", "ab", "b", "A", "한", normalize("NFD", "한"), "한글", "é", "e\u0301", " "]
TEXT_KEYS = ["msg", "space", "room_uid", "user_id", "language", "model", "filename"]
TEXT_CONDITIONS: st.SearchStrategy[Any] = (
    st.sampled_from(TEXTS)
    | st.sampled_from(TEXTS).map(lambda text: {"contains": text})
    | st.sampled_from([".", "^a", "b$", "^$", "한", "e\u0301", "(?i)a", "[^a]"]).map(lambda regex: {"regex": regex})
)
CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(TEXT_KEYS, TEXT_CONDITIONS),
    "msg": TEXT_CONDITIONS | st.none(),
    "filename": TEXT_CONDITIONS | st.none(),
    "scene_number": st.integers(0, 2) | st.none(),
    "turn": st.integers(1, 3),
}
WHENS = (
    st.dictionaries(st.sampled_from(sorted(CONDITIONS)), st.none(), min_size=1, max_size=3)
    .flatmap(lambda keys: st.fixed_dictionaries({key: CONDITIONS[key] for key in keys}))
    .filter(bool)
)
ASKS = st.builds(
    ReplyAsk,
    msg=st.sampled_from([None, "", *TEXTS]),
    **{key: st.sampled_from(["", *TEXTS]) for key in TEXT_KEYS[1:-1]},
    filename=st.sampled_from([None, "", *TEXTS]),
    scene_number=st.sampled_from([None, 0, 1]),
    turn=st.integers(1, 2),
)


def holds(condition: Any, fact: Fact) -> bool:
    if not isinstance(condition, dict):
        same = normalize("NFC", condition) if isinstance(condition, str) else condition
        return same == (normalize("NFC", fact) if isinstance(fact, str) else fact)
    if fact is None:
        return False
    text = normalize("NFC", str(fact))
    if "contains" in condition:
        return normalize("NFC", condition["contains"]) in text
    return re.search(normalize("NFC", condition["regex"]), text) is not None


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    (folder / "replies").mkdir()
    (folder / "spaces.yaml").write_text("spaces: [{uid: a, default: true}]", encoding="utf-8")
    return folder


@settings(max_examples=300, deadline=None)
@given(whens=st.lists(WHENS, max_size=12), asks=st.lists(ASKS, min_size=1, max_size=8))
def test_the_first_entry_that_matches_answers(scratch: Path, whens: list[dict[str, Any]], asks: list[ReplyAsk]) -> None:
    replies = [{"when": when, "reply": str(number)} for number, when in enumerate(whens)]
    text = json.dumps({"replies": replies, "default": {"reply": "default"}})
    (scratch / "replies" / "a.json").write_text(text, encoding="utf-8")
    book = load_fixtures(scratch).replies
    for ask in asks:
        matching = (
            str(number)
            for number, when in enumerate(whens)
            if all(holds(condition, getattr(ask, key)) for key, condition in when.items())
        )
        assert book.match(ask).text == next(matching, "default")


def test_thousands_of_exact_messages_are_not_tried_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry({"msg": Exact(f"질문 {n}"), "language": Exact("ko")}, Reply(text=str(n))) for n in range(5000)]
    book = ReplyBook([*entries, Entry({"msg": Contains("질문")}, Reply(text="else"))])
    tried = 0
    really = Exact.holds

    def count(self: Exact, value: Fact) -> bool:
        nonlocal tried
        tried += 1
        return really(self, value)

    monkeypatch.setattr(Exact, "holds", count)
    assert book.match(ReplyAsk("질문 4999")).text == "4999"
    assert book.match(ReplyAsk("질문 없음")).text == "else"
    assert tried == 1


def test_an_expression_sees_the_first_4000_characters() -> None:
    book = ReplyBook([Entry({"msg": Matches("끝")}, Reply(text="seen"))], Reply(text="not seen"))
    assert book.match(ReplyAsk("." * (LONGEST_SEARCHED - 1) + "끝")).text == "seen"
    assert book.match(ReplyAsk("." * LONGEST_SEARCHED + "끝")).text == "not seen"


# Variables


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{msg}}", "안녕"),
        ("{{ visitor_name }}님, {{turn}}번째 {{msg}}!", "철수님, 3번째 안녕!"),
        ("{{visitor_name|친구}}님", "철수님"),
        ("{msg} {{ {{msg}} }}", "{msg} {{ 안녕 }}"),
    ],
)
def test_variables_of_a_reply_are_filled_in(text: str, expected: str) -> None:
    book = ReplyBook((), Reply(text=text))
    assert book.match(ReplyAsk("안녕", visitor_name="철수", turn=3)).text == expected


def test_what_a_request_does_not_have_becomes_nothing_or_the_text_after_the_bar() -> None:
    book = ReplyBook((), Reply(text="[{{msg}}] [{{msg|말 없이}}] [{{visitor_name|친구}}]"))
    assert book.match(ReplyAsk(None)).text == "[] [말 없이] [친구]"


def test_what_the_visitor_says_is_not_filled_in_again() -> None:
    book = ReplyBook((), Reply(text="{{msg}}"))
    assert book.match(ReplyAsk("{{turn}} {{visitor_name}} \\1")).text == "{{turn}} {{visitor_name}} \\1"


def test_tokens_are_sent_as_they_stand() -> None:
    book = ReplyBook((), Reply(tokens=("{{msg}}", "{{x}}")))
    assert book.match(ReplyAsk("안녕")).tokens == ("{{msg}}", "{{x}}")


def test_the_rest_of_a_filled_reply_stays_as_it_is() -> None:
    book = ReplyBook([Entry({"turn": Exact(1)}, Reply(text="{{msg}}", source="a.yaml:3"))])
    reply = book.match(ReplyAsk("x"))
    assert reply == Reply(text="x", source="a.yaml:3")
    assert book.entries[0].reply.text == "{{msg}}"

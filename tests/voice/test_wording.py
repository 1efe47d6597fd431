from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.voice.wording import MAX_PIECE, MAX_TEXT, clean, pieces, speakable


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  두   칸 \n 줄\t바꿈 ", "두 칸 줄 바꿈"),
        ("영\x00영\x1b[31m일", "영 영 [31m일"),
        ("반쪽\ud800글자", "반쪽글자"),
        ("全角　空白", "全角 空白"),
        ("", ""),
    ],
)
def test_control_characters_and_blanks_become_single_blanks(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text(st.characters(exclude_categories=[])))
def test_cleaned_text_is_encodable_and_stays_clean(text: str) -> None:
    once = clean(text)
    once.encode()
    assert "\x00" not in once
    assert clean(once) == once


def test_overlong_text_is_cut() -> None:
    assert len(clean("가" * 100_000)) == MAX_TEXT


@pytest.mark.parametrize(
    ("text", "yes"), [("네", True), ("3", True), ("नमस्ते", True), ("😀!", False), ("...", False), ("", False)]
)
def test_only_letters_and_digits_are_worth_speaking(text: str, yes: bool) -> None:
    assert speakable(text) is yes


@given(st.text(), st.integers(1, 40))
def test_pieces_join_to_the_text_and_keep_the_limit(text: str, limit: int) -> None:
    parts = pieces(text, limit)
    assert "".join(parts) == text
    assert all(0 < len(part) <= limit for part in parts)


def test_a_piece_ends_after_a_mark_where_there_is_one() -> None:
    first, second = pieces("가" * 300 + "。" + "나" * 400)
    assert (first[-1], len(second)) == ("。", 400)
    assert len(pieces("가" * 1_200)[0]) == MAX_PIECE

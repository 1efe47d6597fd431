from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.spaces.text import storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("plain", "plain"),
        ("안녕하세요 👩‍👩‍👧 ﷽", "안녕하세요 👩‍👩‍👧 ﷽"),
        ("a\0b\0", "ab"),
        ("half \ud83d!", "half \ufffd!"),
        ("\ude00", "\ufffd"),
        ("two halves \ud83d\ude00", "two halves 😀"),
    ],
)
def test_only_what_a_database_refuses_is_changed(text: str, stored: str) -> None:
    assert storable(text) == stored


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_becomes_storable_once_and_for_all(text: str) -> None:
    stored = storable(text)
    assert "\0" not in stored
    stored.encode()
    assert storable(stored) is stored

"""What a fixture can ask of a text."""

from __future__ import annotations

import logging

import pytest

from app.emulation.conditions import LONGEST_SEARCHED, Matches

SLOW = [
    (r"^(\w+\s?)*$", "a" * 40 + "!"),
    (r"(\w+)\1+z", "ab" * (LONGEST_SEARCHED // 2)),
    (r"(\d+)(\w+)(\d+)!!", "1" * LONGEST_SEARCHED),
    (r"(x+x+)+y", "x" * LONGEST_SEARCHED),
]
"""Patterns that somebody wrote, and texts that a client can send: backtracking takes minutes, or years."""


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("pattern", "text"), SLOW)
def test_an_expression_that_takes_for_ever_does_not_match_and_stops_nobody(pattern: str, text: str) -> None:
    assert not Matches(pattern).holds(text)


def test_a_search_that_was_given_up_is_logged_with_its_pattern(caplog: pytest.LogCaptureFixture) -> None:
    pattern, text = SLOW[3]
    with caplog.at_level(logging.WARNING, "app.fixtures"):
        assert not Matches(pattern).holds(text)
    (record,) = caplog.records
    assert record.getMessage().startswith('regex "(x+x+)+y" took more than')
    assert "xxxx" not in record.getMessage()

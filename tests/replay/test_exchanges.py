"""Which message answers which request."""

from __future__ import annotations

from typing import Any

import pytest

from app.emulation.replay.exchanges import exchanges
from app.emulation.tapes import Tape
from tests.replay.sessions import tape


def answered(made: Tape) -> list[list[Any]]:
    """The texts of the answers: those upon opening, then by request."""
    return [[frame.text for frame in exchange.frames] for exchange in exchanges(made)]


def turn(number: int, text: str) -> dict[str, Any]:
    return {"turn_id": f"turn0000000{number}", "conversation_id": "conv00000001", "text": text}


def texts(made: Tape) -> list[list[str]]:
    import json

    return [[json.loads(text)["text"] for text in found] for found in answered(made)]


def test_what_comes_before_the_first_request_belongs_to_the_opening() -> None:
    made = tape(("<", 0, "a"), ("<", 1, "b"), (">", 2, "ask"), ("<", 3, "c"))
    assert answered(made) == [["a", "b"], ["c"]]


def test_answers_follow_their_requests() -> None:
    made = tape((">", 0, "1"), ("<", 1, "a"), (">", 2, "2"), (">", 3, "3"), ("<", 4, "b"), ("<", 5, "c"))
    assert answered(made) == [[], ["a"], [], ["b", "c"]]


def test_an_identifier_of_the_request_leads_back_to_it() -> None:
    made = tape(
        (">", 0, {"id": 1, "m": "a"}),
        (">", 1, {"id": 2, "m": "b"}),
        ("<", 2, '{"id": 2, "r": "for 2"}'),
        ("<", 3, '{"id": 1, "r": "for 1"}'),
    )
    assert answered(made) == [[], ['{"id": 1, "r": "for 1"}'], ['{"id": 2, "r": "for 2"}']]


def test_a_turn_that_goes_on_after_the_next_request_stays_together() -> None:
    made = tape(
        (">", 0, {"say": "one"}),
        ("<", 1, turn(1, "1a")),
        (">", 2, {"say": "two"}),
        ("<", 3, turn(1, "1b")),
        ("<", 4, turn(2, "2a")),
        ("<", 5, turn(1, "1c")),
        ("<", 6, turn(2, "2b")),
    )
    assert texts(made) == [[], ["1a", "1b", "1c"], ["2a", "2b"]]


def test_requests_made_at_once_are_answered_in_their_order() -> None:
    made = tape(
        (">", 0, {"say": "one"}),
        (">", 0, {"say": "two"}),
        ("<", 1, turn(1, "1a")),
        ("<", 2, turn(2, "2a")),
        ("<", 3, turn(1, "1b")),
    )
    assert texts(made) == [[], ["1a", "1b"], ["2a"]]


def test_a_request_of_another_kind_that_nothing_answers_takes_no_answer_away() -> None:
    made = tape(
        (">", 0, {"say": "one"}),
        ("<", 1, turn(1, "1a")),
        (">", 2, {"type": "audio", "data": "x"}),
        (">", 3, {"type": "audio", "data": "y"}),
        (">", 4, {"say": "two"}),
        ("<", 5, turn(2, "2a")),
    )
    assert texts(made) == [[], ["1a"], [], [], ["2a"]]


def test_identifiers_finer_than_a_turn_do_not_part_it() -> None:
    def word(turn_number: int, sentence: int, text: str) -> dict[str, Any]:
        return {**turn(turn_number, text), "sent_uid": f"sentence{turn_number}{sentence}aA0"}

    made = tape(
        (">", 0, {"say": "one"}),
        ("<", 1, turn(1, "START")),
        ("<", 2, word(1, 1, "a")),
        (">", 3, {"say": "two"}),
        ("<", 4, word(1, 2, "b")),
        ("<", 5, turn(2, "START")),
        ("<", 6, word(2, 1, "c")),
        ("<", 7, word(1, 3, "d")),
        ("<", 8, turn(1, "END")),
    )
    assert texts(made) == [[], ["START", "a", "b", "d", "END"], ["START", "c"]]


@pytest.mark.parametrize(
    ("end", "close"),
    [
        ({"close": (1009, "big"), "closed_by": "server", "closed_at": 5.0}, (1009, "big")),
        ({"close": (1001, "idle"), "closed_by": "server", "closed_at": 600.0}, None),
        ({"close": (1006, ""), "closed_by": "server", "closed_at": 600.0}, (1006, "")),
        ({"close": (1000, ""), "closed_by": "client", "closed_at": 5.0}, None),
    ],
)
def test_a_close_of_the_server_belongs_to_the_last_request_if_it_came_soon(end: dict[str, Any], close: Any) -> None:
    made = tape((">", 0, "1"), ("<", 1, "a"), (">", 2, "2"), **end)
    assert [exchange.close for exchange in exchanges(made)] == [None, None, close]

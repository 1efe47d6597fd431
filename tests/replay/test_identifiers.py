"""What looks like an identifier or a time, and what the next one looks like."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.emulation.determinism import Ids
from app.emulation.replay.identifiers import is_id, moment, names_identity, renewed_id, signature

IDS = [
    ("connection_id", "fO4rVc0XIE0CIyQ=", r"[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]="),
    ("stream_uid", "BfS806fFPYoi00yn9cJx04X0b", r"[0-9A-Za-z]{25}"),
    (
        "run_id",
        "674b2731-fda9-4660-b81e-39d2b2c76e16",
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    ),
    ("anything", "674B2731-FDA9-4660-B81E-39D2B2C76E16", r"[0-9A-F-]{36}"),
    ("parent_ids", "0123456789abcdef", r"[0-9a-f]{16}"),
    ("requestId", "req_AbCdEfGh12345678", r"req_[0-9A-Za-z]{16}"),
    ("id", "evt-1234567890", r"evt-[1-9]\d{9}"),
    ("item.id", "01HZX3K5N7Q9S1V3X5Z7A9C1E3", r"[0-9A-Z]{26}"),
    ("session_id", "abc123def456:7890abcd1234", r"[0-9a-f]{12}:[0-9a-f]{12}"),
]


@pytest.mark.parametrize(("name", "value", "shape"), IDS)
def test_an_identifier_is_known_and_renewed_in_its_own_look(name: str, value: str, shape: str) -> None:
    assert is_id(name, value)
    for seed in range(50):
        made = renewed_id(value, Ids.seeded(seed))
        assert re.fullmatch(shape, made), made
        assert made != value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("msg", "BfS806fFPYoi00yn9cJx04X0b"),
        ("content", "0123456789abcdef"),
        ("model_id", "gpt-4o-mini"),
        ("event", "on_chat_model_stream"),
        ("id", "internationalization"),
        ("id", "short1"),
        ("paid", "0123456789abcdef"),
        ("uid", "has a blank 123456789"),
        ("ids", ""),
        ("voice_id", "alloy"),
    ],
)
def test_what_was_written_by_people_is_no_identifier(name: str, value: str) -> None:
    assert not is_id(name, value)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_:.-]{8,40}={0,2}", fullmatch=True), st.integers())
def test_a_renewed_identifier_keeps_its_length_and_its_signs(value: str, seed: int) -> None:
    made = renewed_id(value, Ids.seeded(seed))
    assert len(made) == len(value)
    assert re.sub("[A-Za-z0-9]", "", made) == re.sub("[A-Za-z0-9]", "", value) or "E0" in value


@pytest.mark.parametrize(
    ("name", "value", "is_identity"),
    [
        ("room_uid", "R", True),
        ("user_id", 7, True),
        ("userid", "x", True),
        ("api_key", "k", True),
        ("apiKey", "k", True),
        ("anything", "674b2731-fda9-4660-b81e-39d2b2c76e16", True),
        ("ts", 1_700_000_000, True),
        ("sent_at", "2024-01-01T00:00:00Z", True),
        ("ts", 5, False),
        ("msg", "x", False),
        ("filename", "x", False),
        ("room_uid", "", False),
        ("room_uid", None, False),
        ("use_choices", 3, False),
        ("grid", "x", False),
        ("monkey", "x", False),
    ],
)
def test_fields_that_say_who_asks_are_told_from_those_that_say_what(
    name: str, value: object, is_identity: bool
) -> None:
    assert names_identity(name, value) is is_identity  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "later"),
    [
        ("1725981256.11853", "1725981316.11853"),
        (1725981256, "1725981316"),
        (1725981256123, "1725981316123"),
        (1725981256123456, "1725981316123456"),
        ("2024-11-03T14:26:47.314Z", "2024-11-03T14:27:47.314Z"),
        ("2024-11-03T23:59:30+09:00", "2024-11-04T00:00:30+09:00"),
        ("2024-12-31 23:59:59,5", "2025-01-01 00:00:59,5"),
        ("2024-11-03T23:59:30-0330", "2024-11-04T00:00:30-0330"),
    ],
)
def test_a_time_is_written_later_as_it_was(value: str | int, later: str) -> None:
    found = moment(value)
    assert found is not None
    assert found.later(60) == later
    assert found.later(0) == str(value)


@pytest.mark.parametrize(
    "value", [5, 0.5, True, None, "12", "2024-13-45T99:00:00Z", "9999999999999999999", "now", 999_999_999]
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert moment(value) is None  # type: ignore[arg-type]


def test_a_time_beyond_the_calendar_stays() -> None:
    found = moment("9999-12-31T23:59:59Z")
    assert found is not None
    assert found.later(60) == "9999-12-31T23:59:59Z"


def test_a_signature_of_256_bytes_looks_like_cloudfronts() -> None:
    assert re.fullmatch(r"[A-Za-z0-9~-]{341}[AQgw]__", signature(344, Ids.seeded(1)))
    assert [len(signature(length, Ids.seeded(1))) for length in (1, 5, 43, 64)] == [1, 5, 43, 64]

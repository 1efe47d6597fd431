"""JSON as clients, models and graphs write it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.json_text import dumps, loads


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    y: int
    x: object


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"hi \ud83d"', "hi \ufffd"),
        (r'{"\ude00":["\ud83d\ude00"]}', {"\ufffd": ["😀"]}),
        ("1e400", math.inf),
        ("[-1e999,Infinity]", [-math.inf, math.inf]),
        ("12345678901234567890123", 12345678901234567890123),
        ('{"a":-9223372036854775809}', {"a": -9223372036854775809}),
        ('{"a":"1234567890123456789012"}', {"a": "1234567890123456789012"}),
        ('{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_what_python_reads_is_read(text: str, value: Any) -> None:
    assert loads(text) == value
    assert loads(text.encode()) == value


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", "{'a':1}", "\ufeff{}", "9" * 5_000, "[" * 100_000, '{"a":' * 100_000, "\x00", '"\x01"']
)
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of many kinds
        loads(text)


def test_bytes_that_are_no_text_are_a_value_error() -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        loads(b'"\xff"')


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": "hi \ud83d"}, '{"a":"hi \ufffd"}'),
        ({"\ud83d": 1}, '{"\ufffd":1}'),
        ([2**64, -(2**70), True], "[18446744073709551616,-1180591620717411303424,true]"),
        ([2**64, math.nan, math.inf, 0.5, None], "[18446744073709551616,null,null,0.5,null]"),
        ({"a": {1, 2}, "b": (2**70,), 3: "x"}, '{"a":[1,2],"b":[1180591620717411303424],"3":"x"}'),
        ([b"bytes", 2**70], """["b'bytes'",1180591620717411303424]"""),
        (Point(2**70, Colour.RED), '{"y":1180591620717411303424,"x":"red"}'),
        ([Text("a\ud83d"), Broken()], '["a\ufffd","Broken (RuntimeError)"]'),
    ],
)
def test_whatever_a_value_holds_it_can_be_sent(value: object, text: str) -> None:
    assert dumps(value) == text
    assert json.loads(dumps(value).encode("utf-8").decode()) is not None


def test_what_is_nested_too_deeply_is_cut_off() -> None:
    value: Any = 2**70
    for _ in range(5_000):
        value = [value]
    assert dumps(value) == "[" * 200 + '"…"' + "]" * 200
    around: list[Any] = [2**70]
    around.append(around)
    assert dumps(around).endswith('"…"' + "]" * 200)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_what_is_written_is_read_back_and_as_orjson_writes_it(value: Any) -> None:
    text = dumps(value)
    assert dumps(loads(text)) == text
    try:
        assert text == orjson.dumps(value).decode()
    except TypeError:
        assert text.encode("utf-8")

"""The places of values in a JSON text agree with what `json` reads."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.emulation.replay.leaves import DEEPEST, leaves

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def ends(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        return [end for name, member in value.items() for end in ends(member, (*path, name))]
    if isinstance(value, list):
        return [end for number, member in enumerate(value) for end in ends(member, (*path, number))]
    return [(path, value)]


@given(st.lists(values) | st.dictionaries(st.text(), values), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_every_leaf_is_found_where_it_is_written(value: Any, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = leaves(text)
    assert found is not None
    assert [(leaf.path, leaf.value) for leaf in found] == ends(value)
    assert all(json.loads(text[leaf.start : leaf.end]) == leaf.value for leaf in found)
    for leaf in found:
        names = [step for step in leaf.path if isinstance(step, str)]
        assert leaf.key == (names[-1] if names else "")


@given(st.text(alphabet='{}[],:"ab\\01.-etrufalsn \n', max_size=30))
def test_what_json_does_not_read_has_no_leaves(text: str) -> None:
    try:
        value = json.loads(text)
        readable = isinstance(value, dict | list)
    except ValueError:
        readable = False
    assert (leaves(text) is not None) is readable


def test_depth_has_a_bound() -> None:
    assert leaves("[" * DEEPEST + "]" * DEEPEST) == []
    assert leaves("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)) is None
    assert leaves("[" * 1_000_000) is None

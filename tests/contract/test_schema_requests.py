"""The schemas of requests against the parser: both judge alike, but for what the schemas leave out on purpose."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chldo.requests import Forbidden, Refusal, parse
from app.chldo.revisions import REVISIONS
from app.contract.schema.chldo.requests import requests_of
from app.contract.schema.wire import Message
from tests.contract.judges import Json, judge_of

ASKS = [(revision, ask.name) for revision in REVISIONS for ask in requests_of(REVISIONS[revision])]
LEFT_OUT = object()
VALUES = st.sampled_from(
    [LEFT_OUT, None, "", "text", "0", "1", "2", 0, 1, 2, 7, 8, -1, 2**31 - 1, 2**31, 0.5, True, False, [], {"a": 1}]
)


def message(revision: str, name: str) -> Message:
    return next(ask for ask in requests_of(REVISIONS[revision]) if ask.name == name)


def server_takes(ask: Json, revision: str) -> bool:
    return not isinstance(parse(json.dumps(ask), REVISIONS[revision]), Refusal | Forbidden)


def narrower(ask: Json, revision: str) -> bool:
    """Whether the schema refuses on purpose what the server takes: "" in place of a number, a greeting below 1, or a
    key that is no text in R1, where the server does not look at it.
    """
    if revision == "2024-07-01" and not isinstance(ask.get("api_key"), str | None):
        return True
    numbers = ("return_voice", "stream", "no_save", "no_history", "scene_number", "use_choices", "greeting_number")
    return any(ask.get(key) == "" for key in numbers) or ask.get("greeting_number", 1) in (0, -1)


@pytest.mark.parametrize(("revision", "name"), ASKS)
@given(data=st.data())
def test_a_request_is_judged_as_the_server_judges_it(revision: str, name: str, data: st.DataObject) -> None:
    example: Json = dict(message(revision, name).examples[-1])
    changed = data.draw(st.dictionaries(st.sampled_from(list(example)), VALUES, max_size=3))
    ask: Json = {key: value for key, value in (example | changed).items() if value is not LEFT_OUT}
    if ask.get("action") != example["action"]:
        assert not judge_of(revision, "Request").accepts(ask)
        return
    accepted = judge_of(revision, "Request").accepts(ask)
    assert accepted == (server_takes(ask, revision) and not narrower(ask, revision))


@pytest.mark.parametrize(("revision", "name"), ASKS)
def test_the_examples_are_taken_by_the_server(revision: str, name: str) -> None:
    for example in message(revision, name).examples:
        assert server_takes(example, revision)
        assert judge_of(revision, "Request").accepts(example)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_key_that_no_document_names_is_refused_although_the_server_ignores_it(revision: str) -> None:
    for ask in requests_of(REVISIONS[revision]):
        more: dict[str, Any] = {**ask.examples[0], "languge": "ko"}
        assert server_takes(more, revision)
        assert not judge_of(revision, "Request").accepts(more)


def test_the_schemas_say_which_fields_are_younger_than_the_revision() -> None:
    told = judge_of("2024-09-11", "Request").schemas["SendmsgRequest"]["properties"]
    assert "documented from 2024-11-03 on" in told["language"]["description"]
    assert "documented" not in judge_of("2024-11-13", "Request").schemas["SendmsgRequest"]["properties"]["language"]
    assert "use_choices" not in told

"""What a client may ask, and the answer to each way of asking wrongly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chldo.requests import Forbidden, Refusal, SendMsg, Status, parse
from app.chldo.revisions import REVISIONS, with_msg

R9 = REVISIONS["2024-11-13"]
R2 = REVISIONS["2024-08-26"]
R1 = REVISIONS["2024-07-01"]
V1 = REVISIONS["2023-12-28"]
GOOD = {"action": "sendmsg", "api_key": "k", "room_uid": "r", "user_id": "u", "msg": "m"}

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from([[], {}, [1], {"a": [None]}, "0", "1", 0, 1]),
)
KEYS = st.sampled_from([*GOOD, "return_voice", "stream", "no_save", "language", "scene_number", "model", "org_id", "x"])


def said(body: dict[str, Any], revision: Any = R9) -> str:
    answer = parse(json.dumps(body), revision)
    assert isinstance(answer, Refusal), answer
    return answer.msg


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key not in keys}


@pytest.mark.parametrize("key", ["api_key", "room_uid", "user_id", "msg"])
def test_a_missing_field_is_required(key: str) -> None:
    assert said(without(key), R2) == f"{key} is required"
    assert said({**GOOD, key: None}, R2) == f"{key} is required"
    assert said({**GOOD, key: ""}, R2) == f"{key} is required"


def test_the_first_missing_field_answers_alone() -> None:
    assert said({"action": "sendmsg"}, R2) == "api_key is required"
    assert said(without("room_uid", "user_id", "msg"), R2) == "room_uid is required"
    assert said(without("user_id", "msg"), R2) == "user_id is required"
    assert said({**without("msg"), "return_voice": 7}, R2) == "msg is required"


def test_r1_asks_for_an_organisation_and_not_for_a_key() -> None:
    assert said(without("api_key"), R1) == "org_id is required"
    asked = parse(json.dumps({**without("api_key"), "org_id": "o"}), R1)
    assert isinstance(asked, SendMsg)
    assert asked.account == "o"


def test_msg_is_optional_from_2024_09_11_on() -> None:
    for name, revision in REVISIONS.items():
        body = {**without("msg"), "action": revision.action, "org_id": "o", "user_uid": "u"}
        answer = parse(json.dumps(body), revision)
        if name < "2024-09-11":
            assert answer == Refusal("msg is required"), name
        else:
            assert isinstance(answer, SendMsg), name
            assert answer.msg is None


def test_require_msg_overrides_the_revision_both_ways() -> None:
    assert parse(json.dumps(without("msg")), with_msg(R9, True)) == Refusal("msg is required")
    assert isinstance(parse(json.dumps(without("msg")), with_msg(R2, False)), SendMsg)


@pytest.mark.parametrize(("given_value", "understood"), [(0, 0), (1, 1), ("0", 0), ("1", 1), (None, None), ("", None)])
def test_return_voice_takes_the_four_documented_values(given_value: object, understood: int | None) -> None:
    asked = parse(json.dumps({**GOOD, "return_voice": given_value}), R9)
    assert isinstance(asked, SendMsg)
    assert asked.return_voice == understood


@pytest.mark.parametrize("wrong", [2, -1, "2", "yes", True, False, 0.5, [1], {"a": 1}])
def test_any_other_return_voice_is_refused(wrong: object) -> None:
    assert said({**GOOD, "return_voice": wrong}) == "return_voice must be a number (0, 1, '0', or '1')"


@pytest.mark.parametrize("key", ["stream", "no_save", "no_history"])
def test_a_wrong_switch_is_named(key: str) -> None:
    assert said({**GOOD, key: "on"}) == f"{key} must be a number (0, 1, '0', or '1')"


@pytest.mark.parametrize(
    "key", ["api_key", "room_uid", "user_id", "msg", "model", "language", "visitor_name", "filename"]
)
def test_a_text_of_another_type_is_named(key: str) -> None:
    assert said({**GOOD, key: 5}) == f"{key} must be a string"


@pytest.mark.parametrize("wrong", ["1", 1.5, True, [1], 2**31, -(2**63), 2**64])
def test_a_scene_number_is_an_integer(wrong: object) -> None:
    assert said({**GOOD, "scene_number": wrong}) == "scene_number must be a number"


def test_v1_has_an_action_and_a_user_field_of_its_own() -> None:
    asked = parse(json.dumps({"action": "sendmessage", "user_uid": "u", "room_uid": "r", "msg": "m"}), V1)
    assert isinstance(asked, SendMsg)
    assert asked.user_id == "u"
    assert isinstance(parse(json.dumps(GOOD), V1), Forbidden)


@pytest.mark.parametrize(
    "text", ["", "hello", "[]", "5", "null", '"text"', "{", '{"action":"dance"}', '{"action":5}', "{}"]
)
def test_no_action_of_this_api_is_forbidden(text: str) -> None:
    assert parse(text, R9) == Forbidden()


def test_status_needs_nothing_else() -> None:
    assert parse('{"action":"status"}', R2) == Status()


@given(body=st.dictionaries(KEYS, VALUES), revision=st.sampled_from(list(REVISIONS.values())))
def test_any_object_is_an_action_or_a_refusal(body: dict[str, Any], revision: Any) -> None:
    answer = parse(json.dumps(body), revision)
    assert isinstance(answer, Status | SendMsg | Refusal | Forbidden)


@given(body=st.dictionaries(KEYS, VALUES))
def test_any_sendmsg_gets_texts_where_texts_are_due(body: dict[str, Any]) -> None:
    answer = parse(json.dumps({**GOOD, **body, "action": "sendmsg"}), R9)
    if isinstance(answer, SendMsg):
        assert isinstance(answer.room_uid, str)
        assert isinstance(answer.user_id, str)
        assert answer.msg is None or isinstance(answer.msg, str)
        assert answer.return_voice in (None, 0, 1)

"""Which responses are kept, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from app.chldo import response_store
from app.chldo.response_store import KeptResponse, ResponseStore, SpaceResponses

Json = dict[str, Any]


def said(number: int, *, size: int = 1, era: int = 0, more: tuple[Json, ...] = ()) -> KeptResponse:
    body = {"id": f"resp_{number}", "output": [{"id": f"msg_{number}", "type": "message"}]}
    return KeptResponse(body, ({"id": f"in_{number}", "type": "message"}, *more), (), era, size)


def never(era: int) -> bool:
    return False


@pytest.fixture
def responses() -> SpaceResponses:
    return ResponseStore().of("a", never)


def test_the_oldest_are_forgotten_with_their_items(responses: SpaceResponses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_store, "MAX_RESPONSES", 2)
    for number in range(3):
        responses.keep(said(number))
    assert [responses.find(f"resp_{number}") is not None for number in range(3)] == [False, True, True]
    assert [responses.item(f"msg_{number}") is not None for number in range(3)] == [False, True, True]


def test_requests_that_are_large_together_push_out_the_oldest(
    responses: SpaceResponses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_store, "MAX_BYTES", 10)
    responses.keep(said(0, size=6))
    responses.keep(said(1, size=6))
    assert responses.find("resp_0") is None
    responses.keep(said(2, size=11))  # the last one is kept, however large it is
    assert (responses.find("resp_1"), responses.find("resp_2") is not None) == (None, True)


def test_an_item_that_was_sent_again_stays_with_the_response_it_came_from(responses: SpaceResponses) -> None:
    responses.keep(said(0))
    item = responses.item("msg_0")
    assert item is not None
    responses.keep(said(1, more=(item,)))
    responses.forget("resp_1")
    assert responses.item("msg_0") == item
    responses.forget("resp_0")
    assert responses.item("msg_0") is None


def test_a_context_is_all_that_was_said(responses: SpaceResponses) -> None:
    responses.keep(said(0))
    context = responses.context("resp_0")
    assert context is not None
    assert [item["id"] for item in context] == ["in_0", "msg_0"]
    assert responses.context("resp_9") is None


def test_spaces_do_not_see_each_others_and_a_reset_ends_them() -> None:
    store = ResponseStore()
    over: set[int] = set()
    here, there = store.of("a", over.__contains__), store.of("b", never)
    here.keep(said(0, era=3))
    assert (there.find("resp_0"), there.item("msg_0")) == (None, None)
    over.add(3)
    assert (here.find("resp_0"), here.item("msg_0"), here.context("resp_0")) == (None, None, None)

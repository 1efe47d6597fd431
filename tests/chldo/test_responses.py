"""What a client may ask of `/v1/responses`: any JSON is understood or refused by the names it was sent with."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.chldo.bad_requests import BadRequest
from app.chldo.completion_turn import reply_ask
from app.chldo.response_items import kept_item
from app.chldo.response_store import ResponseStore
from app.chldo.responses import parse_response
from tests.chldo.test_completion_turn import SPACE

EARLIER = ResponseStore().of("test", lambda _: False)

texts = st.text(st.characters(codec="utf-8"), max_size=6)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def keys(*names: str) -> dict[str, st.SearchStrategy[Any]]:
    return dict.fromkeys(names, texts | anything)


kinds = st.sampled_from(["message", "function_call", "function_call_output", "item_reference", "reasoning", "x"])
parts = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "input_image", "input_file", "refusal", "text"]) | anything},
    optional=keys("text", "image_url", "file_id", "refusal"),
)
roles = st.sampled_from(["user", "assistant", "system", "developer", "tool"])
items = st.fixed_dictionaries(
    {},
    optional={
        **keys("id", "call_id", "name", "arguments"),
        "type": kinds | anything,
        "role": roles | anything,
        "content": texts | st.lists(parts, max_size=3) | anything,
        "output": texts | st.lists(parts, max_size=3) | anything,
    },
)
tools = st.fixed_dictionaries(
    {"type": st.sampled_from(["function", "custom", "web_search"])}, optional=keys("name", "parameters")
)
bodies = st.fixed_dictionaries(
    {"model": st.just("gpt-4o") | anything, "input": texts | st.lists(items, max_size=3) | anything},
    optional={
        **keys(
            "instructions", "previous_response_id", "max_output_tokens", "tool_choice", "store", "stream", "metadata"
        ),
        **keys("temperature", "background", "conversation", "prompt", "reasoning", "include", "top_logprobs", "user"),
        "text": st.fixed_dictionaries({"format": st.fixed_dictionaries({}, optional=keys("type", "name", "schema"))})
        | anything,
        "tools": st.lists(tools, max_size=2) | anything,
    },
)


@given(bodies | anything)
def test_any_json_is_understood_or_refused(body: Any) -> None:
    ask = parse_response(orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS), EARLIER)
    if isinstance(ask, BadRequest):
        assert ask.status in (400, 404)
        assert ask.message
        assert not (ask.param or "").startswith(("messages", "response_format", "max_completion_tokens"))
        return
    assert reply_ask(SPACE, ask.completion)
    for item in ask.items:
        kept = kept_item(item, lambda prefix: f"{prefix}_1")
        assert isinstance(kept["id"], str)
        assert isinstance(kept["type"], str)

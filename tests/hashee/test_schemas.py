"""The documents have every frame and request of the wire. That frames are as documented is looked at wherever a test
listens (`people.listening`).
"""

from __future__ import annotations

import json

import pytest

from app.contract.schema.hashee import editions
from app.hashee.frames import BY_TYPE
from app.hashee.profiles import PROFILES
from app.hashee.requests import LONGEST_ID, LONGEST_TOKEN, Invalid, parse
from tests.contract.judges import judge
from tests.live import Json


@pytest.mark.parametrize("profile", PROFILES)
def test_every_frame_is_documented_by_an_example(profile: str) -> None:
    (found,) = (one for one in editions() if one.id == profile)
    examples = [example for message in found.frames for example in message.examples]
    types = judge("hashee", profile, "Frame", examples)
    assert types == {PROFILES[profile].name(kind) for kind in BY_TYPE if PROFILES[profile].knows(kind)}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_request_that_is_documented_is_understood(profile: str) -> None:
    (found,) = (one for one in editions() if one.id == profile)
    for message in found.requests:
        for example in message.examples:
            judge("hashee", profile, "Request", [example])
            assert not isinstance(parse(json.dumps(example)), Invalid), example


STREAM: Json = {"stream_id": "01KB0000000000000000000000", "conversation_id": "c"}


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"type": "surprise"},
        {"type": "auth"},
        {"type": "auth", "token": ""},
        {"type": "auth", "token": "x" * (LONGEST_TOKEN + 1)},
        {"type": "auth", "token": "x", "agent_id": 1},
        {"type": "auth.renew", "token": "x"},
        {"type": "stream.start", "stream_id": STREAM["stream_id"]},
        {"type": "stream.start", **STREAM, "stream_id": "01kb0000000000000000000000"},
        {"type": "stream.start", **STREAM, "conversation_id": "c" * (LONGEST_ID + 1)},
        {"type": "stream.delta", **STREAM},
        {"type": "stream.done", **STREAM, "encrypted_payload": ""},
        {"type": "stream.done", **STREAM, "encrypted_payload": "x", "content_type": ""},
        {"type": "stream.abort", **STREAM, "conversation_id": None},
        {"type": "typing", "conversation_id": "c", "typing": "yes"},
    ],
)
@pytest.mark.parametrize("profile", PROFILES)
def test_odd_requests_are_refused_by_the_server_and_by_the_documents(profile: str, request_: Json) -> None:
    assert isinstance(parse(json.dumps(request_)), Invalid)
    with pytest.raises(AssertionError):
        judge("hashee", profile, "Request", [request_])

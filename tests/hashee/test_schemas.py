"""The documents have every frame and request of the wire. That frames are as documented is looked at wherever a test
listens (`people.listening`).
"""

from __future__ import annotations

import json

import pytest

from app.contract.schema.hashee import editions
from app.hashee.frames import BY_TYPE
from app.hashee.profiles import PROFILES
from app.hashee.requests import Invalid, parse
from tests.contract.judges import judge


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

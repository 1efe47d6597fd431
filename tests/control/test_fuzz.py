"""Whatever is sent to any endpoint: no crash, no answer but those that are described, and turns go on afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from app.main import create_app
from app.settings import Settings
from tests.control.conftest import Control
from tests.control.test_reset import turn
from tests.live import LiveServer

CONTROL = "/_emulator"
DESCRIBED = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    unsupported_method,
]
ENDLESS = f"{CONTROL}/journal/feed"
"""An answer without an end; its parameters are those of the journal."""

FEW = settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
MANY = settings(FEW, max_examples=200)
PLANE = DESCRIBED.include(path_regex=f"^{CONTROL}/").exclude(path=ENDLESS)
WIRES = DESCRIBED.exclude(path_regex=f"^{CONTROL}/")


@pytest.fixture(scope="module")
def target(shared: LiveServer) -> Iterator[LiveServer]:
    """The shared server, which answers a turn as ever when all is over."""
    yield shared
    control = Control(shared)
    control.post("/reset")
    control.http.close()
    assert asyncio.run(turn(shared, "r1")) == "turn 1"


def send(case: Any, server: LiveServer) -> None:
    query = case.query if isinstance(case.query, dict) else {}
    if case.path.endswith("/journal/wait") and "timeout" in query:
        with suppress(TypeError, ValueError):
            query["timeout"] = min(float(query["timeout"]), 0.01)
    case.call_and_validate(base_url=server.http, checks=CHECKS, timeout=30)


@PLANE.parametrize()
@FEW
def test_the_control_plane_takes_whatever_is_sent(case: Any, target: LiveServer) -> None:
    send(case, target)


@WIRES.parametrize()
@FEW
def test_the_wires_take_whatever_is_sent(case: Any, target: LiveServer) -> None:
    send(case, target)


@pytest.mark.slow
@PLANE.parametrize()
@MANY
def test_the_control_plane_takes_very_much(case: Any, target: LiveServer) -> None:
    send(case, target)


@pytest.mark.slow
@WIRES.parametrize()
@MANY
def test_the_wires_take_very_much(case: Any, target: LiveServer) -> None:
    send(case, target)

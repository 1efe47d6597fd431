"""Whatever is sent to any endpoint: no crash, no answer but those that are described, and turns go on afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, CheckContext, CheckFunction, Response
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
from tests.control.conftest import Control, control_server
from tests.control.test_reset import turn
from tests.live import LiveServer
from tests.spaces.conftest import SERVER, empty_database

__all__ = ["empty_database"]

CONTROL = "/_emulator"
DESCRIBED = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
CONFORMS: list[CheckFunction] = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
CHECKS = [*CONFORMS, not_a_server_error, negative_data_rejection, unsupported_method]
ENDLESS = f"{CONTROL}/journal/feed"
"""An answer without an end; its parameters are those of the journal."""

FEW = settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
MANY = settings(FEW, max_examples=100)
PLANE = DESCRIBED.include(path_regex=f"^{CONTROL}/").exclude(path=ENDLESS)
WIRES = DESCRIBED.exclude(path_regex=f"^{CONTROL}/")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of its own, for much is left behind, which answers a turn as ever when all is over."""
    with control_server(tmp_path_factory.mktemp("fuzz")) as server:
        yield server
        goes_on(server)


@pytest.fixture(scope="module")
def thorough(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """As `target`, on PostgreSQL where there is one: it takes less than SQLite does."""
    store = {} if SERVER is None else {"url": request.getfixturevalue("empty_database")()}
    with control_server(tmp_path_factory.mktemp("thorough"), store=store) as server:
        yield server
        goes_on(server)


def goes_on(server: LiveServer) -> None:
    """A turn is answered as ever after a reset."""
    control = Control(server)
    control.post("/reset")
    control.http.close()
    assert asyncio.run(turn(server, "r1")) == "turn 1"


def no_crash(context: CheckContext, response: Response, case: Case[Any]) -> None:
    """Wires may say that something is not emulated (501), but never break, nor have their store fail (503)."""
    assert response.status_code not in (500, 503), response.text


WIRE_CHECKS = [*CONFORMS, no_crash]


def spelled_otherwise(value: object) -> bool:
    """Whether a value of a query is no longer there once it is spelled: an object becomes parameters of other names,
    which are passed over, and a list of one item is that item.
    """
    return isinstance(value, dict) or (isinstance(value, list) and len(value) < 2)


def send(case: Case[Any], server: LiveServer, checks: list[CheckFunction]) -> None:
    if case.path.endswith("/journal/wait") and (case.query is None or isinstance(case.query, dict)):
        query = case.query = case.query or {}
        with suppress(TypeError, ValueError):
            query["timeout"] = min(float(query.get("timeout", 0.01)), 0.01)
    if isinstance(case.query, dict) and any(spelled_otherwise(value) for value in case.query.values()):
        checks = [check for check in checks if check is not negative_data_rejection]
    case.call_and_validate(base_url=server.http, checks=checks, timeout=30)


@PLANE.parametrize()
@FEW
def test_the_control_plane_takes_whatever_is_sent(case: Case[Any], target: LiveServer) -> None:
    send(case, target, CHECKS)


@WIRES.parametrize()
@FEW
def test_the_wires_take_whatever_is_sent(case: Case[Any], target: LiveServer) -> None:
    send(case, target, WIRE_CHECKS)


@pytest.mark.slow
@pytest.mark.timeout(600)
@PLANE.parametrize()
@MANY
def test_the_control_plane_takes_very_much(case: Case[Any], thorough: LiveServer) -> None:
    send(case, thorough, CHECKS)


@pytest.mark.slow
@pytest.mark.timeout(600)
@WIRES.parametrize()
@MANY
def test_the_wires_take_very_much(case: Case[Any], thorough: LiveServer) -> None:
    send(case, thorough, WIRE_CHECKS)

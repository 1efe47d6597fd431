"""One server for all tests of faults on the wire; each test has a room of its own and leaves no rule behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from hashlib import blake2b
from typing import Any

import pytest

from tests.live import DEMO_KEY, LiveServer, write_fixtures
from tests.spaces.conftest import empty_database
from tests.wire.faults.stage import GREETING, REPLIES, Faulty
from tests.wire.test_gateway import until

__all__ = ["empty_database"]

POOR_KEY = "poor" * 5
SPARE_KEY = "spare" * 4


@pytest.fixture(scope="session")
def faulty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("faults")
    first = {"api_keys": [DEMO_KEY], "credit": 100_000, "credit_per_turn": 10, "greetings": {1: GREETING}}
    others = [
        {"uid": "poor", "api_keys": [POOR_KEY], "credit": 100_000, "credit_per_turn": 150},
        {"uid": "spare", "api_keys": [SPARE_KEY], "credit": 100_000},
    ]
    fixtures = write_fixtures(folder / "fixtures", replies=REPLIES, space=first, spaces=others)
    voice = {"engine": "tone", "workers": 1}
    settings: dict[str, Any] = {"v3": {"turn_timeout": 5.0}, "watch": False}
    with LiveServer(folder / "data", fixtures=fixtures, voice=voice, **settings) as live:
        asyncio.run(until(lambda: live.engine.speaker.workers))
        yield live


@pytest.fixture
async def faulty(faulty_server: LiveServer) -> AsyncIterator[Faulty]:
    faulty = Faulty(faulty_server)
    yield faulty
    await faulty.clear()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A room of the test's own."""
    return f"r{blake2b(request.node.nodeid.encode(), digest_size=5).hexdigest()}"

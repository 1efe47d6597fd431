"""Two servers for the tests of the wire: one whose time flows, one whose time is moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.hashee.people import Town, write_cast
from tests.live import LiveServer
from tests.spaces.conftest import empty_database

__all__ = ["empty_database"]


@pytest.fixture(scope="session")
def flowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("hashee")
    with LiveServer(folder / "data", fixtures=write_cast(folder / "fixtures"), watch=False) as server:
        yield server


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("hashee")
    with LiveServer(folder / "data", fixtures=write_cast(folder / "fixtures"), watch=False, seed=7) as server:
        yield server


@pytest.fixture
async def town(flowing: LiveServer) -> AsyncIterator[Town]:
    made = Town(flowing)
    yield made
    for client in made.clients:
        await client.aclose()


@pytest.fixture
async def still(standing: LiveServer) -> AsyncIterator[Town]:
    made = Town(standing)
    yield made
    for client in made.clients:
        await client.aclose()

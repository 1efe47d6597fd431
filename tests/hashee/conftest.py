"""Servers for the tests of the wire, on each kind of store: one whose time flows, one whose time is moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.hashee.people import Town, write_cast
from tests.live import LiveServer
from tests.spaces.conftest import empty_database

__all__ = ["empty_database"]


STORES = ["sqlite", "postgresql"]


def store_of(request: pytest.FixtureRequest) -> dict[str, str]:
    """The setting `store` of a server, for a fixture that has `STORES` as its params."""
    return {"url": request.getfixturevalue("empty_database")()} if request.param == "postgresql" else {}


@pytest.fixture(scope="session", params=STORES)
def flowing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("hashee")
    fixtures, store = write_cast(folder / "fixtures"), store_of(request)
    with LiveServer(folder / "data", fixtures=fixtures, watch=False, store=store) as server:
        yield server


@pytest.fixture(scope="session", params=STORES)
def standing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("hashee")
    fixtures, store = write_cast(folder / "fixtures"), store_of(request)
    with LiveServer(folder / "data", fixtures=fixtures, watch=False, seed=7, store=store) as server:
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

"""What the tests of recording share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.recording.upstream import UpstreamServer, upstream_server


@pytest.fixture(scope="package")
def upstream() -> Iterator[UpstreamServer]:
    with upstream_server() as server:
        yield server

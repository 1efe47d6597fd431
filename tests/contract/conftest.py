"""A server that gives every rule an occasion, for the tests that ask one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import socket_protocol
from tests.contract.stage import staged
from tests.live import LiveServer


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The staged server. A socket that is refused for its size need not be read on for two seconds here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket_protocol, "LINGER", 0.05)
        with staged(tmp_path_factory.mktemp("stage")) as live:
            yield live
